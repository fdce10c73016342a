"""Draw predicted against actual age by tissue, and the error by project."""

from heteroage.figures.accuracy import plot_projects, plot_tissues
from heteroage.figures.style import save_picture
from heteroage.files import read_table
from heteroage.workflow import run_script


def main(predictions: str, tissues: str, projects: str) -> None:
    """Write both pictures."""
    table = read_table(predictions)
    save_picture(plot_tissues(table), tissues)
    save_picture(plot_projects(table), projects)


if __name__ == "__main__":
    run_script(main)
