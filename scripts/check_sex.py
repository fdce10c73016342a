"""Compare sex labels with the signals of the X and Y chromosomes."""

import logging

from heteroage.checks.suspects import check_sex
from heteroage.errors import listed
from heteroage.figures.audit import plot_sex
from heteroage.figures.style import save_png
from heteroage.files import read_table, write_table
from heteroage.inputs.annotation import read_annotation
from heteroage.matrix import open_matrix
from heteroage.workflow import script


@script
def main(features: str, names: str, samples: str, annotation: str, table: str, figure: str) -> None:
    """Write the table and the picture."""
    checked = check_sex(*open_matrix(features, names), read_table(samples), read_annotation(annotation, "chromosome"))
    wrong = checked.loc[checked["Mismatch"], "sample_id"]
    told = int((checked["Predicted_Sex"] != "unknown").sum())
    logging.info("%d of %d samples could be told", told, len(checked))
    if len(wrong):
        logging.warning("sex labels that disagree with the X and Y chromosomes (%s)", listed(wrong))
    write_table(checked, table)
    save_png(plot_sex(checked), figure)
