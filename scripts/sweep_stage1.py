"""Score every configuration of the anchor: balancing x alpha x l1_ratio."""

from collections.abc import Mapping, Sequence

from heteroage.files import write_table
from heteroage.stages.stage1 import sweep
from heteroage.stages.training_data import TrainingData, log_grid
from heteroage.workflow import reporting


def main(
    data: TrainingData,
    balancing: Sequence[Mapping[str, float]],
    alpha: Mapping[str, float],
    l1_ratio: Sequence[float],
    seed: int,
    threads: int,
    report: str,
) -> None:
    """Write the sweep report."""
    write_table(sweep(data, balancing, log_grid(**alpha), l1_ratio, seed, threads), report)


if __name__ == "__main__":
    with reporting(snakemake.log[0], snakemake.rule):
        files, params = snakemake.input, snakemake.params
        main(
            TrainingData.open(files.samples, files.features, files.names).with_pcs(params.context_pcs),
            params.balancing,
            params.alpha,
            params.l1_ratio,
            params.seed,
            snakemake.threads,
            snakemake.output.report,
        )
