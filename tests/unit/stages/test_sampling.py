"""Groups, folds and balancing: what is tied stays together, and nothing depends on the order of rows."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heteroage.errors import HeteroAgeError
from heteroage.stages.sampling import (
    assign_folds,
    assign_groups,
    assign_outer_folds,
    balanced_rows,
    draws,
    folds_to_leave_out,
    training_samples,
)

TIES = st.lists(st.tuples(st.integers(0, 7), st.one_of(st.none(), st.integers(0, 9))), min_size=1, max_size=25)
BALANCING = {"min_cohorts": 1, "min_cap": 1, "max_cap": 10_000, "median_mult": 100.0}


def cohort(n=120, n_projects=12, seed=1):
    rng = np.random.default_rng(seed)
    project = rng.integers(n_projects, size=n)
    return pd.DataFrame(
        {
            "sample_id": sorted(f"s{k:04d}" for k in rng.permutation(n)),
            "project_id": [f"p{k:02d}" for k in project],
            "donor_id": [f"d{k}" for k in rng.integers(10 * n, size=n)],
            "group": [f"p{k:02d}" for k in project],
            "Tissue": rng.choice(["Blood", "Blood", "Blood", "Skin", "Liver"], n),
            "Sex": rng.choice(["F", "M"], n),
            "Age": rng.uniform(0, 90, n),
            "Is_Healthy": rng.random(n) < 0.8,
        }
    )


def naive_groups(projects, donors):
    """Join sets of samples until none share a project or a donor."""
    sets = [{k} for k in range(len(projects))]
    joined = True
    while joined:
        joined = False
        for a in range(len(sets)):
            for b in range(a + 1, len(sets)):
                same_project = {projects[k] for k in sets[a]} & {projects[k] for k in sets[b]}
                same_donor = ({donors[k] for k in sets[a]} & {donors[k] for k in sets[b]}) - {None}
                if same_project or same_donor:
                    sets[a] |= sets.pop(b)
                    joined = True
                    break
            if joined:
                break
    names = {}
    for members in sets:
        names |= dict.fromkeys(members, min(projects[k] for k in members))
    return [names[k] for k in range(len(projects))]


# Groups


@given(TIES)
def test_groups_are_the_transitive_closure_of_project_and_donor(ties):
    projects = [f"p{p}" for p, _ in ties]
    donors = [None if d is None else f"d{d}" for _, d in ties]
    samples = pd.DataFrame({"project_id": projects, "donor_id": pd.Series(donors, dtype=object)})
    assert assign_groups(samples).tolist() == naive_groups(projects, donors)


@given(TIES, st.randoms(use_true_random=False))
def test_groups_do_not_depend_on_the_order_of_rows(ties, random):
    samples = pd.DataFrame({"project_id": [f"p{p}" for p, _ in ties], "donor_id": [d for _, d in ties]})
    order = random.sample(range(len(ties)), len(ties))
    assert assign_groups(samples.iloc[order]).tolist() == assign_groups(samples).iloc[order].tolist()


def test_groups_chain_through_donors():
    samples = pd.DataFrame({"project_id": ["c", "b", "b", "a", "x"], "donor_id": ["d1", "d1", "d2", "d2", None]})
    assert assign_groups(samples).tolist() == ["a", "a", "a", "a", "x"]


def test_unknown_donors_tie_nothing():
    samples = pd.DataFrame({"project_id": ["a", "b"], "donor_id": pd.Series([None, None], dtype=object)})
    assert assign_groups(samples).tolist() == ["a", "b"]


# Outer folds


def test_outer_folds_hold_groups_whole_and_are_all_used():
    samples = cohort()
    fold = assign_outer_folds(samples, 5)
    assert sorted(set(fold)) == [0, 1, 2, 3, 4]
    assert (pd.Series(fold).groupby(samples["group"]).nunique() == 1).all()


def test_outer_folds_depend_on_ids_and_groups_alone():
    samples = cohort()
    rng = np.random.default_rng(3)
    fold = assign_outer_folds(samples, 5)
    other = samples.assign(
        Tissue=rng.choice(["a", "b", "c"], len(samples)),
        Age=rng.uniform(0, 90, len(samples)),
        Sex="unknown",
        Is_Healthy=False,
        donor_id=None,
    )
    assert assign_outer_folds(other, 5).tolist() == fold.tolist()
    order = rng.permutation(len(samples))
    assert assign_outer_folds(samples.iloc[order], 5).tolist() == fold[order].tolist()


def test_each_group_is_an_outer_fold_where_there_are_fewer():
    samples = cohort(n=60, n_projects=4)
    fold = assign_outer_folds(samples, 10)
    assert len(set(fold)) == 4
    assert (pd.Series(fold).groupby(samples["group"]).nunique() == 1).all()
    assert set(assign_outer_folds(samples.assign(group="one"), 10)) == {0}


@pytest.mark.parametrize(
    ("groups", "outer_folds", "left_out"), [(3, 5, 0), (4, 5, 4), (4, 2, 0), (6, 2, 2), (12, 5, 5)]
)
def test_nested_runs_need_three_groups_beside_the_outer_fold(groups, outer_folds, left_out):
    samples = cohort(n=60, n_projects=groups)
    samples["outer_fold"] = assign_outer_folds(samples, outer_folds)
    assert folds_to_leave_out(samples) == list(range(left_out))


def test_an_outer_fold_with_nothing_to_score_is_not_left_out():
    samples = cohort(n=60, n_projects=5)
    samples["outer_fold"] = assign_outer_folds(samples, 5)
    assert folds_to_leave_out(samples[samples["outer_fold"] != 3]) == [0, 1, 2, 4]


# Folds


@pytest.mark.parametrize("folds", [3, 5, 12])
def test_no_group_is_in_two_folds(folds):
    samples = cohort()
    fold = assign_folds(samples, folds, 1, False)
    assert sorted(set(fold)) == list(range(folds))
    assert (pd.Series(fold).groupby(samples["group"]).nunique() == 1).all()


@given(st.integers(0, 10_000), st.integers(3, 6), st.integers(0, 50))
def test_no_group_is_in_two_folds_whatever_the_cohorts(cohort_seed, folds, seed):
    samples = cohort(n=50, n_projects=9, seed=cohort_seed)
    fold = assign_folds(samples, folds, seed, True)
    assert (pd.Series(fold).groupby(samples["group"]).nunique() == 1).all()
    assert sorted(set(fold)) == list(range(fold.max() + 1))


@pytest.mark.parametrize("folds", [4, 12])
def test_folds_do_not_depend_on_the_order_of_rows(folds):
    samples = cohort()
    fold = assign_folds(samples, folds, 7, False)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(samples))
        shuffled = samples.iloc[order].reset_index(drop=bool(seed % 2))
        assert assign_folds(shuffled, folds, 7, False).tolist() == fold[order].tolist()


def test_folds_depend_on_no_age():
    samples = cohort()
    fold = assign_folds(samples, 4, 7, False)
    assert assign_folds(samples.assign(Age=samples["Age"].to_numpy()[::-1]), 4, 7, False).tolist() == fold.tolist()


def test_fewer_groups_than_folds():
    samples = cohort(n=40, n_projects=4)
    text = "fewer groups than folds: 5 folds, groups 4: p00, p01, p02, p03. Lower cross_validation.folds, or set"
    with pytest.raises(HeteroAgeError, match=re.escape(text)):
        assign_folds(samples, 5, 1, False)
    fold = assign_folds(samples, 5, 1, True)
    assert pd.Series(fold).groupby(samples["group"]).agg(["nunique", "first"]).to_numpy().tolist() == [
        [1, 0],
        [1, 1],
        [1, 2],
        [1, 3],
    ]


def test_too_few_groups_even_for_leave_one_group_out():
    samples = cohort(n=40, n_projects=2)
    text = "tune and train on different ones: 40 training samples are of groups 2: p00, p01; 3 are needed"
    for allowed in (True, False):
        with pytest.raises(HeteroAgeError, match=re.escape(text)):
            assign_folds(samples, 5, 1, allowed)


def test_tissues_rarer_than_folds_are_no_obstacle():
    samples = cohort(n=30, n_projects=10)
    samples["Tissue"] = [f"tissue_{k % 10}" for k in range(30)]  # three samples of each
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fold = assign_folds(samples, 5, 1, False)
    assert (pd.Series(fold).groupby(samples["group"]).nunique() == 1).all()


# Who may train


def test_healthy_samples_with_an_age_train():
    samples = pd.DataFrame(
        {
            "sample_id": list("abcdef"),
            "Is_Healthy": [True, False, None, True, "True", np.True_],
            "Age": [1.0, 2.0, 3.0, np.nan, 5.0, 6.0],
        }
    )
    assert training_samples(samples)["sample_id"].tolist() == ["a", "e", "f"]


def test_no_healthy_samples():
    samples = cohort(n=20).assign(Is_Healthy=False)
    samples.loc[:4, "Age"] = np.nan
    text = "no sample can train: of 20, 0 are Is_Healthy and 15 have an Age. Training needs both"
    with pytest.raises(HeteroAgeError, match=re.escape(text)):
        training_samples(samples)


# Balancing


def plain_balancing(samples, rows, balancing, seed):
    """The definition, tissue by tissue."""
    table = samples.iloc[rows]
    tissues = [
        t
        for t in set(table["Tissue"])
        if table[table["Tissue"] == t]["project_id"].nunique() >= balancing["min_cohorts"]
    ]
    counts = {t: int((table["Tissue"] == t).sum()) for t in tissues}
    cap = np.median(list(counts.values())) * balancing["median_mult"]
    cap = int(min(max(cap, balancing["min_cap"]), balancing["max_cap"]))
    kept = []
    for tissue in tissues:
        members = [row for row in rows if samples["Tissue"].iloc[row] == tissue]
        members.sort(key=lambda row: draws([samples["sample_id"].iloc[row]], seed)[0])
        kept += members[:cap]
    return sorted(kept)


@given(
    st.integers(0, 1000),
    st.integers(1, 4),
    st.integers(1, 30),
    st.integers(1, 40),
    st.sampled_from([0.5, 1.0, 1.5, 3.0]),
)
def test_balancing_by_definition(cohort_seed, min_cohorts, min_cap, more, median_mult):
    samples = cohort(n=80, n_projects=6, seed=cohort_seed)
    samples.loc[samples["project_id"].isin(["p00", "p01"]) & (samples["Tissue"] == "Liver"), "Tissue"] = "Heart"
    rows = np.flatnonzero(samples["project_id"] != "p05")
    balancing = {
        "min_cohorts": min_cohorts,
        "min_cap": min_cap,
        "max_cap": min_cap + more,
        "median_mult": median_mult,
    }
    expected = plain_balancing(samples, rows, balancing, 3)
    if len(expected) < 10:
        with pytest.raises(HeteroAgeError, match=re.escape(f"leaves {len(expected)} of {len(rows)} samples")):
            balanced_rows(samples, rows, balancing, 3)
    else:
        assert balanced_rows(samples, rows, balancing, 3).tolist() == expected


def test_balancing_takes_only_from_the_rows_given():
    samples = cohort()
    rows = np.arange(20, 90)
    assert set(balanced_rows(samples, rows, BALANCING, 1)) == set(rows)
    caps = BALANCING | {"max_cap": 9}
    assert set(balanced_rows(samples, rows, caps, 1)) <= set(rows)


def test_balancing_does_not_depend_on_the_order_of_rows():
    samples = cohort()
    balancing = BALANCING | {"max_cap": 11}
    drawn = set(samples["sample_id"].iloc[balanced_rows(samples, np.arange(100), balancing, 1)])
    order = np.random.default_rng(5).permutation(len(samples))
    shuffled = samples.iloc[order].reset_index(drop=True)
    rows = np.flatnonzero(np.isin(order, np.arange(100)))
    assert set(shuffled["sample_id"].iloc[balanced_rows(shuffled, rows, balancing, 1)]) == drawn


def test_balancing_of_a_tissue_does_not_depend_on_the_samples_of_others():
    samples = cohort()
    balancing = BALANCING | {"max_cap": 11}
    rows = balanced_rows(samples, np.arange(len(samples)), balancing, 1)
    blood = {
        s for s, t in zip(samples["sample_id"].iloc[rows], samples["Tissue"].iloc[rows], strict=True) if t == "Blood"
    }
    alone = samples[samples["Tissue"] == "Blood"].reset_index(drop=True)
    assert set(alone["sample_id"].iloc[balanced_rows(alone, np.arange(len(alone)), balancing, 1)]) == blood


def test_a_larger_cap_only_adds_samples():
    samples = cohort()
    drawn = [set(balanced_rows(samples, np.arange(120), BALANCING | {"max_cap": cap}, 1)) for cap in (5, 10, 20)]
    assert drawn[0] < drawn[1] < drawn[2]


def test_another_seed_draws_others():
    samples, balancing = cohort(), BALANCING | {"max_cap": 11}
    one, two = (set(balanced_rows(samples, np.arange(120), balancing, seed)) for seed in (1, 2))
    assert len(one) == len(two)
    assert one != two


def test_balancing_that_leaves_too_few():
    samples = cohort()
    balancing = BALANCING | {"min_cohorts": 50}
    with pytest.raises(
        HeteroAgeError, match=r"leaves 0 of 120 samples to train on \(at least 10 are needed; tissues by"
    ):
        balanced_rows(samples, np.arange(120), balancing, 1)
    balancing = BALANCING | {"max_cap": 3}
    with pytest.raises(HeteroAgeError, match=r"leaves 9 of 120 samples.*Lower min_cohorts or raise the caps"):
        balanced_rows(samples, np.arange(120), balancing, 1)


def test_leave_one_group_out_makes_each_group_an_outer_fold():
    table = pd.DataFrame({"sample_id": [f"s{k:02d}" for k in range(40)], "group": [f"g{k % 7}" for k in range(40)]})
    table["Tissue"] = "Blood"
    fold = assign_outer_folds(table, "leave_one_group_out")
    assert len(set(fold)) == 7
    assert (table.assign(fold=fold).groupby("fold")["group"].nunique() == 1).all()
