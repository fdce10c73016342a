"""Take the configuration that an earlier sweep report selects, instead of sweeping."""

import logging

from heteroage.files import read_table, write_table
from heteroage.stages.stage1 import selected_row
from heteroage.workflow import run_script


def main(earlier: str, report: str) -> None:
    """Check the earlier report and copy it."""
    table = read_table(earlier)
    logging.info("the sweep is skipped; %s selects %s", earlier, selected_row(table, earlier))
    if "selected" not in table.columns:
        table["selected"] = table.index == table["Score"].idxmax()
    write_table(table, report)


if __name__ == "__main__":
    run_script(main)
