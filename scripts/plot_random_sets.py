"""Draw each hallmark's expert among experts of random CpG sets of the same size."""

from heteroage.figures.hallmarks import plot_random_sets
from heteroage.figures.style import save_picture
from heteroage.files import read_table
from heteroage.workflow import run_script


def main(hallmarks: str, scores: str, random_sets: str) -> None:
    """Write the picture."""
    save_picture(plot_random_sets(read_table(hallmarks), read_table(scores)), random_sets)


if __name__ == "__main__":
    run_script(main)
