"""Draw how the clock was made: the sweep, the experts' skill and corrections, the fusion's importance."""

from heteroage.figures.explanation import plot_importance
from heteroage.figures.hallmarks import plot_corrections, plot_skill
from heteroage.figures.style import save_picture
from heteroage.figures.tuning import plot_sweep
from heteroage.files import read_table
from heteroage.workflow import reporting


def main(tables: dict[str, str], pictures: dict[str, str]) -> None:
    """Write the pictures."""
    read = {name: read_table(path) for name, path in tables.items()}
    save_picture(plot_sweep(read["sweep"]), pictures["sweep"])
    save_picture(plot_skill(read["experts"]), pictures["skill"])
    save_picture(plot_corrections(read["corrections"], read["samples"]), pictures["corrections"])
    save_picture(plot_importance(read["importance"]), pictures["importance"])


if __name__ == "__main__":
    with reporting(snakemake.log[0], snakemake.rule):
        tables = {name: path for name, path in snakemake.input.items() if name != "code"}
        main(tables, dict(snakemake.output.items()))
