"""Shuffle the training samples' ages within each tissue: what is then predicted was leaked."""

from heteroage.evaluation.falsification import shuffle_ages
from heteroage.files import read_table, write_table
from heteroage.workflow import run_script


def main(samples: str, seed: int, shuffled: str) -> None:
    """Write the samples with other ages, in the same folds."""
    write_table(shuffle_ages(read_table(samples), seed), shuffled)


if __name__ == "__main__":
    run_script(main)
