"""Draw the results of the training: the sweep, the experts' skill and corrections, and the fusion."""

from collections.abc import Mapping

from heteroage.figures.explanation import plot_cohort, plot_importance, plot_sample
from heteroage.figures.hallmarks import noise_marked, plot_corrections, plot_skill
from heteroage.figures.style import save_picture
from heteroage.figures.tuning import plot_rounds, plot_sweep
from heteroage.files import read_json, read_table
from heteroage.report.explanation import contributions, most_moved
from heteroage.stages.stage3 import FusionInput
from heteroage.stages.training_data import OUT_OF_FOLD
from heteroage.workflow import run_script


def main(inputs: Mapping[str, str], outputs: Mapping[str, str]) -> None:
    """Write the pictures; contributions are the final fusion's on the training samples' out-of-fold features."""
    read = {name: read_table(inputs[name]) for name in ("sweep", "experts", "corrections", "rounds", "importance")}
    data = FusionInput.open(*(inputs[name] for name in ("samples", "anchor", "views", "pcs")))
    save_picture(plot_sweep(read["sweep"]), outputs["sweep"])
    save_picture(plot_skill(read["experts"]), outputs["skill"])
    save_picture(plot_corrections(read["corrections"], data.samples, read["experts"]), outputs["corrections"])
    save_picture(plot_rounds(read["rounds"]), outputs["rounds"])
    noise = noise_marked(read["experts"])
    save_picture(plot_importance(read["importance"].replace({"feature": noise})), outputs["importance"])
    table = contributions(inputs["model"], data.frame(OUT_OF_FOLD), read_json(inputs["metadata"])["categories"])
    table.insert(0, "sample_id", data.samples["sample_id"].to_numpy())
    table = table.rename(columns=noise)
    save_picture(plot_cohort(table), outputs["cohort"])
    save_picture(plot_sample(most_moved(table)), outputs["sample"])


if __name__ == "__main__":
    run_script(main)
