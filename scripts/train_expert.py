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
from heteroage.workflow import reporting


def main(
    hallmark: str,
    data: TrainingData,
    report: str,
    anchor: str,
    features: Sequence[str],
    alpha: Mapping[str, float],
    l1_ratio: Sequence[float],
    seed: int,
    output: Mapping[str, str],
) -> None:
    """Write the expert's model, weights, corrections in every view, and row of the summary.

    A hallmark without features gets files too, since the workflow waits for them: of a placeholder that
    corrects by 0 years, which no later step takes in.
    """
    if features:
        expert = train_expert(
            hallmark,
            data.restrict(features),
            read_views(anchor, data.samples),
            Grid(log_grid(**alpha), l1_ratio),
            selected_row(read_table(report), report),
            seed,
        )
    else:
        expert = placeholder(hallmark, data.samples)
    weights = weights_table(expert.model) if features else pd.DataFrame(columns=COLUMNS)
    weights.insert(0, "hallmark", hallmark)
    write_table(weights, output["weights"])
    write_table(expert.corrections, output["corrections"])
    write_json(expert.summary, output["summary"])
    write_model(expert.model, output["model"])


if __name__ == "__main__":
    with reporting(snakemake.log[0], snakemake.rule):
        files, params = snakemake.input, snakemake.params
        own = orthogonalise_files(files.hallmarks, files.names, files.correlation)[snakemake.wildcards.hallmark]
        if features_digest(own) != params.own_features:
            raise HeteroAgeError(f"{files.hallmarks} changed while the run was under way. Run again.")
        main(
            snakemake.wildcards.hallmark,
            TrainingData.open(files.samples, files.features, files.names),
            files.report,
            files.anchor,
            own,
            params.alpha,
            params.l1_ratio,
            params.seed,
            dict(snakemake.output.items()),
        )
