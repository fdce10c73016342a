"""Draw predicted against actual age by tissue, and the error by project."""

from heteroage.figures.accuracy import plot_projects, plot_tissues
from heteroage.figures.style import save_picture
from heteroage.files import read_table
from heteroage.workflow import reporting


def main(predictions: str, tissues: str, projects: str) -> None:
    """Write both pictures."""
    table = read_table(predictions)
    save_picture(plot_tissues(table), tissues)
    save_picture(plot_projects(table), projects)


if __name__ == "__main__":
    with reporting(snakemake.log[0], snakemake.rule):
        main(snakemake.input.predictions, snakemake.output.tissues, snakemake.output.projects)
