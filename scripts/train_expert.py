"""Train one hallmark's expert of the full run on the anchor's residuals."""

from collections.abc import Mapping, Sequence

from heteroage.errors import HeteroAgeError
from heteroage.files import read_json, read_table, write_json, write_model, write_table
from heteroage.stages.expert_tuning import Grid
from heteroage.stages.stage1 import selected_row
from heteroage.stages.stage2 import train_expert
from heteroage.stages.training_data import TrainingData, log_grid, read_views
from heteroage.workflow import run_script


def main(
    hallmark: str,
    samples: str,
    features: str,
    names: str,
    pcs: str,
    report: str,
    anchor: str,
    dictionary: str,
    alpha: Mapping[str, float],
    l1_ratio: Sequence[float],
    outputs: Mapping[str, str],
) -> None:
    """Write the expert's model, weights, corrections in every view, and row of the summary."""
    own = read_json(dictionary).get(hallmark)
    if not own:
        raise HeteroAgeError(f"{hallmark} has no expert: none of its features is left to it in {dictionary}.")
    data = TrainingData.open(samples, features, names, pcs)
    expert = train_expert(
        hallmark,
        data.restrict(own),
        read_views(anchor, data.samples),
        Grid(log_grid(**alpha), l1_ratio),
        selected_row(read_table(report), report),
    )
    write_table(expert.weights, outputs["weights"])
    write_table(expert.corrections, outputs["corrections"])
    write_json(expert.summary, outputs["summary"])
    write_model(expert.model, outputs["model"])


if __name__ == "__main__":
    run_script(main)
