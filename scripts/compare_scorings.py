"""Compare the nested error with other ways of scoring the same clock."""

from heteroage.evaluation.nested import optimism as compare_scorings
from heteroage.figures.held_out import plot_optimism
from heteroage.figures.style import save_picture
from heteroage.files import read_table, write_table
from heteroage.workflow import script


@script
def main(nested: str, out_of_fold: str, random_split: str, sweep: str, table: str, optimism_picture: str) -> None:
    """Write the table and its picture."""
    report = read_table(sweep)
    selected = report[report["selected"].astype(str) == "True"].iloc[0]
    errors = compare_scorings(read_table(nested), read_table(out_of_fold), read_table(random_split), selected)
    write_table(errors, table)
    save_picture(plot_optimism(errors), optimism_picture)
