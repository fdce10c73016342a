"""Train the deployable fusion, and write what applying it needs."""

from collections.abc import Mapping

from heteroage.files import atomic_path, read_table, write_json, write_model, write_table
from heteroage.stages.stage3 import FusionInput, importance, metadata, train
from heteroage.workflow import reporting


def main(
    data: FusionInput,
    out_of_fold: str,
    lightgbm: Mapping[str, object],
    max_rounds: int,
    intervals: Mapping[str, float],
    output: Mapping[str, str],
) -> None:
    """Write the model (for Python, and as LightGBM's text), its importance and its metadata."""
    fusion = train(data, lightgbm, max_rounds)
    write_table(importance(fusion.booster, fusion.frame, fusion.categories), output["importance"])
    write_json(metadata(fusion, data, read_table(out_of_fold), lightgbm, intervals), output["metadata"])
    write_model(fusion.booster, output["model"])
    with atomic_path(output["text"]) as beside:
        beside.write_text(fusion.booster.model_to_string(), encoding="utf-8")


if __name__ == "__main__":
    with reporting(snakemake.log[0], snakemake.rule):
        files, params = snakemake.input, snakemake.params
        main(
            FusionInput.open(files.samples, files.anchor, params.hallmarks, files.corrections, files.pcs),
            files.out_of_fold,
            params.lightgbm,
            params.max_rounds,
            params.intervals,
            dict(snakemake.output.items()),
        )
