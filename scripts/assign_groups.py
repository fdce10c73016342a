"""Find near-identical arrays, tie samples into groups, and deal the groups into outer folds."""

import logging

from heteroage.checks.duplicates import find_duplicates, refuse_duplicates
from heteroage.files import read_table, write_table
from heteroage.matrix import open_matrix
from heteroage.stages.sampling import assign_groups, assign_outer_folds
from heteroage.workflow import run_script


def main(
    features: str,
    names: str,
    metadata: str,
    policy: str,
    concordance: float,
    outer_folds: int,
    samples: str,
    duplicates: str,
) -> None:
    """Write samples.csv (the metadata, group, outer_fold) and the table of near-identical arrays."""
    table = read_table(metadata)
    pairs = find_duplicates(*open_matrix(features, names), table, concordance)
    for row in pairs.itertuples():
        two = (row.sample_1, row.project_1, row.sample_2, row.project_2)
        logging.warning("near-identical arrays: %s (%s) and %s (%s), concordance %.3f", *two, row.concordance)
    if policy == "error":
        refuse_duplicates(pairs)
    alone = assign_groups(table).nunique()
    table["group"] = assign_groups(table, pairs)
    table["outer_fold"] = assign_outer_folds(table, outer_folds)
    write_table(pairs, duplicates)
    write_table(table, samples)
    logging.info(
        "%d samples of %d projects in %d groups (%d, were it not for near-identical arrays)",
        len(table),
        table["project_id"].nunique(),
        table["group"].nunique(),
        alone,
    )


if __name__ == "__main__":
    run_script(main)
