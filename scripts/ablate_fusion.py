"""Fuse a nested run's held-out samples without context: corrections alone, no tissue, sex or RF_PCs."""

from collections.abc import Mapping

from heteroage.files import read_table, write_table
from heteroage.stages.stage3 import FusionInput, fuse, train
from heteroage.workflow import run_script


def main(
    samples: str,
    anchor: str,
    corrections: str,
    pcs: str,
    predictions: str,
    lightgbm: Mapping[str, object],
    max_rounds: int,
    ablated: str,
) -> None:
    """Write sample_id and Fusion_Without_Context (years); rounds are tuned anew without the context."""
    data = FusionInput.open(samples, anchor, corrections, pcs)
    table = read_table(predictions)
    fusion = train(data.without_context(), lightgbm, max_rounds)
    ages = fuse(fusion.booster, table[list(fusion.frame.columns)], fusion.categories)
    write_table(table[["sample_id"]].assign(Fusion_Without_Context=ages), ablated)


if __name__ == "__main__":
    run_script(main)
