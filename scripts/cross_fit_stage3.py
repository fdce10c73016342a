"""Predict each training sample's HeteroAge with a fusion that has not seen its fold."""

from collections.abc import Mapping

from heteroage.files import write_table
from heteroage.stages.stage3 import FusionInput, cross_fit
from heteroage.workflow import reporting


def main(data: FusionInput, lightgbm: Mapping[str, object], max_rounds: int, out_of_fold: str) -> None:
    """Write the out-of-fold predictions."""
    write_table(cross_fit(data, lightgbm, max_rounds), out_of_fold)


if __name__ == "__main__":
    with reporting(snakemake.log[0], snakemake.rule):
        files, params = snakemake.input, snakemake.params
        main(
            FusionInput.open(files.samples, files.anchor, params.hallmarks, files.corrections, files.pcs),
            params.lightgbm,
            params.max_rounds,
            snakemake.output.out_of_fold,
        )
