"""Draw predicted against actual age, out of fold, by tissue."""

from heteroage.figures.accuracy import plot_predicted_age
from heteroage.figures.style import save_png
from heteroage.files import read_table
from heteroage.workflow import script


@script
def main(out_of_fold: str, figure: str) -> None:
    """Write the picture."""
    save_png(plot_predicted_age(read_table(out_of_fold)), figure)
