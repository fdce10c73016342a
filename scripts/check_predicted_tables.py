"""Check the tables under `predict:` before training. A table that cannot be predicted stops the run."""

import logging
from pathlib import Path

import pandas as pd

from heteroage.clock.check import check_predicted_tables
from heteroage.files import read_table, write_table
from heteroage.grouping.folds import training_samples
from heteroage.tables.metadata import Conventions
from heteroage.workflow import script


@script
def main(inputs: dict, predict: dict, conventions: dict, own: dict[str, dict], needs_pcs: bool, checked: str) -> None:
    """Write a row per table."""
    features = Path(inputs["names"]).read_text(encoding="utf-8").splitlines()
    tissues = training_samples(read_table(inputs["samples"]))["Tissue"].dropna().unique()
    written = {name: Conventions.of(**options) for name, options in own.items()}
    checks = check_predicted_tables(predict, features, tissues, Conventions.of(**conventions), written, needs_pcs)
    rows = pd.DataFrame(checks)
    for row in rows[rows["remark"] != ""].itertuples():
        logging.warning("predict.%s: %s", row.table, row.remark)
    write_table(rows, checked)
