"""Collect the experts' out-of-fold corrections, weights and performance, one table each."""

from collections.abc import Sequence

import pandas as pd

from heteroage.files import read_json, read_table, write_table
from heteroage.stages.training_data import OUT_OF_FOLD
from heteroage.workflow import run_script


def main(
    hallmarks: Sequence[str],
    corrections: Sequence[str],
    weights: Sequence[str],
    summaries: Sequence[str],
    all_corrections: str,
    all_weights: str,
    summary: str,
) -> None:
    """Write the three tables, of the hallmarks that were not skipped, in the order of the dictionary."""
    tables = {hallmark: read_table(path) for hallmark, path in zip(hallmarks, corrections, strict=True)}
    wide = next(iter(tables.values()))[["sample_id"]].copy()
    for hallmark, table in tables.items():
        if OUT_OF_FOLD in table.columns:
            wide[f"{hallmark}_Correction"] = table[OUT_OF_FOLD]
    write_table(wide, all_corrections)
    write_table(pd.concat([table for table in map(read_table, weights) if len(table)]), all_weights)
    write_table(pd.DataFrame([row for row in map(read_json, summaries) if "skipped" not in row]), summary)


if __name__ == "__main__":
    run_script(main)
