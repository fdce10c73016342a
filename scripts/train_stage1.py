"""Train the deployable anchor on all of a run's training samples."""

from collections.abc import Mapping

from heteroage.clock.weights import weights_table
from heteroage.files import read_table, write_model, write_table
from heteroage.stages.stage1 import selected_row, train
from heteroage.stages.training_data import TrainingData, log_grid
from heteroage.workflow import reporting


def main(
    data: TrainingData, report: str, alpha: Mapping[str, float], seed: int, threads: int, model: str, weights: str
) -> None:
    """Write the fitted Pipeline and its weights."""
    anchor = train(data, selected_row(read_table(report), report), log_grid(**alpha), seed, threads)
    write_table(weights_table(anchor), weights)
    write_model(anchor, model)


if __name__ == "__main__":
    with reporting(snakemake.log[0], snakemake.rule):
        files, params = snakemake.input, snakemake.params
        main(
            TrainingData.open(files.samples, files.features, files.names).with_pcs(params.context_pcs),
            files.report,
            params.alpha,
            params.seed,
            snakemake.threads,
            snakemake.output.model,
            snakemake.output.weights,
        )
