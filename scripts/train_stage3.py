"""Train the deployable fusion, and write what applying it needs."""

from collections.abc import Mapping

from heteroage.files import atomic_path, read_table, write_json, write_model, write_table
from heteroage.stages.stage3 import FusionInput, importance, metadata, train
from heteroage.workflow import run_script


def main(
    samples: str,
    anchor: str,
    corrections: str,
    pcs: str,
    out_of_fold: str,
    lightgbm: Mapping[str, object],
    max_rounds: int,
    intervals: Mapping[str, float],
    outputs: Mapping[str, str],
) -> None:
    """Write the model (for Python, and as LightGBM's text), its importance and its metadata."""
    data = FusionInput.open(samples, anchor, corrections, pcs)
    fusion = train(data, lightgbm, max_rounds)
    write_table(importance(fusion.booster, fusion.frame, fusion.categories), outputs["importance"])
    write_json(metadata(fusion, data, read_table(out_of_fold), lightgbm, intervals), outputs["metadata"])
    write_model(fusion.booster, outputs["model"])
    with atomic_path(outputs["text"]) as beside:
        beside.write_text(fusion.booster.model_to_string(), encoding="utf-8")


if __name__ == "__main__":
    run_script(main)
