"""Score the anchor along the alphas, at one balancing and one l1_ratio."""

from collections.abc import Mapping

from heteroage.files import write_table
from heteroage.stages.stage1 import sweep
from heteroage.stages.training_data import TrainingData, log_grid
from heteroage.workflow import run_script


def main(
    samples: str,
    features: str,
    names: str,
    part_balancing: Mapping[str, float],
    alpha: Mapping[str, float],
    part_l1_ratio: float,
    context_pcs: bool,
    seed: int,
    threads: int,
    part: str,
) -> None:
    """Write this part of the sweep report."""
    data = TrainingData.open(samples, features, names).with_pcs(context_pcs)
    write_table(sweep(data, [part_balancing], log_grid(**alpha), [part_l1_ratio], seed, threads), part)


if __name__ == "__main__":
    run_script(main)
