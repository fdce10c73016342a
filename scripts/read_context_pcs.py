"""Take a run's RF_PCs from the user's file."""

from heteroage.files import read_table, write_table
from heteroage.stages.context import read_pcs
from heteroage.workflow import run_script


def main(table: str, samples: str, pcs: str) -> None:
    """Write the training samples' RF_PCs."""
    write_table(read_pcs(read_table(table), read_table(samples)["sample_id"], table), pcs)


if __name__ == "__main__":
    run_script(main)
