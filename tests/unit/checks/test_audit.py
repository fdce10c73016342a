"""The audit's tables, against counts done the plain way."""

import numpy as np
import pandas as pd
import pytest

from heteroage import matrix
from heteroage.checks.audit import (
    count_hallmarks,
    count_outside,
    count_overlap,
    missing_by_cpg,
    missing_by_sample,
    scan_store,
)
from heteroage.checks.samples import ages_by_project, associations, correlation_ratio, cramers_v, cross_table


@pytest.fixture
def data():
    """30 beta and 20 chalm features (10 CpGs in both) x 12 samples; chalm of the first 8, beta of all but the last."""
    rng = np.random.default_rng(0)
    names = sorted([f"cg{k:08d}_beta" for k in range(30)] + [f"cg{k:08d}_chalm" for k in range(20, 40)])
    is_beta = np.array([name.endswith("_beta") for name in names])
    store = rng.random((50, 12)).astype(np.float32)
    store[rng.random(store.shape) < 0.1] = np.nan
    store[is_beta, 11] = np.nan
    store[np.ix_(~is_beta, range(8, 12))] = np.nan
    store[0, 3], store[0, 4], store[1, 3] = -0.5, 1.5, 3.0  # of beta
    samples = pd.DataFrame(
        {"sample_id": [f"s{k:02d}" for k in range(12)], "project_id": [f"p{k % 3}" for k in range(12)]}
    )
    return store, names, samples, is_beta


@pytest.fixture
def scan(data, monkeypatch):
    monkeypatch.setattr(matrix, "FEATURES_PER_BLOCK", 7)
    return scan_store(*data[:2])


def test_overlap_counts_each_sample_and_each_cpg_once(data, scan):
    table = count_overlap(scan, data[1])
    assert table.set_index("modalities").to_dict("index") == {
        "beta": {"n_samples": 3, "n_cpgs": 20},
        "chalm": {"n_samples": 0, "n_cpgs": 10},
        "beta+chalm": {"n_samples": 8, "n_cpgs": 10},
        "none": {"n_samples": 1, "n_cpgs": 0},
    }


def test_missing_by_sample(data, scan):
    store, _, samples, is_beta = data
    table = missing_by_sample(scan, samples)
    assert len(table) == 11 + 8
    for modality, own in (("beta", is_beta), ("chalm", ~is_beta)):
        part = table[table["modality"] == modality]
        expected = pd.Series(np.isnan(store[own]).mean(axis=0), index=samples["sample_id"])
        np.testing.assert_allclose(part["missing_fraction"], expected[part["sample_id"]], atol=1e-6)
        assert part["missing_fraction"].is_monotonic_decreasing


def test_missing_by_cpg_looks_at_samples_that_have_the_modality(data, scan):
    store, _, _, is_beta = data
    table = missing_by_cpg(scan)
    fraction = np.isnan(store[~is_beta][:, :8]).mean(axis=1)
    part = table[table["modality"] == "chalm"].set_index("missing_fraction")["n_features"]
    assert part["none"] == (fraction == 0).sum() > 0
    assert part["up to 0.2"] == ((fraction > 0.1) & (fraction <= 0.2)).sum() > 0
    assert part.sum() == 20
    assert table[table["modality"] == "beta"]["n_features"].sum() == 30


def test_features_that_nobody_has_are_told_from_those_that_somebody_has():
    store = np.full((3, 400), 0.5, np.float32)
    store[1, 1:], store[2] = np.nan, np.nan
    table = missing_by_cpg(scan_store(store, [f"cg{k:08d}_beta" for k in range(3)]))
    assert table[table["n_features"] > 0].to_numpy().tolist() == [
        ["beta", "none", 1],
        ["beta", "below 1", 1],
        ["beta", "all", 1],
    ]


