"""Stop the run if a falsification test has failed. The certificate has been written before."""

import logging
import sys

from heteroage.errors import HeteroAgeError, listed
from heteroage.evaluation.falsification import FAIL, INCONCLUSIVE
from heteroage.files import read_table
from heteroage.workflow import script


@script
def main(certificate: str) -> None:
    """Read the certificate."""
    table = read_table(certificate)
    for row in table[table["verdict"] == INCONCLUSIVE].itertuples():
        logging.warning("%s proves nothing here: %s", row.test, row.meaning)
        print(f"{row.test} proves nothing here: {row.meaning}", file=sys.stderr)
    failed = table[table["verdict"] == FAIL]
    if len(failed):
        numbers = [f"{row.test} ({row.measured:.3g}, limit {row.limit:.3g})" for row in failed.itertuples()]
        raise HeteroAgeError(
            f"falsification tests failed ({listed(numbers)}). {certificate} says what each measures; do not quote "
            "the clock's error before the cause is found."
        )
