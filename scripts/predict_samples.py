"""Predict a table, or several joined, with the assembled clock, by the code of `heteroage pipeline-predict`."""

import logging
from pathlib import Path

from heteroage.clock.apply import run_step
from heteroage.workflow import script


@script
def main(manifest: str, tables: list[str], conventions: dict[str, object], predictions: str) -> None:
    """Write the predictions; the log says how accurate they are where ages are given."""
    said = run_step(
        "predict", Path(manifest).parent, [Path(table) for table in tables], Path(predictions), conventions=conventions
    )
    logging.info("%s", said)
