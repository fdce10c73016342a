"""Recompute a nested run's training files and anchor from a store with an altered outer fold, and compare them."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from select_training_samples import main as select_training_samples

from heteroage.evaluation.falsification import alter_labels, alter_methylation, compare_files
from heteroage.files import read_table, write_json, write_table
from heteroage.grouping.folds import assign_outer_folds
from heteroage.stages.deployable import open_start, weights_table
from heteroage.stages.hallmarks import assign_features, read_dictionary
from heteroage.stages.stage1 import selected_row, train
from heteroage.stages.training_data import TrainingData
from heteroage.workflow import script

MADE_AGAIN = ("samples", "pcs", "loadings", "dictionary", "weights")


@script
def main(
    inputs: dict[str, str],
    outer_folds: int | str,
    selection: dict,
    context: dict,
    settings: dict,
    threads: int,
    compared: str,
) -> None:
    """Write which of the run's files (`MADE_AGAIN`) have the same bytes again.

    Outer folds are assigned again, by the altered labels; groups stay.
    """
    own = {name: inputs[name] for name in MADE_AGAIN if name in inputs}
    samples = read_table(inputs["all_samples"])
    held_out = np.flatnonzero(samples["outer_fold"] == 0)
    table = alter_labels(samples, 0, selection["seed"])
    table["outer_fold"] = assign_outer_folds(table, outer_folds)
    with TemporaryDirectory(dir=Path(compared).parent) as folder:
        again = {name: Path(folder) / f"{name}.csv" for name in own}
        store = {"features": Path(folder) / "features.npy", "names": inputs["names"]}
        alter_methylation(Path(inputs["features"]), store["features"], held_out, selection["seed"], threads)
        altered = {**inputs, **store, "all_samples": Path(folder) / "all_samples.csv", "dictionary": []}
        write_table(table, altered["all_samples"])
        select_training_samples("nested-0", altered, selection, context, again)
        data = TrainingData.open({**again, **store})
        write_json(assign_features(read_dictionary(inputs["hallmarks"]), data)[0], again["dictionary"])
        of_anchor = data.with_pcs(settings["context_pcs"])
        start = open_start(settings["start_from"], of_anchor)
        anchor = train(of_anchor, selected_row(read_table(inputs["report"]), inputs["report"]), threads, start)
        write_table(weights_table(anchor), again["weights"])
        write_table(compare_files(own, again), compared)
