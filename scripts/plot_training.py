"""Draw the results of the training: the sweep, the experts, the fusion, and the samples predicted out of fold."""

import pandas as pd
from lightgbm import Booster

from heteroage.clock.artifacts import ANCHOR
from heteroage.clock.trees import by_feature
from heteroage.figures import held_out, training
from heteroage.figures.style import save_picture
from heteroage.files import read_json, read_table
from heteroage.stages.stage3 import FusionInput, encode
from heteroage.stages.training_data import OUT_OF_FOLD
from heteroage.workflow import script


@script
def main(inputs: dict[str, str], outputs: dict[str, str]) -> None:
    """Write the pictures; contributions are the final fusion's on the training samples' out-of-fold features."""
    data, experts = FusionInput.open(inputs), read_table(inputs["experts"])
    noise, frame = training.noise_marked(experts), data.frame(OUT_OF_FOLD)
    metadata = read_json(inputs["metadata"])
    matrix = encode(frame, metadata["categories"])
    parts = {ANCHOR: frame[ANCHOR].to_numpy()} | by_feature(Booster(model_file=inputs["model"]), matrix, frame.columns)
    table = pd.DataFrame(parts).rename(columns=noise)
    table = table.assign(HeteroAge=table.sum(axis=1), sample_id=data.samples["sample_id"].to_numpy())
    predictions, line = read_table(inputs["predictions"]), metadata["acceleration_reference"]
    residual = predictions["HeteroAge"] - (line["intercept"] + line["slope"] * predictions["Age"])
    healthy = predictions.assign(Is_Healthy=True, **{held_out.ACCELERATION: residual})
    pictures = {
        "sweep": training.plot_sweep(read_table(inputs["sweep"])),
        "skill": training.plot_skill(experts),
        "corrections": training.plot_corrections(read_table(inputs["expert_corrections"]), data.samples, experts),
        "rounds": training.plot_rounds(read_table(inputs["rounds"])),
        "importance": training.plot_importance(read_table(inputs["importance"]).replace({"feature": noise})),
        "cohort": training.plot_cohort(table),
        "sample": training.plot_sample(table),
        **held_out.plot_held_out(healthy),
    }
    for name, picture in pictures.items():
        save_picture(picture, outputs[f"{name}_picture"])
