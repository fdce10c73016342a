"""Draw predicted against actual age, out of fold, by tissue."""

from heteroage.figures.accuracy import plot_predicted_age
from heteroage.files import atomic_path, read_table
from heteroage.workflow import run_script


def main(out_of_fold: str, figure: str) -> None:
    """Write the picture."""
    with atomic_path(figure) as beside:
        plot_predicted_age(read_table(out_of_fold)).savefig(beside, format="png", dpi=150)


if __name__ == "__main__":
    run_script(main)
