"""List the outer folds that the cohorts' groups were dealt into and that hold a sample to predict."""

from heteroage.files import atomic_path, read_table
from heteroage.sampling import training_samples
from heteroage.workflow import reporting


def main(samples: str, folds: str) -> None:
    """Write one number a line. A fold without any healthy sample of known age has nothing to score."""
    numbers = sorted(training_samples(read_table(samples))["outer_fold"].unique())
    with atomic_path(folds) as beside:
        beside.write_text("".join(f"{number}\n" for number in numbers), encoding="utf-8")


if __name__ == "__main__":
    with reporting(snakemake.log[0], snakemake.rule):
        main(snakemake.input.samples, snakemake.output.folds)
