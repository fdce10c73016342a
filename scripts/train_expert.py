"""Train one hallmark's expert on the anchor's residuals."""

from collections.abc import Mapping, Sequence

import pandas as pd

from heteroage.clock.weights import COLUMNS, weights_table
from heteroage.errors import HeteroAgeError
from heteroage.files import read_table, write_json, write_model, write_table
from heteroage.stages.hallmarks import features_digest, orthogonalise_files
from heteroage.stages.stage1 import selected_row
from heteroage.stages.stage2 import Grid, placeholder, train_expert
from heteroage.stages.training_data import TrainingData, log_grid, read_views
from heteroage.workflow import run_script


def main(
    hallmark: str,
    samples: str,
    features: str,
    names: str,
    report: str,
    anchor: str,
    hallmarks: str,
    correlation: str,
    own_features: str,
    alpha: Mapping[str, float],
    l1_ratio: Sequence[float],
    seed: int,
    outputs: Mapping[str, str],
) -> None:
    """Write the expert's model, weights, corrections in every view, and row of the summary.

    A hallmark without features gets files too, since the workflow waits for them: of a placeholder that
    corrects by 0 years, which no later step takes in.
    """
    own = orthogonalise_files(hallmarks, names, correlation)[hallmark]
    if features_digest(own) != own_features:
        raise HeteroAgeError(f"{hallmarks} changed while the run was under way. Run again.")
    data = TrainingData.open(samples, features, names)
    if own:
        expert = train_expert(
            hallmark,
            data.restrict(own),
            read_views(anchor, data.samples),
            Grid(log_grid(**alpha), l1_ratio),
            selected_row(read_table(report), report),
            seed,
        )
    else:
        expert = placeholder(hallmark, data.samples)
    weights = weights_table(expert.model) if own else pd.DataFrame(columns=COLUMNS)
    weights.insert(0, "hallmark", hallmark)
    write_table(weights, outputs["weights"])
    write_table(expert.corrections, outputs["corrections"])
    write_json(expert.summary, outputs["summary"])
    write_model(expert.model, outputs["model"])


if __name__ == "__main__":
    run_script(main)
