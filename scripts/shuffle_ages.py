"""Shuffle the training samples' ages within each tissue. Only a leak can then predict them."""

from heteroage.evaluation.falsification import shuffle_ages
from heteroage.files import read_table, write_table
from heteroage.workflow import run_script


def main(samples: str, pcs: str, seed: int, shuffled: str, same_pcs: str) -> None:
    """Write the samples with other ages, in the same folds, and their RF_PCs as they are."""
    write_table(shuffle_ages(read_table(samples), seed), shuffled)
    write_table(read_table(pcs), same_pcs)


if __name__ == "__main__":
    run_script(main)
