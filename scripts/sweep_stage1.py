"""Score every configuration of the anchor: balancing x technical_sd x l1_ratio x alpha."""

from collections.abc import Mapping, Sequence

from heteroage.files import write_table
from heteroage.stages.stage1 import Grid, sweep
from heteroage.stages.start_from import open_start, strengths_of
from heteroage.stages.training_data import TrainingData, log_grid
from heteroage.workflow import run_script


def main(
    samples: str,
    features: str,
    names: str,
    pcs: str,
    balancing: Sequence[Mapping[str, float]],
    technical_sd: Sequence[float],
    alpha: Mapping[str, float],
    l1_ratio: Sequence[float],
    context_pcs: bool,
    start_from: Mapping[str, object] | None,
    threads: int,
    report: str,
) -> None:
    """Write the sweep report."""
    data = TrainingData.open(samples, features, names, pcs).with_pcs(context_pcs)
    grid = Grid(balancing, technical_sd, l1_ratio, log_grid(**alpha), strengths_of(start_from))
    write_table(sweep(data, grid, threads, open_start(start_from, data)), report)


if __name__ == "__main__":
    run_script(main)
