"""Predict each training sample's HeteroAge with a fusion that has not seen its fold."""

from collections.abc import Mapping

from heteroage.files import write_table
from heteroage.stages.stage3 import FusionInput, cross_fit
from heteroage.workflow import run_script


def main(
    samples: str,
    anchor: str,
    corrections: str,
    pcs: str,
    lightgbm: Mapping[str, object],
    max_rounds: int,
    out_of_fold: str,
) -> None:
    """Write the out-of-fold predictions."""
    data = FusionInput.open(samples, anchor, corrections, pcs)
    write_table(cross_fit(data, lightgbm, max_rounds), out_of_fold)


if __name__ == "__main__":
    run_script(main)
