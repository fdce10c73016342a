"""Draw the nested evaluation: optimism, ablations, coverage of the intervals."""

from collections.abc import Mapping

from heteroage.figures.evaluation import plot_ablation, plot_coverage, plot_optimism
from heteroage.figures.published import plot_published
from heteroage.figures.style import save_picture
from heteroage.files import read_json, read_table
from heteroage.workflow import run_script


def main(inputs: Mapping[str, str], outputs: Mapping[str, str]) -> None:
    """Write the pictures."""
    intervals = read_json(inputs["metadata"])["intervals"]
    save_picture(plot_optimism(read_table(inputs["optimism"])), outputs["optimism"])
    if "published" in outputs:
        save_picture(plot_published(read_table(inputs["accuracy"])), outputs["published"])
    save_picture(plot_ablation(read_table(inputs["ablation"])), outputs["ablation"])
    save_picture(plot_coverage(read_table(inputs["coverage"]), intervals and intervals["level"]), outputs["coverage"])


if __name__ == "__main__":
    run_script(main)
