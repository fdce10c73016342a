"""Training samples of a run, their folds, and their RF_PCs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.errors import HeteroAgeError
from heteroage.grouping.folds import assign_folds
from heteroage.matrix import values_of
from heteroage.stages.context import compute_loadings, project
from heteroage.stages.sampling import training_samples


def select(table: pd.DataFrame, run: str, folds: int, seed: int, allow_leave_one_group_out: bool) -> pd.DataFrame:
    """Return a run's training samples with their fold, and their column in the store.

    Parameters
    ----------
    table : all samples of the store, in its order, with `group` and `outer_fold`
    run : `full`, or `nested-<k>` (without outer fold k). If the remaining groups are then fewer than `folds`, each
        group is a fold

    Raises
    ------
    HeteroAgeError
        There is no such outer fold, or there are too few groups.
    """
    table = table.assign(store_column=range(len(table)))
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
    return table.reset_index(drop=True)


def learn_pcs(
    store: NDArray[np.float32], feature_names: Sequence[str], samples: pd.DataFrame, n_pcs: int, n_cpgs: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute RF_PCs from a run's samples, without their ages; returns the loadings, and the samples' RF_PCs."""
    columns = samples["store_column"].to_numpy()
    loadings = compute_loadings(store, feature_names, columns, n_pcs, n_cpgs)
    values = values_of(store, feature_names, loadings["feature"], columns)
    # Uses the same code as for new samples.
    components = project(loadings, pd.DataFrame(values, columns=loadings["feature"]))
    components.insert(0, "sample_id", samples["sample_id"])
    return loadings, components
