"""Imputation and standardisation are scikit-learn's, and each feature's are its own."""

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler

from heteroage.engine.standardise import Standardiser


@pytest.fixture(scope="module", name="X")
def matrix():
    """20 features x 41 samples with gaps; one feature is constant, one never measured."""
    rng = np.random.default_rng(1)
    values = rng.random((20, 41)).astype(np.float32)
    values[rng.random(values.shape) < 0.1] = np.nan
    values[4], values[7] = 0.3, np.nan
    return values


def test_statistics_and_values_are_scikit_learns(X):
    ours = Standardiser.fit(X)
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    scaler = StandardScaler()
    expected = scaler.fit_transform(imputer.fit_transform(X.T.astype(np.float64)))
    np.testing.assert_array_equal(ours.median, imputer.statistics_)
    # 1e-12: sums of 41 numbers near 1 in another order.
    np.testing.assert_allclose(ours.mean, scaler.mean_, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours.scale, scaler.scale_, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours.apply(X), expected.T, rtol=0, atol=1e-11)


def test_new_samples_are_imputed_and_scaled_by_the_training_samples(X):
    training, new = X[:, :30], X[:, 30:]
    ours = Standardiser.fit(training)
    together = ours.apply(X)
    np.testing.assert_array_equal(ours.apply(new), together[:, 30:])
    for k in range(11):
        np.testing.assert_array_equal(ours.apply(new[:, [k]]), together[:, [30 + k]])
    gaps = np.isnan(new) & ~np.isnan(training).all(axis=1)[:, None]
    filled = (ours.median - ours.mean) / ours.scale
    np.testing.assert_array_equal(ours.apply(new)[gaps], np.broadcast_to(filled[:, None], new.shape)[gaps])


def test_constant_and_unmeasured_features_are_zero(X):
    Z = Standardiser.fit(X).apply(X)
    # 1e-12: the mean of 41 equal numbers is rounded.
    np.testing.assert_allclose(Z[[4, 7]], 0.0, atol=1e-12)
    assert Standardiser.fit(X).scale[[4, 7]].tolist() == [1.0, 1.0]


def test_the_data_are_left_as_they_are(X):
    before = X.copy()
    Standardiser.fit(X).apply(X)
    np.testing.assert_array_equal(X, before)


def test_the_statistics_of_a_feature_do_not_depend_on_the_others(X):
    assert Standardiser.fit(X[:4]).apply(X[:4]).tobytes() == Standardiser.fit(X).apply(X)[:4].tobytes()
