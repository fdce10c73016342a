"""The samples that may train, groups of samples that are held out together, and their assignment to folds.

The folds do not depend on the order of rows: groups are sorted by size and name, and ties are broken by a hash.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from heteroage.errors import FIRST, HeteroAgeError, listed

LEAVE_ONE_GROUP_OUT = "leave_one_group_out"
MINIMUM_FOLDS = 3  # one for prediction, one for tuning, one for training
LARGEST_FOLD = 1.5  # largest fold, relative to the mean number of samples, unless one group alone is larger
DOMINATES = 0.25  # fraction of the samples from which such a larger group is reported
SIZE_WEIGHT = 2.0  # weight of equal fold sizes; all tissues together have weight 1
SWAPPED = 500  # maximum number of groups for which exchanges are tried; more groups are small and only moved


def training_samples(samples: pd.DataFrame) -> pd.DataFrame:
    """Return the samples that may train: `Is_Healthy` true and `Age` present."""
    healthy = samples["Is_Healthy"].astype(str) == "True"
    chosen = samples[healthy & samples["Age"].notna()]
    if chosen.empty:
        raise HeteroAgeError(
            f"no sample can train: of {len(samples)}, {int(healthy.sum())} are Is_Healthy and "
            f"{int(samples['Age'].notna().sum())} have an Age. Training needs both; check these columns."
        )
    return chosen.reset_index(drop=True)


def assign_groups(samples: pd.DataFrame, duplicates: pd.DataFrame | None = None) -> pd.Series:
    """Group samples that share a `project_id` or a `donor_id`, or are near-identical arrays, transitively.

    samples : frame of `project_id`, `donor_id` (samples without a donor are grouped by project only)
    duplicates : frame of `project_1`, `project_2`, the projects of near-identical arrays
    Returns each sample's group, named after the group's first project_id.
    """
    return _connected(samples, ("project_id", "donor_id"), "project", duplicates).rename("group")


def assign_donors(samples: pd.DataFrame, copies: pd.DataFrame | None = None) -> pd.Series:
    """Connect samples that share a `donor_id` or are near-identical arrays, transitively. They are never separated.

    samples : frame of `sample_id`, `donor_id` (samples without one are donors of their own)
    copies : frame of `sample_1`, `sample_2`, pairs of near-identical arrays
    Returns each sample's donor, named after the donor's first sample_id.
    """
    return _connected(samples, ("donor_id",), "sample", copies).rename("donor")


def _connected(samples: pd.DataFrame, shared: Sequence[str], what: str, pairs: pd.DataFrame | None) -> pd.Series:
    """Connect samples by equal ids in the columns `shared`, and by pairs of `what`; return the first id of each set."""
    names = samples[f"{what}_id"]
    rows = pd.Series(np.arange(len(samples)), samples.index)
    one, other = [rows] * len(shared), [rows.groupby(samples[key]).transform("first").fillna(rows) for key in shared]
    if pairs is not None:
        row_of = rows.groupby(names).first()
        one.append(row_of[pairs[f"{what}_1"]])
        other.append(row_of[pairs[f"{what}_2"]])
    ends = np.concatenate(one).astype(int), np.concatenate(other).astype(int)
    edges = coo_array((np.ones(len(ends[0])), ends), shape=2 * (len(samples),))
    return names.groupby(connected_components(edges, directed=False)[1]).transform("min")


def describe_ties(samples: pd.DataFrame, copies: pd.DataFrame | None = None) -> list[str]:
    """Describe each group of several projects and its reason in one sentence, the largest group first.

    samples : frame of `sample_id`, `project_id`, `donor_id`, `group`
    copies : frame of `sample_1`, `sample_2`, `project_1`, `project_2`, pairs of near-identical arrays
    """
    n_projects = samples["project_id"].nunique()
    members = samples.groupby("group")["project_id"].unique().map(sorted)
    members = members[members.map(len) > 1]
    sentences = []
    for _, projects in sorted(members.items(), key=lambda item: (-len(item[1]), str(item[0]))):
        why = _reasons(samples[samples["project_id"].isin(projects)], copies)
        named = ", ".join(map(str, projects[:FIRST])) + (", ..." if len(projects) > FIRST else "")
        sentences.append(
            f"{len(projects)} of {n_projects} projects are one group: {named}. They are held out together"
            f"{', because ' + why if why else ''}."
        )
    return sentences


def describe_dominance(samples: pd.DataFrame) -> list[str]:
    """Describe a group that makes its fold much larger than the others, in at most one sentence.

    samples : the training samples, with `group` and `fold`
    """
    sizes = samples["group"].value_counts()
    share = sizes.iloc[0] / len(samples)
    times = share * samples["fold"].nunique()
    if share < DOMINATES or times <= LARGEST_FOLD:
        return []
    return [
        f"One group, {sizes.index[0]}, holds {sizes.iloc[0]} of {len(samples)} training samples ({100 * share:.0f}%), "
        f"and its fold is {times:.1f} times as large as the mean. The ages of its samples are predicted by models that "
        f"are trained on the other {100 * (1 - share):.0f}%."
    ]


def _reasons(own: pd.DataFrame, copies: pd.DataFrame | None) -> str:
    """Describe why projects are grouped: donors with samples in several, near-identical arrays in two."""
    parts = []
    donors = own.dropna(subset="donor_id").groupby("donor_id")["project_id"].unique()
    shared = donors[donors.map(len) > 1]
    if n := len(shared):
        parts.append(f"{n} donor{'s have' if n > 1 else ' has'} samples in several ({_pairs_of(shared)})")
    if copies is not None:
        inside = copies["sample_1"].isin(own["sample_id"]) & copies["sample_2"].isin(own["sample_id"])
        pairs = copies[inside & (copies["project_1"] != copies["project_2"])].drop_duplicates(["sample_1", "sample_2"])
        if n := len(pairs):
            named = _pairs_of(pairs[["project_1", "project_2"]].to_numpy())
            parts.append(
                f"{n} pair{'s' if n > 1 else ''} of near-identical arrays {'are' if n > 1 else 'is'} in two ({named})"
            )
    return " and ".join(parts)


def _pairs_of(projects: Iterable[Iterable[str]]) -> str:
    """List the connected projects, the most frequent pairs first."""
    times = Counter(" with ".join(sorted(map(str, tied))) for tied in projects)
    return listed(sorted(times, key=lambda name: (-times[name], name))).partition(": ")[2]


def assign_outer_folds(samples: pd.DataFrame, folds: int | str) -> NDArray[np.int64]:
    """Assign whole groups to outer folds of about equal size, by group sizes and names only.

    Age, tissue, health and methylation have no influence, so a nested run's training set cannot depend on the held-out
    samples. With fewer groups than `folds`, or with "leave_one_group_out", each group is a fold.
    """
    sizes = samples["group"].value_counts()
    folds = len(sizes) if folds == LEAVE_ONE_GROUP_OUT else min(folds, len(sizes))
    order = sorted(sizes.index, key=lambda group: (-sizes[group], group))
    fold_of = dict(zip(order, _largest_first(sizes[order].to_numpy(), max(folds, 1)), strict=True))
    return samples["group"].map(fold_of).to_numpy(np.int64)


def folds_to_leave_out(samples: pd.DataFrame) -> list[int]:
    """Return the outer folds that nested runs leave out: those with a sample to score.

    The list is empty if a nested run would have fewer than three groups for training.

    samples : the samples that may train, with `group` and `outer_fold`
    """
    fold_groups = samples.groupby("outer_fold")["group"].nunique()  # each group is in one outer fold
    left = fold_groups.sum() - fold_groups
    return sorted(fold_groups.index.tolist()) if (left >= MINIMUM_FOLDS).all() else []


def assign_folds(samples: pd.DataFrame, folds: int, seed: int, allow_leave_one_group_out: bool) -> NDArray[np.int64]:
    """Assign whole groups to folds of about equal size and similar tissues.

    Of three groups, each is a fold. Fewer cannot be held out; then donors (column `donor`) are assigned to the folds.
    No fold has more than 1.5 times the mean number of samples, unless one group alone is larger or no fold could be
    smaller. Groups are assigned by decreasing size, each to the smallest fold so far. Then groups are moved and
    exchanged while that makes sizes and tissues more equal.

    Raises HeteroAgeError: four groups or more, but fewer than folds, unless leave-one-group-out is allowed; fewer than
    three donors.
    """
    if samples["group"].nunique() < MINIMUM_FOLDS:
        samples, folds = samples.assign(group=samples["donor"]), min(folds, samples["donor"].nunique())
    groups = sorted(samples["group"].unique())
    if len(groups) < MINIMUM_FOLDS:
        raise HeteroAgeError(
            f"too few donors to hold out, tune and train on different ones: {len(samples)} training samples are of "
            f"{len(groups)} donor{'s' * (len(groups) != 1)}; {MINIMUM_FOLDS} are needed. Add studies, or check "
            "donor_id and which samples are Is_Healthy."
        )
    if len(groups) < folds:
        if not allow_leave_one_group_out and len(groups) > MINIMUM_FOLDS:
            ties = "; ".join(sentence.removesuffix(".") for sentence in describe_ties(samples)[:5])
            raise HeteroAgeError(
                f"fewer groups than folds: {folds} folds, groups {listed(groups)}{f' ({ties})' if ties else ''}. Lower "
                "cross_validation.folds, or set cross_validation.allow_leave_one_group_out: true to hold out one group "
                "at a time."
            )
        folds = len(groups)
    if len(groups) == folds:
        return samples["group"].map({group: k for k, group in enumerate(groups)}).to_numpy(np.int64)
    counts = pd.crosstab(samples["group"], samples["Tissue"])
    sizes = counts.sum(axis=1)
    tie = dict(zip(groups, draws(groups, seed), strict=True))
    order = sorted(groups, key=lambda group: (-sizes[group], tie[group]))
    dealt = _even_out(counts.loc[order].to_numpy(float), _largest_first(sizes[order].to_numpy(), folds), folds)
    return samples["group"].map(dict(zip(order, dealt, strict=True))).to_numpy(np.int64)


def describe_few_groups(samples: pd.DataFrame) -> list[str]:
    """Describe, for fewer than four groups, which results cannot be measured. Empty for more groups.

    samples : the training samples, with `group` and `fold`
    """
    groups = sorted(samples["group"].unique())
    if len(groups) > MINIMUM_FOLDS:
        return []
    if len(groups) == MINIMUM_FOLDS:
        return [
            "The studies are three groups. Each was held out once, in the folds that also tuned the models, so the "
            "errors out of fold are probably too small. Nested runs, which measure the error on a new study, take four "
            "groups, and boosting rounds five: HeteroAge is the anchor."
        ]
    which = "one group" if len(groups) == 1 else "two groups"
    return [
        f"The studies are {which} ({', '.join(groups)}), so that no study could be held out: the error on a new study "
        "was NOT measured. The folds hold out donors of the same studies, to tune the models. Expect larger errors on "
        "a new study than those out of fold, by an unknown amount.",
        "There are no prediction intervals, no boosting rounds (HeteroAge is the anchor), no offset for other cohorts "
        "and no nested error: each needs more groups. The skill of hallmarks is not tested on another study.",
    ]


def hold_out_donors(samples: pd.DataFrame) -> bool:
    """Tell whether folds hold out donors instead of groups, so that a group has samples in several folds."""
    return bool(samples.groupby("group")["fold"].nunique().max() > 1)


def _largest_first(sizes: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """Assign each group, in order of decreasing size, to the smallest fold so far (Graham 1969)."""
    filled, fold = np.zeros(folds), np.empty(len(sizes), np.int64)
    for k, size in enumerate(sizes):
        fold[k] = filled.argmin()
        filled[fold[k]] += size
    return fold


def _even_out(counts: NDArray[np.float64], fold: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """Move a group or exchange two groups, best change first, while the folds become more similar.

    The objective is the weighted sum of squared differences from equal folds, over fold sizes and tissue counts.

    counts : (groups, tissues), numbers of samples
    fold : fold of each group; no fold is empty or becomes empty
    """
    sizes = counts.sum(axis=1)
    weight = np.append(counts.sum(axis=0) / sizes.sum(), SIZE_WEIGHT)
    counts = np.column_stack([counts, sizes])
    scaled = counts / (counts.sum(axis=0) / folds) * np.sqrt(weight)
    fold, inside = fold.copy(), np.eye(folds)[fold]
    filled = inside.T @ sizes
    limit = max(LARGEST_FOLD * sizes.sum() / folds, filled.max())
    own, rows = (scaled**2).sum(axis=1), np.arange(len(fold))
    products = scaled @ scaled.T if len(fold) <= SWAPPED else None
    for _ in range(10 * len(fold)):
        toward = scaled @ (inside.T @ scaled).T  # (groups, folds)
        gain = toward - toward[rows, fold][:, None]
        moved = own[:, None] + gain
        moved[(filled + sizes[:, None] > limit) | (inside.sum(axis=0)[fold] == 1)[:, None] | (inside == 1)] = np.inf
        changes = [(moved.min(), np.unravel_index(moved.argmin(), moved.shape), False)]
        if products is not None:
            across = gain[:, fold]  # of the row's group, to the fold of the column's
            swapped = own[:, None] + own - 2 * products + across + across.T
            larger = filled[fold] + sizes[:, None] - sizes  # the column's fold, after the exchange
            swapped[(larger > limit) | (limit < larger.T) | (fold[:, None] == fold)] = np.inf
            changes.append((swapped.min(), np.unravel_index(swapped.argmin(), swapped.shape), True))
        change, (one, other), exchanged = min(changes, key=lambda found: found[0])
        if change > -1e-9:
            break
        if exchanged:
            fold[one], fold[other] = fold[other], fold[one]
        else:
            fold[one] = other
        inside = np.eye(folds)[fold]
        filled = inside.T @ sizes
    return fold


def draws(names: Iterable[str], seed: int) -> list[int]:
    """Return a pseudo-random number for each name that depends only on the name and the seed: 64 bits of SHA-256."""
    return [int.from_bytes(hashlib.sha256(f"{seed}:{s}".encode()).digest()[:8], "big") for s in names]
