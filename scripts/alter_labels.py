"""Alter the labels of one outer fold in the table of all samples."""

from heteroage.evaluation.falsification import alter_labels
from heteroage.files import read_table, write_table
from heteroage.grouping.folds import assign_outer_folds
from heteroage.workflow import run_script


def main(samples: str, fold: str, outer_folds: int, seed: int, altered: str) -> None:
    """Write the table; outer folds are dealt anew, by the altered labels."""
    table = alter_labels(read_table(samples), int(fold), seed)
    table["outer_fold"] = assign_outer_folds(table, outer_folds)
    write_table(table, altered)


if __name__ == "__main__":
    run_script(main)
