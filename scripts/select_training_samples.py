"""Choose a run's training samples, deal them into folds, and take or learn their RF_PCs."""

import logging

import pandas as pd

from heteroage.errors import HeteroAgeError
from heteroage.files import read_table, write_table
from heteroage.grouping.folds import assign_folds
from heteroage.grouping.groups import describe_dominance
from heteroage.matrix import open_matrix, values_of
from heteroage.stages.context import compute_loadings, project, read_pcs
from heteroage.stages.dictionary import read_dictionary
from heteroage.stages.hallmarks import check_any_match, match_features
from heteroage.stages.sampling import training_samples
from heteroage.stages.training_data import TRAINING_COLUMNS
from heteroage.workflow import run_script


def main(
    run: str,
    all_samples: str,
    features: str,
    names: str,
    folds: int,
    seed: int,
    allow_leave_one_group_out: bool,
    n_pcs: int,
    n_cpgs: int,
    samples: str,
    pcs: str,
    given_pcs: str | None = None,
    dictionary: str | None = None,
    loadings: str | None = None,
) -> None:
    """Write the training samples and RF_PCs of `full`, or of `nested-<k>` and `altered-<k>`: without outer fold k.

    Without their outer fold, the groups may be fewer than the folds: then one is held out at a time. RF_PCs come from
    the given file, or are learnt from the run's samples without looking at ages; then their loadings are written too.
    """
    store, feature_names = open_matrix(features, names)
    if dictionary:
        check_any_match(match_features(read_dictionary(dictionary), feature_names))
    table = select(read_table(all_samples), run, folds, seed, allow_leave_one_group_out)
    if given_pcs:
        write_table(read_pcs(read_table(given_pcs), table["sample_id"], given_pcs), pcs)
    else:
        columns = table["store_column"].to_numpy()
        learnt = compute_loadings(store, feature_names, columns, n_pcs, n_cpgs)
        values = values_of(store, feature_names, learnt["feature"], columns)
        # By the code that projects new samples.
        components = project(learnt, pd.DataFrame(values, columns=learnt["feature"]))
        components.insert(0, "sample_id", table["sample_id"])
        write_table(learnt, loadings)
        write_table(components, pcs)
    write_table(table[TRAINING_COLUMNS], samples)


def select(table: pd.DataFrame, run: str, folds: int, seed: int, allow_leave_one_group_out: bool) -> pd.DataFrame:
    """Return a run's training samples with their fold, and their column in the store."""
    table["store_column"] = range(len(table))
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
    for sentence in describe_dominance(table):
        logging.warning("%s", sentence)
    sizes = table.groupby("fold").size()
    logging.info("%d training samples; samples by fold: %s", len(table), sizes.to_dict())
    if len(sizes) != folds:
        logging.warning("%d folds instead of %d: there are not more groups to spread", len(sizes), folds)
    return table.reset_index(drop=True)


if __name__ == "__main__":
    run_script(main)
