"""Deal the training samples into folds at random, as clocks are often scored: studies are on both sides."""

from heteroage.files import read_table, write_table
from heteroage.grouping.folds import assign_folds
from heteroage.workflow import run_script


def main(samples: str, folds: int, seed: int, dealt: str) -> None:
    """Write the samples with a fold, and a group, of each sample's own."""
    table = read_table(samples)
    table["group"] = table["sample_id"]
    table["fold"] = assign_folds(table, folds, seed, False)
    write_table(table, dealt)


if __name__ == "__main__":
    run_script(main)
