"""Fuse a nested run's held-out samples without context: corrections alone, no tissue, sex or RF_PCs."""

from collections.abc import Mapping

from heteroage.files import read_table, write_table
from heteroage.stages.stage3 import FusionInput, fuse, train
from heteroage.workflow import reporting


def main(data: FusionInput, predictions: str, lightgbm: Mapping[str, object], max_rounds: int, ablated: str) -> None:
    """Write sample_id and Fusion_Without_Context (years); rounds are tuned anew without the context."""
    table = read_table(predictions)
    fusion = train(data.without_context(), lightgbm, max_rounds)
    ages = fuse(fusion.booster, table[list(fusion.frame.columns)], fusion.categories)
    write_table(table[["sample_id"]].assign(Fusion_Without_Context=ages), ablated)


if __name__ == "__main__":
    with reporting(snakemake.log[0], snakemake.rule):
        files, params = snakemake.input, snakemake.params
        main(
            FusionInput.open(files.samples, files.anchor, params.hallmarks, files.corrections, files.pcs),
            files.predictions,
            params.lightgbm,
            params.max_rounds,
            snakemake.output.ablated,
        )