def test_values_outside_0_1(data, scan):
    store, names, samples, is_beta = data
    beta, chalm = count_outside(scan, names, samples).to_dict("records")
    assert (beta["n_outside"], beta["n_samples_outside"], beta["n_features_outside"]) == (3, 2, 2)
    assert (beta["lowest"], beta["highest"]) == (-0.5, 3.0)
    assert beta["samples_outside"] == "2: s03, s04"
    assert beta["features_outside"] == f"2: {names[0]}, {names[1]}"
    assert beta["n_values"] == np.isfinite(store[is_beta]).sum()
    assert (chalm["n_outside"], chalm["samples_outside"]) == (0, "")


def test_hallmarks_before_and_after_matching():
    dictionary = {"One": ["cg1", "cg2", "cg3"], "Two": ["cg9"]}
    matched = {"One": ["cg1_beta", "cg1_chalm", "cg2_beta"], "Two": []}
    table = count_hallmarks(dictionary, matched, None)
    assert table.to_numpy().tolist() == [["One", 3, 2, 3], ["Two", 1, 0, 0]]
    sizes = pd.DataFrame({"hallmark": ["One", "Two"], "genes": [5, 4], "genes_matched": [3, 1]})
    assert count_hallmarks(dictionary, matched, sizes).to_numpy().tolist() == [
        ["One", 5, 3, 3, 2, 3],
        ["Two", 4, 1, 1, 0, 0],
    ]


@pytest.fixture
def people():
    return pd.DataFrame(
        {
            "project_id": ["a"] * 4 + ["b"] * 4,
            "group": ["a"] * 8,
            "Tissue": ["Blood", "Blood", "Skin", "Skin"] + ["Blood"] * 4,
            "Sex": ["F", "M"] * 4,
            "Age": [10, 30, 31, np.nan, 60, 61, 62, 63],
            "trains": [True, True, False, False] + [True] * 4,
        }
    )


def test_every_sample_is_in_one_cell(people):
    table = cross_table(people)
    assert (table["n"].sum(), table["n_training"].sum()) == (8, 6)
    assert table.set_index(["project_id", "Tissue", "Age_Band"])["n"].to_dict() == {
        ("a", "Blood", "0-19"): 1, ("a", "Blood", "20-39"): 1, ("a", "Skin", "20-39"): 1, ("a", "Skin", "unknown"): 1,
        ("b", "Blood", "60-79"): 4,
    }  # fmt: skip


def test_ages_by_project(people):
    table = ages_by_project(people).set_index("project_id")
    assert list(table.index) == ["b", "a"]
    assert table.loc["a"].to_list() == [4, 3, 2, 10, 20, 30, 30.5, 31]


def test_a_platform_is_part_of_the_map_where_it_is_known(people):
    assert "Platform" not in cross_table(people)
    known = people.assign(Platform=["450K"] * 4 + ["EPIC"] * 4)
    assert cross_table(known).groupby("Platform")["n"].sum().to_dict() == {"450K": 4, "EPIC": 4}
    value = associations(known).set_index(["first", "second"])["value"]
    assert value["project_id", "Platform"] == 1
    assert value["Platform", "Age"] == value["project_id", "Age"]


def test_measures_of_association(people):
    table = associations(people).set_index(["first", "second"])["value"]
    assert table["project_id", "Sex"] == 0
    aged = people.dropna(subset="Age")
    between = aged.groupby("project_id")["Age"].transform("mean")
    assert table["project_id", "Age"] == pytest.approx(between.var() / aged["Age"].var(), abs=1e-4)
    same = pd.Series(["x", "y", "z", "x"])
    assert cramers_v(same, same.map({"x": 1, "y": 2, "z": 3})) == pytest.approx(1)
    assert np.isnan(cramers_v(same, pd.Series(["one"] * 4)))
    assert correlation_ratio(same, pd.Series([1.0, 2, 3, 1])) == pytest.approx(1)
    assert np.isnan(correlation_ratio(same, pd.Series([5.0] * 4)))
    # Cramér's V of a 2 x 2 table is |phi|, the correlation of the indicators.
    a, b = pd.Series([0, 0, 1, 1, 1, 0]), pd.Series([0, 1, 1, 1, 0, 0])
    assert cramers_v(a, b) == pytest.approx(abs(a.corr(b)))
