"""List the outer folds that nested runs leave out in turn."""

import logging

from heteroage.files import atomic_path, read_table
from heteroage.grouping.folds import MINIMUM_FOLDS, folds_to_leave_out
from heteroage.stages.sampling import training_samples
from heteroage.workflow import run_script


def main(samples: str, folds: str) -> None:
    """Write one number a line; nothing where the groups are too few for nested runs."""
    numbers = folds_to_leave_out(training_samples(read_table(samples)))
    if not numbers:
        logging.warning("no nested runs: without an outer fold, fewer than %d groups are left", MINIMUM_FOLDS)
    with atomic_path(folds) as beside:
        beside.write_text("".join(f"{number}\n" for number in numbers), encoding="utf-8")


if __name__ == "__main__":
    run_script(main)
