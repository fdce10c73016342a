"""Train the deployable fusion, predict each training sample out of fold, and write the artifacts of Stage 3."""

from heteroage.files import write_json, write_model, write_table, write_text
from heteroage.stages.stage3 import PROCEDURE, FusionInput, cross_fit, metadata, train
from heteroage.stages.training_data import OUT_OF_FOLD
from heteroage.workflow import script


@script
def main(inputs: dict[str, str], settings: dict, outputs: dict[str, str]) -> None:
    """Write out-of-fold ages, the model (for Python, and as LightGBM's text), importance, metadata, tuning curve."""
    data, tuned = FusionInput.open(inputs), (settings["lightgbm"], settings["max_rounds"])
    fusion, curve = train(data, *tuned)
    crossed = cross_fit(data, *tuned, int(curve["chosen"].argmax()))
    write_table(crossed.drop(columns=PROCEDURE), outputs["out_of_fold"])
    write_table(curve, outputs["tuning"])
    write_table(fusion.importance(data.frame(OUT_OF_FOLD)), outputs["importance"])
    write_json(metadata(fusion, curve, data, crossed, settings["lightgbm"], settings["intervals"]), outputs["metadata"])
    write_model(fusion.booster, outputs["model"])
    write_text(fusion.booster.model_to_string(), outputs["text"])
