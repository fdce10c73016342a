"""Train the anchor: sweep its configurations, predict each sample without its fold, and fit the deployable model."""

from collections.abc import Mapping

from heteroage.files import write_model, write_table
from heteroage.stages.deployable import open_start, weights_table
from heteroage.stages.stage1 import Grid, cross_fit, follow, learn, out_of_fold_table, selected_row, sweep, train
from heteroage.stages.training_data import TrainingData
from heteroage.workflow import script


@script
def main(inputs: Mapping[str, str], settings: Mapping, threads: int, outputs: Mapping[str, str]) -> None:
    """Write the sweep report (or follow an earlier one), predictions out of fold and in every view, and the model."""
    data = TrainingData.open(inputs).with_pcs(settings["context_pcs"])
    start, earlier = open_start(settings["start_from"], data), inputs.get("earlier")
    grid = Grid.of(settings)
    learnt = None if earlier else learn(data, grid, threads)
    table = follow(earlier) if earlier else sweep(data, grid, threads, start, learnt)
    configuration = selected_row(table, earlier or outputs["report"])
    anchor = cross_fit(data, configuration, threads, start, learnt)
    final = train(data, configuration, threads, start, learnt)
    write_table(table, outputs["report"])
    write_table(anchor, outputs["views"])
    write_table(out_of_fold_table(data, anchor), outputs["out_of_fold"])
    write_table(weights_table(final), outputs["weights"])
    write_model(final, outputs["model"])
