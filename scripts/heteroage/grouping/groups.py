"""Groups: samples that are held out together, and the reasons why studies are grouped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from heteroage.errors import FIRST, listed

LARGEST_FOLD = 1.5  # largest fold, relative to the mean number of samples, unless one group alone is larger
DOMINATES = 0.25  # fraction of the samples from which such a larger group is reported


def assign_groups(samples: pd.DataFrame, duplicates: pd.DataFrame | None = None) -> pd.Series:
    """Group samples that share a `project_id` or a `donor_id`, or are near-identical arrays, transitively.

    Parameters
    ----------
    samples : frame of `project_id`, `donor_id` (samples without a donor are grouped by project only)
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


def assign_donors(samples: pd.DataFrame, copies: pd.DataFrame | None = None) -> pd.Series:
    """Tie samples that share a `donor_id` or are near-identical arrays, transitively: the least that must not be split.

    Parameters
    ----------
    samples : frame of `sample_id`, `donor_id` (samples without one are donors of their own)
    copies : frame of `sample_1`, `sample_2`, pairs of near-identical arrays

    Returns
    -------
    each sample's donor, named after the donor's first sample_id
    """
    alone = "\n" + samples["sample_id"]  # no donor's name
    donor, donors = pd.factorize(samples["donor_id"].where(samples["donor_id"].notna(), alone))
    donor_of = pd.Series(donor, samples["sample_id"])
    one, other = ([], []) if copies is None else (donor_of[copies[name]] for name in ("sample_1", "sample_2"))
    edges = coo_array((np.ones(len(one)), (np.asarray(one, int), np.asarray(other, int))), shape=2 * (len(donors),))
    _, component = connected_components(edges, directed=False)
    return samples["sample_id"].groupby(component[donor]).transform("min").rename("donor")


def describe_ties(samples: pd.DataFrame, copies: pd.DataFrame | None = None) -> list[str]:
    """Describe each group of several projects and its reason in one sentence, the largest group first.

    Parameters
    ----------
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
    """Report a group that makes its fold much larger than the others; returns at most one sentence.

    Parameters
    ----------
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
