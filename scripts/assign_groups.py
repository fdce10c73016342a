"""Find near-identical arrays, assign samples to groups, and assign the groups to outer folds."""

import logging

from heteroage.files import read_table, write_table, write_text
from heteroage.grouping.copies import find_copies, refuse_copies
from heteroage.grouping.folds import (
    MINIMUM_FOLDS,
    assign_donors,
    assign_groups,
    assign_outer_folds,
    describe_ties,
    folds_to_leave_out,
    training_samples,
)
from heteroage.matrix import open_matrix
from heteroage.workflow import script

NEAR = (
    "near-identical arrays: %(sample_1)s (%(project_1)s) and %(sample_2)s (%(project_2)s): %(distance_ratio).3f of the "
    "distance to the nearest other sample"
)


@script
def main(inputs: dict, policy: str, distance_ratio: float, outer_folds: int, outputs: dict[str, str]) -> None:
    """Write samples.csv (the metadata, group, donor, outer_fold), the table of near-identical arrays, and outer folds.

    The outer folds that nested runs leave out are written one per line; none if there are too few groups.
    """
    table = read_table(inputs["metadata"])
    pairs = find_copies(*open_matrix(inputs["features"], inputs["names"]), table, distance_ratio)
    for row in pairs.to_dict("records"):
        logging.warning(NEAR, row)
    if policy == "error":
        refuse_copies(pairs)
    table["group"] = assign_groups(table, pairs)
    table["donor"] = assign_donors(table, pairs)
    table["outer_fold"] = assign_outer_folds(table, outer_folds)
    folds = folds_to_leave_out(training_samples(table))
    write_table(pairs, outputs["duplicates"])
    write_table(table, outputs["samples"])
    write_text("".join(f"{fold}\n" for fold in folds), outputs["folds"])
    logging.info("%d samples of %d projects in %d groups", len(table), *table[["project_id", "group"]].nunique())
    if not folds:
        logging.warning("no nested runs: without an outer fold, fewer than %d groups are left", MINIMUM_FOLDS)
    for sentence in describe_ties(table, pairs):
        logging.warning("%s", sentence)
