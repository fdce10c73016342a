"""Choose a run's training samples and deal them into folds."""

import logging

from heteroage.errors import HeteroAgeError
from heteroage.files import read_table, write_table
from heteroage.grouping.folds import assign_folds
from heteroage.grouping.groups import describe_dominance
from heteroage.stages.sampling import training_samples
from heteroage.stages.training_data import TRAINING_COLUMNS
from heteroage.workflow import run_script


def main(run: str, all_samples: str, folds: int, seed: int, allow_leave_one_group_out: bool, samples: str) -> None:
    """Write the training samples of `full`, or of `nested-<k>` and `altered-<k>`: those outside outer fold k.

    Without their outer fold, the groups may be fewer than the folds: then one is held out at a time.
    """
    table = read_table(all_samples)
    if run != "full":
        held_out = int(run.rpartition("-")[2])
        if held_out not in set(table["outer_fold"]):
            raise HeteroAgeError(f"there is no {run}: the outer folds are {sorted(set(table['outer_fold']))}.")
        table = table[table["outer_fold"] != held_out]
    table = training_samples(table)
    try:
        table["fold"] = assign_folds(table, folds, seed, allow_leave_one_group_out or run != "full")
    except HeteroAgeError as error:
        raise HeteroAgeError(str(error) if run == "full" else f"{run}: {error}") from error
    write_table(table[TRAINING_COLUMNS], samples)
    for sentence in describe_dominance(table):
        logging.warning("%s", sentence)
    sizes = table.groupby("fold").size()
    logging.info("%d training samples; samples by fold: %s", len(table), sizes.to_dict())
    if len(sizes) != folds:
        logging.warning("%d folds instead of %d: there are not more groups to spread", len(sizes), folds)


if __name__ == "__main__":
    run_script(main)
