"""Convert a series matrix to a table of values and a sample sheet."""

import logging

from heteroage.files import write_table
from heteroage.inputs.conversion import write_values
from heteroage.inputs.geo import Mapped, map_samples, read_samples
from heteroage.workflow import script


@script
def main(matrix: str, series: str, mapping: dict[str, object], table: str, samples: str) -> None:
    """Write the Parquet table, CpGs in rows, and the sheet."""
    sheet = map_samples(read_samples(matrix), series, Mapped(**mapping))
    cpgs, columns = write_values(matrix, table)
    write_table(sheet, samples)
    logging.info("%s: %d CpGs of %d samples", series, cpgs, columns)
    for column in sheet.columns[2:]:
        logging.info("%s: %d of %d known", column, sheet[column].replace("", None).notna().sum(), len(sheet))
