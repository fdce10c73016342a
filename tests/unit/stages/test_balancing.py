"""The balancing of tissues: nothing depends on the order of rows."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from study_cohort import cohort

from heteroage.errors import HeteroAgeError
from heteroage.stages.training_data import balancing_weights

BALANCING = {"min_cohorts": 1, "min_cap": 1, "max_cap": 10_000, "median_mult": 100.0}


def plain_balancing(samples, rows, balancing):
    """The definition, sample by sample: {row: weight}."""
    table = samples.iloc[rows]
    tissues = [
        t
        for t in set(table["Tissue"])
        if table[table["Tissue"] == t]["project_id"].nunique() >= balancing["min_cohorts"]
    ]
    counts = {t: int((table["Tissue"] == t).sum()) for t in tissues}
    cap = np.median(list(counts.values())) * balancing["median_mult"] if counts else 0
    cap = min(max(cap, balancing["min_cap"]), balancing["max_cap"])
    tissue_of = samples["Tissue"].tolist()
    kept = [row for row in sorted(rows) if tissue_of[row] in counts]
    return {row: min(1.0, cap / counts[tissue_of[row]]) for row in kept}


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
    rows = np.random.default_rng(cohort_seed).permutation(np.flatnonzero(samples["project_id"] != "p05"))
    balancing = {
        "min_cohorts": min_cohorts,
        "min_cap": min_cap,
        "max_cap": min_cap + more,
        "median_mult": median_mult,
    }
    expected = plain_balancing(samples, rows, balancing)
    if len(expected) < 10:
        with pytest.raises(HeteroAgeError, match=re.escape(f"leaves {len(expected)} of {len(rows)} samples")):
            balancing_weights(samples, rows, balancing)
    else:
        chosen, weight = balancing_weights(samples, rows, balancing)
        assert dict(zip(chosen.tolist(), weight.tolist(), strict=True)) == expected


def test_no_sample_is_left_out_by_chance():
    samples = cohort()
    rows, weight = balancing_weights(samples, np.arange(20, 90), BALANCING | {"max_cap": 9})
    assert rows.tolist() == list(range(20, 90))
    tissue = samples["Tissue"].to_numpy()[rows]
    # A tissue that is weighted down counts as much as its cap; 1e-9: a sum of rounded weights.
    for name in set(tissue):
        assert weight[tissue == name].sum() == pytest.approx(min(9, (tissue == name).sum()), rel=1e-9)


def test_balancing_does_not_depend_on_the_order_of_rows():
    samples = cohort()
    balancing = BALANCING | {"max_cap": 11}
    order = np.random.default_rng(5).permutation(len(samples))
    shuffled = samples.iloc[order].reset_index(drop=True)
    found = []
    for table in (samples, shuffled):
        rows, weight = balancing_weights(table, np.arange(len(table)), balancing)
        found.append(dict(zip(table["sample_id"].iloc[rows], weight, strict=True)))
    assert found[0] == found[1]


def test_balancing_that_leaves_too_few():
    samples = cohort()
    with pytest.raises(
        HeteroAgeError, match=r"leaves 0 of 120 samples to train on \(at least 10 are needed; tissues by"
    ):
        balancing_weights(samples, np.arange(120), BALANCING | {"min_cohorts": 50})
