"""Find pairs of training samples of different groups whose methylation is nearly the same."""

from heteroage.evaluation.falsification import near_duplicates
from heteroage.files import write_table
from heteroage.stages.training_data import TrainingData
from heteroage.workflow import run_script


def main(samples: str, features: str, names: str, pairs: str) -> None:
    """Write the pairs, or the nearest one alone."""
    data = TrainingData.open(samples, features, names)
    write_table(near_duplicates(data.with_pcs(False).X, data.samples), pairs)


if __name__ == "__main__":
    run_script(main)
