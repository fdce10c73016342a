"""Groups and folds: what is tied stays together, folds are about equal, and nothing depends on the order of rows."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_cohort import cohort

from heteroage.errors import HeteroAgeError
from heteroage.grouping.folds import (
    assign_donors,
    assign_folds,
    assign_groups,
    assign_outer_folds,
    describe_dominance,
    describe_few_groups,
    describe_ties,
    folds_to_leave_out,
    hold_out_donors,
)

TIES = st.lists(st.tuples(st.integers(0, 7), st.one_of(st.none(), st.integers(0, 9))), min_size=1, max_size=25)


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


def test_leave_one_group_out_makes_each_group_an_outer_fold():
    table = pd.DataFrame({"sample_id": [f"s{k:02d}" for k in range(40)], "group": [f"g{k % 7}" for k in range(40)]})
    table["Tissue"] = "Blood"
    fold = assign_outer_folds(table, "leave_one_group_out")
    assert len(set(fold)) == 7
    assert (table.assign(fold=fold).groupby("fold")["group"].nunique() == 1).all()


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


@pytest.mark.parametrize("allowed", [True, False])
def test_three_groups_are_a_fold_each_whatever_the_config_asks_for(allowed):
    samples = cohort(n=40, n_projects=3)
    fold = pd.Series(assign_folds(samples, 5, 1, allowed))
    assert fold.groupby(samples["group"]).unique().map(list).tolist() == [[0], [1], [2]]
    said = describe_few_groups(samples.assign(fold=fold))
    assert (len(said), "The studies are three groups." in said[0]) == (1, True)


@pytest.mark.parametrize("n_projects", [1, 2])
def test_fewer_groups_are_dealt_by_donor(n_projects):
    samples = cohort(n=60, n_projects=n_projects)
    samples["donor_id"] = [f"d{k // 3}" if k < 30 else None for k in range(60)]
    samples["donor"] = assign_donors(samples)
    fold = pd.Series(assign_folds(samples, 5, 1, False))
    assert fold.nunique() == 5
    assert (fold.groupby(samples["donor"]).nunique() == 1).all()
    assert (fold.groupby(samples["group"]).nunique() == 5).all()
    order = np.random.default_rng(1).permutation(60)
    again = assign_folds(samples.iloc[order].reset_index(drop=True), 5, 1, False)
    assert again.tolist() == fold.iloc[order].tolist()
    dealt = samples.assign(fold=fold)
    assert hold_out_donors(dealt)
    assert "the error on a new study was NOT measured" in describe_few_groups(dealt)[0]


def test_too_few_donors_are_refused():
    samples = cohort(n=40, n_projects=2).assign(donor_id=["d1", "d2"] * 20)
    samples["donor"] = assign_donors(samples)
    text = "too few donors to hold out, tune and train on different ones: 40 training samples are of 2 donors; 3 are"
    with pytest.raises(HeteroAgeError, match=re.escape(text)):
        assign_folds(samples, 5, 1, True)


def test_four_groups_leave_nothing_to_say():
    samples = cohort(n=40, n_projects=4)
    dealt = samples.assign(fold=assign_folds(samples, 4, 1, False))
    assert describe_few_groups(dealt) == []
    assert not hold_out_donors(dealt)


def test_donors_are_tied_by_name_and_by_near_identical_arrays():
    samples = pd.DataFrame({"sample_id": list("abcdef"), "donor_id": ["x", "y", "x", None, None, "b"]})
    copies = pd.DataFrame({"sample_1": ["b"], "sample_2": ["d"]})
    assert assign_donors(samples).tolist() == ["a", "b", "a", "d", "e", "f"]
    assert assign_donors(samples, copies).tolist() == ["a", "b", "a", "b", "e", "f"]


def test_tissues_rarer_than_folds_are_no_obstacle():
    samples = cohort(n=30, n_projects=10)
    samples["Tissue"] = [f"tissue_{k % 10}" for k in range(30)]  # three samples of each
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fold = assign_folds(samples, 5, 1, False)
    assert (pd.Series(fold).groupby(samples["group"]).nunique() == 1).all()


@given(st.integers(0, 10_000), st.integers(3, 6), st.integers(15, 40))
def test_no_fold_is_much_larger_than_the_mean(seed, folds, n_groups):
    rng = np.random.default_rng(seed)
    sizes = rng.lognormal(3, 1.2, n_groups).astype(int) + 1
    samples = groups_of(sizes, rng.integers(4, size=n_groups))
    filled = np.bincount(assign_folds(samples, folds, 42, True))
    assert len(filled) == folds
    assert filled.max() <= max(1.5 * filled.mean(), sizes.max())


def test_folds_are_even_beside_a_group_that_dominates():
    filled = np.bincount(assign_folds(groups_of([591, 60, 50, 40, 30, 20, 10, 8, 3]), 5, 42, True))
    assert sorted(filled)[-1] == 591
    assert max(filled[filled < 591]) <= 1.3 * min(filled)


def test_tissues_are_spread_over_folds():
    sizes = [40, 40, 40, 20, 20, 20, 20, 20, 20]
    samples = groups_of(sizes, [0, 0, 0, 0, 0, 0, 1, 1, 1])
    counts = pd.crosstab(assign_folds(samples, 3, 42, False), samples["Tissue"])
    assert counts.to_numpy().tolist() == [[60, 20]] * 3


def groups_of(sizes, tissue=None):
    """Samples of groups of these sizes, each of one tissue."""
    tissue = np.zeros(len(sizes), int) if tissue is None else np.asarray(tissue)
    group = np.repeat([f"g{k:02d}" for k in range(len(sizes))], sizes)
    return pd.DataFrame(
        {
            "sample_id": [f"s{k:05d}" for k in range(len(group))],
            "project_id": group,
            "donor_id": None,
            "group": group,
            "Tissue": np.repeat([f"tissue_{k}" for k in tissue], sizes),
        }
    )


# What is said of them


def test_ties_are_told_with_counts_and_reasons():
    samples = pd.DataFrame(
        {
            "sample_id": ["q", "r", "s", "u", "t", "v", "w"],
            "project_id": ["a", "a", "b", "b", "c", "d", "e"],
            "donor_id": ["d1", "d2", "d1", "d2", "d3", None, None],
        }
    )
    copies = pd.DataFrame(
        {"sample_1": ["s", "s"], "sample_2": ["t", "t"], "project_1": ["b", "b"], "project_2": ["c", "c"]}
    )
    samples["group"] = assign_groups(samples, copies)
    assert describe_ties(samples, copies) == [
        "3 of 5 projects are one group: a, b, c. They are held out together, because 2 donors have samples in several "
        "(a with b) and 1 pair of near-identical arrays is in two (b with c)."
    ]
    samples["group"] = samples["project_id"]
    assert describe_ties(samples) == []


def test_a_group_that_dominates_is_told():
    samples = groups_of([60, 20, 10, 10])
    samples["fold"] = assign_folds(samples, 3, 42, False)
    assert describe_dominance(samples) == [
        "One group, g00, holds 60 of 100 training samples (60%), and its fold is 1.8 times as large as the mean. The "
        "ages of its samples are predicted by models that are trained on the other 40%."
    ]
    samples = groups_of([40, 30, 30])
    assert describe_dominance(samples.assign(fold=assign_folds(samples, 3, 42, False))) == []
