"""Find near-identical arrays, tie samples into groups, and deal the groups into outer folds."""

import logging

from heteroage.files import read_table, write_table
from heteroage.grouping.copies import find_copies, refuse_copies
from heteroage.grouping.folds import assign_outer_folds
from heteroage.grouping.groups import assign_groups, describe_ties
from heteroage.matrix import open_matrix
from heteroage.workflow import run_script


def main(
    features: str,
    names: str,
    metadata: str,
    policy: str,
    distance_ratio: float,
    outer_folds: int,
    samples: str,
    duplicates: str,
) -> None:
    """Write samples.csv (the metadata, group, outer_fold) and the table of near-identical arrays."""
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
    table["outer_fold"] = assign_outer_folds(table, outer_folds)
    write_table(pairs, duplicates)
    write_table(table, samples)
    sizes = (len(table), table["project_id"].nunique(), table["group"].nunique())
    logging.info("%d samples of %d projects in %d groups", *sizes)
    for sentence in describe_ties(table, pairs):
        logging.warning("%s", sentence)


if __name__ == "__main__":
    run_script(main)
