"""Who trains, and the balancing of tissues: nothing depends on the order of rows."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_cohort import cohort

from heteroage.errors import HeteroAgeError
from heteroage.grouping.folds import draws
from heteroage.stages.sampling import (
    balanced_rows,
    training_samples,
)

BALANCING = {"min_cohorts": 1, "min_cap": 1, "max_cap": 10_000, "median_mult": 100.0}


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
