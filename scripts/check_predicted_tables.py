"""Check the tables under `predict:` before training. A table that cannot be predicted stops the run."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from heteroage.clock.check import check_predicted_tables
from heteroage.files import read_table, write_table
from heteroage.grouping.folds import training_samples
from heteroage.tables.metadata import Conventions
from heteroage.workflow import script


@script
def main(
    names: str,
    samples: str,
    predict: Mapping[str, Sequence[str]],
    conventions: Mapping[str, object],
    own: Mapping[str, Mapping[str, object]],
    needs_pcs: bool,
    checked: str,
) -> None:
    """Write a row per table."""
    features = Path(names).read_text(encoding="utf-8").splitlines()
    tissues = training_samples(read_table(samples))["Tissue"].dropna().unique()
    written = {name: Conventions.of(**options) for name, options in own.items()}
    usual = Conventions.of(**conventions)
    rows = pd.DataFrame(check_predicted_tables(predict, features, tissues, usual, written, needs_pcs))
    for row in rows[rows["remark"] != ""].itertuples():
        logging.warning("predict.%s: %s", row.table, row.remark)
    write_table(rows, checked)
