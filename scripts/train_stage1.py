"""Train the deployable anchor on all of a run's training samples."""

from collections.abc import Mapping

from heteroage.clock.weights import weights_table
from heteroage.files import read_table, write_model, write_table
from heteroage.stages.stage1 import selected_row, train
from heteroage.stages.start_from import open_start
from heteroage.stages.training_data import TrainingData
from heteroage.workflow import run_script


def main(
    samples: str,
    features: str,
    names: str,
    pcs: str,
    report: str,
    context_pcs: bool,
    start_from: Mapping[str, object] | None,
    threads: int,
    model: str,
    weights: str,
) -> None:
    """Write the fitted Pipeline and its weights."""
    data = TrainingData.open(samples, features, names, pcs).with_pcs(context_pcs)
    anchor = train(data, selected_row(read_table(report), report), threads, open_start(start_from, data))
    write_table(weights_table(anchor), weights)
    write_model(anchor, model)


if __name__ == "__main__":
    run_script(main)
