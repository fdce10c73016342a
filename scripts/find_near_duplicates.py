"""Find pairs of training samples of different groups whose methylation is nearly the same."""

from heteroage.evaluation.falsification import near_duplicates
from heteroage.files import write_table
from heteroage.stages.training_data import TrainingData
from heteroage.workflow import reporting


def main(data: TrainingData, pairs: str) -> None:
    """Write the pairs, or the nearest one alone."""
    write_table(near_duplicates(data.with_pcs(False).X, data.samples), pairs)


if __name__ == "__main__":
    with reporting(snakemake.log[0], snakemake.rule):
        files = snakemake.input
        main(TrainingData.open(files.samples, files.features, files.names), snakemake.output.pairs)
