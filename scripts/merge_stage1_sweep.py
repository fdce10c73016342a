"""Put the parts of a sweep together, and select the best configuration."""

from collections.abc import Sequence

from heteroage.files import read_table, write_table
from heteroage.stages.stage1 import merge_sweeps
from heteroage.workflow import run_script


def main(parts: Sequence[str], report: str) -> None:
    """Write the sweep report."""
    write_table(merge_sweeps([read_table(part) for part in parts]), report)


if __name__ == "__main__":
    run_script(main)
