"""Convert Bismark coverage files, one per sample, to a table of beta values by position."""

import logging

from heteroage.inputs.conversion import write_coverage
from heteroage.workflow import script


@script
def main(samples: dict[str, str], least_coverage: int, table: str) -> None:
    """Write the Parquet table, positions in rows."""
    positions, below = write_coverage(samples, least_coverage, table)
    counts = (positions, len(samples), below, least_coverage)
    logging.info("%d positions of %d samples; %d values of fewer than %d reads are missing", *counts)
