"""Draw the nested evaluation: optimism, ablations, coverage of the intervals."""

from collections.abc import Mapping

from heteroage.figures.evaluation import plot_ablation, plot_coverage, plot_optimism
from heteroage.figures.style import save_picture
from heteroage.files import read_json, read_table
from heteroage.workflow import reporting


def main(optimism: str, ablation: str, coverage: str, metadata: str, pictures: Mapping[str, str]) -> None:
    """Write the pictures."""
    intervals = read_json(metadata)["intervals"]
    save_picture(plot_optimism(read_table(optimism)), pictures["optimism"])
    save_picture(plot_ablation(read_table(ablation)), pictures["ablation"])
    save_picture(plot_coverage(read_table(coverage), intervals and intervals["level"]), pictures["coverage"])


if __name__ == "__main__":
    with reporting(snakemake.log[0], snakemake.rule):
        files = snakemake.input
        main(files.optimism, files.ablation, files.coverage, files.metadata, dict(snakemake.output.items()))
