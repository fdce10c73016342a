"""Shuffle the training samples' ages within each tissue: what is then predicted was leaked."""

from heteroage.evaluation.falsification import shuffle_ages
from heteroage.files import read_table, write_table
from heteroage.workflow import reporting


def main(samples: str, seed: int, shuffled: str) -> None:
    """Write the samples with other ages, in the same folds."""
    write_table(shuffle_ages(read_table(samples), seed), shuffled)


if __name__ == "__main__":
    with reporting(snakemake.log[0], snakemake.rule):
        main(snakemake.input.samples, snakemake.params.seed, snakemake.output.samples)
