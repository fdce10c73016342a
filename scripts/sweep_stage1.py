"""Score every configuration of the anchor: balancing x alpha x l1_ratio."""

from collections.abc import Mapping, Sequence

from heteroage.files import write_table
from heteroage.stages.stage1 import sweep
from heteroage.stages.training_data import TrainingData, log_grid
from heteroage.workflow import run_script


def main(
    samples: str,
    features: str,
    names: str,
    balancing: Sequence[Mapping[str, float]],
    alpha: Mapping[str, float],
    l1_ratio: Sequence[float],
    context_pcs: bool,
    seed: int,
    threads: int,
    report: str,
) -> None:
    """Write the sweep report."""
    data = TrainingData.open(samples, features, names).with_pcs(context_pcs)
    write_table(sweep(data, balancing, log_grid(**alpha), l1_ratio, seed, threads), report)


if __name__ == "__main__":
    run_script(main)
