"""Context PCs: learnt from training samples alone, without ages, and computed sample by sample."""

import inspect
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer

from heteroage.errors import HeteroAgeError
from heteroage.stages.context import compute_loadings, principal_components, project, read_pcs

NAMES = [f"cg{k:08d}_beta" for k in range(40)]


@pytest.fixture(scope="module")
def store():
    rng = np.random.default_rng(1)
    values = 0.5 + rng.normal(0, 1, (40, 3)) @ rng.normal(0, 0.05, (3, 50)) + rng.normal(0, 0.02, (40, 50))
    values[rng.random(values.shape) < 0.05] = np.nan
    return values.astype(np.float32)


TRAINING = np.arange(5, 45)


def frame(store, columns):
    return pd.DataFrame(store[:, columns].T.astype(np.float64), columns=NAMES, index=[f"s{k}" for k in columns])


def test_samples_outside_training_change_no_byte(store):
    one = compute_loadings(store, NAMES, TRAINING, 4, 25)
    other = store.copy()
    outside = np.setdiff1d(np.arange(50), TRAINING)
    other[:, outside] = np.random.default_rng(9).uniform(-100, 100, (40, len(outside)))
    other[3:9, outside] = np.nan
    two = compute_loadings(other, NAMES, TRAINING, 4, 25)
    assert one.to_csv().encode() == two.to_csv().encode()
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_ages_are_no_argument():
    assert list(inspect.signature(compute_loadings).parameters) == [
        "store",
        "feature_names",
        "columns",
        "n_pcs",
        "n_cpgs",
    ]


def test_the_most_variable_features_are_chosen(store):
    loadings = compute_loadings(store, NAMES, TRAINING, 4, 12)
    variance = frame(store, TRAINING).var(ddof=0)
    assert loadings["feature"].tolist() == variance.sort_values(ascending=False).index[:12].tolist()
    np.testing.assert_allclose(
        loadings["median"], frame(store, TRAINING)[loadings["feature"]].median(), rtol=1e-7
    )  # 1e-7: the store is float32


def test_features_of_equal_variance_are_in_the_order_of_their_names(store):
    equal = np.tile(store[:1], (6, 1))
    names = ["f", "b", "d", "a", "c", "e"]
    assert compute_loadings(equal, names, TRAINING, 1, 3)["feature"].tolist() == ["a", "b", "c"]


def test_projection_of_training_samples_is_scikit_learns(store):
    loadings = compute_loadings(store, NAMES, TRAINING, 4, 25)
    training = frame(store, TRAINING)
    chosen = SimpleImputer(strategy="median").fit_transform(training[loadings["feature"]])
    scores = PCA(4, svd_solver="full").fit_transform(chosen)
    # 1e-12: sums of 25 terms of size 0.1, in another order.
    np.testing.assert_allclose(project(loadings, training), scores, rtol=0, atol=1e-12)


def test_one_sample_has_the_same_bits_alone_and_among_others(store):
    loadings = compute_loadings(store, NAMES, TRAINING, 4, 25)
    everyone = frame(store, np.arange(50))
    pcs = project(loadings, everyone)
    for sample in everyone.index:
        alone = project(loadings, everyone.loc[[sample]])
        np.testing.assert_array_equal(alone.to_numpy(), pcs.loc[[sample]].to_numpy())


def test_order_of_columns_does_not_matter_and_absent_ones_take_the_median(store):
    loadings = compute_loadings(store, NAMES, TRAINING, 4, 25)
    everyone = frame(store, np.arange(50))
    gone = loadings["feature"].tolist()[3]
    filled = everyone.assign(**{gone: loadings["median"][3]})
    expected = project(loadings, filled)
    pd.testing.assert_frame_equal(project(loadings, everyone.drop(columns=gone)), expected, check_exact=True)
    pd.testing.assert_frame_equal(project(loadings, everyone.assign(**{gone: np.nan})), expected, check_exact=True)
    reversed_columns = filled[filled.columns[::-1]]
    pd.testing.assert_frame_equal(project(loadings, reversed_columns), expected, check_exact=True)


def test_no_more_components_than_the_data_have(store):
    loadings = compute_loadings(store, NAMES, np.array([1, 2, 3]), 10, 25)
    assert [c for c in loadings.columns if c.startswith("RF_PC")] == ["RF_PC1", "RF_PC2"]


def test_a_feature_that_no_training_sample_has_is_no_obstacle(store):
    gappy = store.copy()
    gappy[7, TRAINING] = np.nan
    loadings = compute_loadings(gappy, NAMES, TRAINING, 3, 1000)
    assert np.isfinite(loadings.drop(columns="feature").to_numpy()).all()
    assert np.isfinite(project(loadings, frame(gappy, np.arange(50))).to_numpy()).all()


# PCs from a file


def pc_table():
    ids = ["b", "a", "c"]
    return pd.DataFrame({"sample_id": ids, "RF_PC2": [4.0, 3.0, 5.0], "RF_PC10": 1.0, "RF_PC1": 0.0, "Age": 40})


def test_pcs_come_in_the_order_of_the_samples():
    pcs = read_pcs(pc_table(), ["a", "b"], "pcs.csv")
    assert list(pcs.columns) == ["sample_id", "RF_PC1", "RF_PC2", "RF_PC10"]
    assert pcs["RF_PC2"].tolist() == [3.0, 4.0]


def test_no_pc_column():
    table = pc_table()[["sample_id", "Age"]]
    text = "pcs.csv has no RF_PC column (it has 2: sample_id, Age). Name them RF_PC1, RF_PC2, ..., or set"
    with pytest.raises(HeteroAgeError, match=re.escape(text)):
        read_pcs(table, ["a"], "pcs.csv")


def test_training_samples_without_pcs():
    text = "pcs.csv has no RF_PCs of training samples (7: u, v, w, x, y, ...). Add their RF_PCs."
    with pytest.raises(HeteroAgeError, match=re.escape(text)):
        read_pcs(pc_table(), ["a", *"yxwvuzz"[:6], "zz"], "pcs.csv")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_missing_values(value):
    table = pc_table()
    table.loc[0, "RF_PC2"] = value
    with pytest.raises(HeteroAgeError, match=re.escape("has training samples with missing RF_PCs (1: b). Complete")):
        read_pcs(table, ["a", "b"], "pcs.csv")
    assert len(read_pcs(table, ["a", "c"], "pcs.csv")) == 2  # only training samples need them


def test_duplicate_samples_and_text_in_the_pc_file():
    with pytest.raises(HeteroAgeError, match=re.escape("pcs.csv has duplicate sample_ids (1: a)")):
        read_pcs(pd.concat([pc_table(), pc_table().iloc[[1]]]), ["a"], "pcs.csv")
    table = pc_table().astype({"RF_PC1": object})
    table.loc[2, "RF_PC1"] = "x"
    with pytest.raises(HeteroAgeError, match=re.escape("column RF_PC1 of pcs.csv has text in place of numbers")):
        read_pcs(table, ["a"], "pcs.csv")


@pytest.mark.parametrize(("samples", "features"), [(30, 90), (90, 30)])
def test_components_are_scikit_learns(samples, features):
    values = np.random.default_rng(0).normal(3, 1, (samples, features))
    peer = PCA(4, svd_solver="full")
    expected = peer.fit_transform(values)
    components, loadings, mean = principal_components(values, 4)
    np.testing.assert_array_equal(loadings, peer.components_)
    np.testing.assert_array_equal(mean, peer.mean_)
    np.testing.assert_array_equal(components, expected)
