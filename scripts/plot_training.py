"""Draw how the clock was made: the sweep, the experts' skill and corrections, the fusion's importance."""

from collections.abc import Mapping

from heteroage.figures.explanation import plot_importance
from heteroage.figures.hallmarks import plot_corrections, plot_skill
from heteroage.figures.style import save_picture
from heteroage.figures.tuning import plot_sweep
from heteroage.files import read_table
from heteroage.workflow import run_script


def main(inputs: Mapping[str, str], outputs: Mapping[str, str]) -> None:
    """Write the pictures."""
    read = {name: read_table(path) for name, path in inputs.items()}
    save_picture(plot_sweep(read["sweep"]), outputs["sweep"])
    save_picture(plot_skill(read["experts"]), outputs["skill"])
    save_picture(plot_corrections(read["corrections"], read["samples"]), outputs["corrections"])
    save_picture(plot_importance(read["importance"]), outputs["importance"])


if __name__ == "__main__":
    run_script(main)
