"""The sums behind a training set's statistics, compiled and simple, against exact ones."""

import math

import numpy as np
import pytest

from heteroage.engine import simple_products, training_sums

SETS, FEATURES, SAMPLES = 3, 9, 203


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(FEATURES, SAMPLES)).astype(np.float32)
    X[::2][rng.random(X[::2].shape) < 0.2] = np.nan
    X[4] = np.nan
    member = (rng.random((SETS, SAMPLES)) < 0.7).astype(float)
    return X, np.concatenate([member, member * rng.normal(size=(SETS, SAMPLES))])


@pytest.mark.parametrize("module", [training_sums, simple_products], ids=["compiled", "simple"])
def test_sums_are_exact_to_rounding(problem, module):
    X, columns = problem
    sums, squares, absent, missing = module.training_sums(X, columns)
    known = np.where(np.isnan(X), 0, X).astype(float)
    kinds = ((columns, known, sums), (columns[:SETS], known**2, squares), (columns, np.isnan(X).astype(float), absent))
    for weights, powers, found in kinds:
        terms = weights[:, None] * powers
        exact = np.array([[math.fsum(feature) for feature in of_set] for of_set in terms])
        # A sum of n terms in any order is off by at most n roundings of their sizes' sum.
        bound = SAMPLES * np.finfo(float).eps * np.abs(terms).sum(axis=2)
        assert (np.abs(found - exact) <= bound).all()
    assert missing.tolist() == np.isnan(X).any(axis=1).tolist()


def test_compiled_sums_of_a_feature_depend_on_no_other(problem):
    X, columns = problem
    whole = training_sums.training_sums(X, columns)
    alone = [training_sums.training_sums(X[k : k + 1], columns) for k in range(FEATURES)]
    for k in range(3):
        assert whole[k].tobytes() == np.concatenate([found[k] for found in alone], axis=1).tobytes()


def test_compiled_medians_are_those_of_numpy(problem):
    X, columns = problem
    X = np.repeat(X, 20, axis=0)
    X[1::3] = X[1::3].round(1)  # ties, and zeros of both signs
    X[2, 1:], X[3, :-1] = np.nan, -np.nan  # one value left
    members = columns[:SETS] != 0
    expected = [
        [np.median(row[own & ~np.isnan(row)]) if (own & ~np.isnan(row)).any() else 0 for row in X.astype(float)]
        for own in members
    ]
    for module in (training_sums, simple_products):
        np.testing.assert_array_equal(module.medians(X, members), expected)
