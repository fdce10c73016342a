"""Draw what moves HeteroAge away from the anchor, in all training samples and in one."""

from heteroage.figures.explanation import plot_cohort, plot_sample
from heteroage.figures.style import save_picture
from heteroage.files import read_json
from heteroage.report.explanation import contributions, most_moved
from heteroage.stages.stage3 import FusionInput
from heteroage.stages.training_data import OUT_OF_FOLD
from heteroage.workflow import run_script


def main(
    samples: str,
    anchor: str,
    corrections: str,
    pcs: str,
    model: str,
    metadata: str,
    cohort: str,
    sample: str,
) -> None:
    """Write both pictures, of the final fusion on the training samples' out-of-fold features."""
    data = FusionInput.open(samples, anchor, corrections, pcs)
    table = contributions(model, data.frame(OUT_OF_FOLD), read_json(metadata)["categories"])
    table.insert(0, "sample_id", data.samples["sample_id"].to_numpy())
    save_picture(plot_cohort(table), cohort)
    save_picture(plot_sample(most_moved(table)), sample)


if __name__ == "__main__":
    run_script(main)
