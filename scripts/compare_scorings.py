"""Compare the nested error with other ways of scoring the same clock."""

from heteroage.evaluation.nested import optimism
from heteroage.files import read_table, write_table
from heteroage.workflow import script


@script
def main(nested: str, out_of_fold: str, random_split: str, sweep: str, table: str) -> None:
    """Write the table."""
    report = read_table(sweep)
    selected = report[report["selected"].astype(str) == "True"].iloc[0]
    write_table(optimism(read_table(nested), read_table(out_of_fold), read_table(random_split), selected), table)
