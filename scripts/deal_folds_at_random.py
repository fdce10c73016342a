"""Assign the training samples to random folds that split studies, as clocks are often scored."""

from heteroage.files import read_table, write_table
from heteroage.grouping.folds import assign_folds
from heteroage.workflow import run_script


def main(samples: str, pcs: str, folds: int, seed: int, dealt: str, same_pcs: str) -> None:
    """Write the samples with a fold, and a group, of each sample's own, and their RF_PCs as they are."""
    table = read_table(samples)
    table["group"] = table["sample_id"]
    table["fold"] = assign_folds(table, folds, seed, False)
    write_table(table, dealt)
    write_table(read_table(pcs), same_pcs)


if __name__ == "__main__":
    run_script(main)
