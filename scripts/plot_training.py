"""Draw the results of the training: the sweep, the experts' skill and corrections, and the fusion."""

from collections.abc import Mapping

from heteroage.figures.hallmarks import noise_marked, plot_corrections, plot_skill
from heteroage.figures.style import save_pictures
from heteroage.figures.training import (
    contributions,
    most_moved,
    plot_cohort,
    plot_importance,
    plot_rounds,
    plot_sample,
    plot_sweep,
)
from heteroage.files import read_json, read_table
from heteroage.stages.stage3 import FusionInput
from heteroage.stages.training_data import OUT_OF_FOLD
from heteroage.workflow import script


@script
def main(inputs: Mapping[str, str], outputs: Mapping[str, str]) -> None:
    """Write the pictures; contributions are the final fusion's on the training samples' out-of-fold features."""
    data, experts = FusionInput.open(inputs), read_table(inputs["experts"])
    noise = noise_marked(experts)
    categories = read_json(inputs["metadata"])["categories"]
    table = contributions(inputs["model"], data.frame(OUT_OF_FOLD), categories)
    table.insert(0, "sample_id", data.samples["sample_id"].to_numpy())
    table = table.rename(columns=noise)
    pictures = {
        "sweep": plot_sweep(read_table(inputs["sweep"])),
        "skill": plot_skill(experts),
        "corrections": plot_corrections(read_table(inputs["out_of_fold"]), data.samples, experts),
        "rounds": plot_rounds(read_table(inputs["rounds"])),
        "importance": plot_importance(read_table(inputs["importance"]).replace({"feature": noise})),
        "cohort": plot_cohort(table),
        "sample": plot_sample(most_moved(table)),
    }
    save_pictures(pictures, outputs)
