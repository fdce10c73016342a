"""Who is held out with whom, and who is trained on: groups, folds, balancing.

Nothing here depends on the order of rows: samples are taken in the order of their sample_id, and draws
come from a hash of the sample_id.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from heteroage.errors import HeteroAgeError, listed

if TYPE_CHECKING:
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

MINIMUM_TRAINING_SET = 10
LEAVE_ONE_GROUP_OUT = "leave_one_group_out"
MINIMUM_FOLDS = 3  # one to predict, one to tune on, one to train on


def assign_groups(samples: pd.DataFrame, duplicates: pd.DataFrame | None = None) -> pd.Series:
    """Tie samples that share a `project_id` or a `donor_id`, or are near-identical arrays, transitively.

    Parameters
    ----------
    samples : frame of `project_id`, `donor_id` (samples without one are tied by project alone)
    duplicates : frame of `project_1`, `project_2`, the projects of near-identical arrays

    Returns
    -------
    each sample's group, named after the group's first project_id
    """
    project, projects = pd.factorize(samples["project_id"])
    donor, donors = pd.factorize(samples["donor_id"])
    has_donor = donor >= 0
    n_projects, n_donors = len(projects), len(donors)
    one, other = project[has_donor], n_projects + donor[has_donor]
    if duplicates is not None:
        one = np.concatenate([one, projects.get_indexer(duplicates["project_1"])])
        other = np.concatenate([other, projects.get_indexer(duplicates["project_2"])])
    edges = coo_array((np.ones(len(one)), (one, other)), shape=(n_projects + n_donors, n_projects + n_donors))
    _, component = connected_components(edges, directed=False)
    component_of_sample = component[project]
    return samples["project_id"].groupby(component_of_sample).transform("min").rename("group")


def assign_outer_folds(samples: pd.DataFrame, folds: int | str) -> NDArray[np.int64]:
    """Deal whole groups into outer folds of about equal size, by group sizes and names alone.

    Nothing else about a sample (age, tissue, health, methylation) moves it, or any other sample, to another
    outer fold: a nested run's training set cannot depend on what is held out. With fewer groups than `folds`, or
    with "leave_one_group_out", each group is a fold.
    """
    from sklearn.model_selection import GroupKFold  # takes a second to import; most scripts deal no folds

    n_groups = samples["group"].nunique()
    folds = n_groups if folds == LEAVE_ONE_GROUP_OUT else min(folds, n_groups)
    if folds < 2:
        return np.zeros(len(samples), np.int64)
    return _deal(GroupKFold(folds), samples)


def folds_to_leave_out(samples: pd.DataFrame) -> list[int]:
    """Outer folds that nested runs leave out in turn: those with a sample to score.

    None at all where a run without one of them would have fewer than three groups to train on.

    Parameters
    ----------
    samples : the samples that may train, with `group` and `outer_fold`
    """
    fold_groups = samples.groupby("outer_fold")["group"].nunique()  # a group lies in one outer fold
    left = fold_groups.sum() - fold_groups
    return sorted(fold_groups.index.tolist()) if (left >= MINIMUM_FOLDS).all() else []


def training_samples(samples: pd.DataFrame) -> pd.DataFrame:
    """Return the samples that may train: `Is_Healthy` true and `Age` present."""
    healthy = samples["Is_Healthy"].map(lambda value: value is True or value == "True" or value is np.True_)
    chosen = samples[healthy & samples["Age"].notna()]
    if chosen.empty:
        raise HeteroAgeError(
            f"no sample can train: of {len(samples)}, {int(healthy.sum())} are Is_Healthy and "
            f"{int(samples['Age'].notna().sum())} have an Age. Training needs both; check these columns."
        )
    return chosen.reset_index(drop=True)


def assign_folds(samples: pd.DataFrame, folds: int, seed: int, allow_leave_one_group_out: bool) -> NDArray[np.int64]:
    """Deal whole groups into folds, alike in tissues (scikit-learn's StratifiedGroupKFold).

    Raises
    ------
    HeteroAgeError
        Fewer groups than folds, unless leave-one-group-out is allowed; fewer than three groups in any case.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    groups = sorted(samples["group"].unique())
    if len(groups) < MINIMUM_FOLDS:
        raise HeteroAgeError(
            f"too few groups to hold out, tune and train on different ones: {len(samples)} training samples are of "
            f"groups {listed(groups)}; {MINIMUM_FOLDS} are needed{_ties(samples)}. Add studies, or check project_id "
            "and donor_id."
        )
    if len(groups) < folds:
        if not allow_leave_one_group_out:
            raise HeteroAgeError(
                f"fewer groups than folds: {folds} folds, groups {listed(groups)}{_ties(samples)}. Lower "
                "cross_validation.folds, or set cross_validation.allow_leave_one_group_out: true to hold out one group "
                "at a time."
            )
        folds = len(groups)
    if len(groups) == folds:
        return samples["group"].map({group: k for k, group in enumerate(groups)}).to_numpy(np.int64)
    return _deal(StratifiedGroupKFold(folds, shuffle=True, random_state=seed), samples)


def _ties(samples: pd.DataFrame) -> str:
    """Say which projects are one group: a shared donor ties them, or a near-identical array."""
    tied = samples.groupby("group")["project_id"].unique()
    pairs = [" with ".join(sorted(map(str, projects))) for projects in tied if len(projects) > 1]
    return f" (donors or near-identical arrays tie projects {listed(pairs)})" if pairs else ""


def _deal(splitter: GroupKFold | StratifiedGroupKFold, samples: pd.DataFrame) -> NDArray[np.int64]:
    by_id = samples.reset_index(drop=True).sort_values("sample_id")
    strata = by_id["Tissue"]
    if strata.value_counts().max() < splitter.n_splits:
        strata = np.zeros(len(by_id))  # no tissue is common enough to be in each fold
    fold = np.full(len(samples), -1, np.int64)
    with warnings.catch_warnings():
        # A tissue with fewer samples than folds cannot be in each: expected, and no reason to stop.
        warnings.filterwarnings("ignore", message="The least populated class")
        splits = splitter.split(by_id, strata, by_id["group"])
        for k, (_, held_out) in enumerate(splits):
            fold[by_id.index[held_out]] = k
    # The stratifier may leave a fold empty where one group dwarfs the others; number those that are used.
    return np.unique(fold, return_inverse=True)[1]


def balanced_rows(
    samples: pd.DataFrame, rows: NDArray[np.int64], balancing: Mapping[str, float], seed: int
) -> NDArray[np.int64]:
    """Choose the training rows among `rows`: no tissue drowns the others.

    Tissues seen in fewer than `min_cohorts` projects are left out; each other tissue is sampled down to
    clip(median tissue count × `median_mult`, `min_cap`, `max_cap`). The draw keeps the samples whose hash of
    (seed, sample_id) is least, so that it neither depends on other samples nor on their order.

    Raises
    ------
    HeteroAgeError
        Fewer than 10 samples are left.
    """
    table = samples.iloc[rows]
    cohorts = table.groupby("Tissue")["project_id"].nunique()
    kept = table[table["Tissue"].isin(cohorts.index[cohorts >= balancing["min_cohorts"]])]
    counts = kept["Tissue"].value_counts()
    if len(counts):
        cap = int(np.clip(counts.median() * balancing["median_mult"], balancing["min_cap"], balancing["max_cap"]))
        order = kept.assign(row=rows[table.index.get_indexer(kept.index)], draw=draws(kept["sample_id"], seed))
        order = order.sort_values(["draw", "sample_id"])
        kept = order[order.groupby("Tissue").cumcount() < cap]
    if len(kept) < MINIMUM_TRAINING_SET:
        raise HeteroAgeError(
            f"the balancing {dict(balancing)} leaves {len(kept)} of {len(rows)} samples to train on "
            f"(at least {MINIMUM_TRAINING_SET} are needed; tissues by number of projects: {cohorts.to_dict()}). "
            "Lower min_cohorts or raise the caps in stage1.balancing."
        )
    return np.sort(kept["row"].to_numpy())


def draws(sample_ids: pd.Series, seed: int) -> list[int]:
    """Return a number for each sample_id that looks random and is its own: 64 bits of SHA-256."""
    return [int.from_bytes(hashlib.sha256(f"{seed}:{s}".encode()).digest()[:8], "big") for s in sample_ids]
