"""Samples that lie far out of their tissue."""

import numpy as np
import pandas as pd
import pytest
from tissue_cohort import tissue_cohort

from heteroage.checks.outliers import FAR, find_outliers, robust_distances


@pytest.fixture
def cohort():
    return tissue_cohort()


def outliers_of(store, names, samples):
    return find_outliers(store, names, samples, {"beta": np.ones(len(samples), bool)})


def test_nobody_lies_far_out(cohort):
    table = outliers_of(*cohort)
    assert not table["Outlier"].any()
    assert len(table) == 90
    # Of a tissue with few samples nothing is said.
    assert table.set_index("sample_id")["Outlier_Score"].isna().to_dict() == {f"s{k:02d}": k >= 86 for k in range(90)}


def test_one_who_lies_far_out_is_found_first(cohort):
    store, _, _ = cohort
    store[:, 33] += np.random.default_rng(0).normal(0, 0.5, 300).astype(np.float32)
    table = outliers_of(*cohort)
    assert table["sample_id"][0] == "s33"
    assert list(table["Outlier"]) == [True] + [False] * 89
    assert table["Outlier_Score"][0] >= FAR
    assert abs(table[table["Farthest_PC"][0]][0]) == table[table["Farthest_PC"][0]].abs().max()


def test_a_sample_of_another_tissue_than_its_label_lies_far_out(cohort):
    cohort[2].loc[60, "Tissue"] = "Blood"
    assert list(outliers_of(*cohort).query("Outlier")["sample_id"]) == ["s60"]


def test_scores_are_those_of_the_tissue():
    rng = np.random.default_rng(0)
    pcs = rng.normal(0, 1, (40, 2)) + np.repeat([[0, 0], [50, 0]], 20, axis=0)
    tissue = pd.Series(["a"] * 20 + ["b"] * 20)
    distance = robust_distances(pcs, tissue)
    own = pcs[20:]
    spread = 1.4826 * np.median(np.abs(own - np.median(own, axis=0)), axis=0)
    np.testing.assert_allclose(distance[20:], np.abs(own - np.median(own, axis=0)) / spread)
    assert distance.max() < 6
    assert robust_distances(np.ones((12, 2)), pd.Series(["a"] * 12)).max() == 0


def test_modalities_without_features_to_compare_are_left_out(cohort):
    _, names, samples = cohort
    assert outliers_of(np.full((300, 90), 0.5, np.float32), names, samples).empty
