"""Predict all samples with the published clocks of `compare:`, before training. An invalid table stops the run."""

from heteroage.clock.published import read_compared
from heteroage.evaluation.published import describe_clocks, published_ages
from heteroage.files import read_table, write_table
from heteroage.grouping.folds import training_samples
from heteroage.matrix import open_matrix
from heteroage.workflow import script


@script
def main(inputs: dict, compare: dict[str, dict], outputs: dict[str, str]) -> None:
    """Write the ages, a column per clock, and what the clocks are, a row per clock."""
    store, feature_names = open_matrix(inputs["features"], inputs["names"])
    table = read_table(inputs["samples"])
    trains = table["sample_id"].isin(training_samples(table)["sample_id"])
    compared = read_compared(compare, feature_names)
    write_table(describe_clocks(compared, compare, feature_names), outputs["clocks"])
    write_table(published_ages(compared, store, feature_names, table, trains), outputs["ages"])
