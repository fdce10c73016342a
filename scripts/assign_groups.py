"""Find near-identical arrays, assign samples to groups, and assign the groups to outer folds."""

import logging

import pandas as pd

from heteroage.files import atomic_path, read_table, write_table
from heteroage.grouping.copies import find_copies, refuse_copies
from heteroage.grouping.folds import (
    MINIMUM_FOLDS,
    assign_donors,
    assign_groups,
    assign_outer_folds,
    describe_ties,
    folds_to_leave_out,
)
from heteroage.matrix import open_matrix
from heteroage.stages.sampling import training_samples
from heteroage.workflow import run_script


def main(
    features: str,
    names: str,
    metadata: str,
    policy: str,
    distance_ratio: float,
    outer_folds: int,
    samples: str,
    folds: str,
    duplicates: str,
) -> None:
    """Write samples.csv (the metadata, group, donor, outer_fold) and the table of near-identical arrays."""
    table = read_table(metadata)
    pairs = find_copies(*open_matrix(features, names), table, distance_ratio)
    for row in pairs.itertuples():
        two = (row.sample_1, row.project_1, row.sample_2, row.project_2)
        logging.warning(
            "near-identical arrays: %s (%s) and %s (%s): %.3f of the distance to the nearest other sample",
            *two,
            row.distance_ratio,
        )
    if policy == "error":
        refuse_copies(pairs)
    table["group"] = assign_groups(table, pairs)
    table["donor"] = assign_donors(table, pairs)
    table["outer_fold"] = assign_outer_folds(table, outer_folds)
    write_table(pairs, duplicates)
    write_table(table, samples)
    write_outer_folds(table, folds)
    sizes = (len(table), table["project_id"].nunique(), table["group"].nunique())
    logging.info("%d samples of %d projects in %d groups", *sizes)
    for sentence in describe_ties(table, pairs):
        logging.warning("%s", sentence)


def write_outer_folds(table: pd.DataFrame, folds: str) -> None:
    """Write the outer folds that nested runs leave out in turn, one per line; none where the groups are too few."""
    numbers = folds_to_leave_out(training_samples(table))
    if not numbers:
        logging.warning("no nested runs: without an outer fold, fewer than %d groups are left", MINIMUM_FOLDS)
    with atomic_path(folds) as beside:
        beside.write_text("".join(f"{number}\n" for number in numbers), encoding="utf-8")


if __name__ == "__main__":
    run_script(main)
