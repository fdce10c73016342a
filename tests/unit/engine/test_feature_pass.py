"""A pass gives each feature's statistics and correlations as their definition does, in any blocks and threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from elastic_net_problems import PROBLEMS, problem, reference_matrix

from heteroage.engine import feature_pass, residual_products, simple_products, training_sums
from heteroage.engine.feature_pass import FeaturePass, products_for
from heteroage.engine.standardise import Standardiser
from heteroage.engine.training_set import TrainingSet


def sets_of(n, rng):
    rows = [np.arange(n), np.sort(rng.choice(n, n // 2, replace=False))]
    targets = [rng.normal(size=len(own)) for own in rows]
    return rows, [y - y.mean() for y in targets]


def opened(X, rows, targets, mapper=map):
    return FeaturePass(X, [TrainingSet(*own) for own in zip(rows, targets, strict=True)], mapper)


def residuals_of(rows, n, rng):
    """Two paths of each set; a residual is centred, and 0 outside of its set."""
    set_of = np.array([0, 0, 1, 1])
    residuals = np.zeros((4, n), np.float32)
    for residual, s in zip(residuals, set_of, strict=True):
        own = rng.normal(size=len(rows[s]))
        residual[rows[s]] = own - own.mean()
    return residuals, set_of


@pytest.fixture(params=["simple", "compiled"])
def products(request, monkeypatch):
    monkeypatch.setattr(feature_pass, "LARGE", 0 if request.param == "compiled" else 1 << 40)


@pytest.mark.usefixtures("products")
@pytest.mark.parametrize("name", PROBLEMS)
def test_statistics_and_correlations_are_those_of_the_standardised_matrix(name):
    X, _ = problem(name)
    n, rng = X.shape[1], np.random.default_rng(1)
    rows, targets = sets_of(n, rng)
    found = opened(X, rows, targets)
    residuals, set_of = residuals_of(rows, n, rng)
    above = found.above(residuals, set_of, np.zeros(4, np.float32))
    for s, (own, y) in enumerate(zip(rows, targets, strict=True)):
        present = ~np.isnan(X[:, own]).all(axis=1)
        np.testing.assert_array_equal(
            found.median[s][found.missing & present], medians(X[:, own])[found.missing & present]
        )
        # Sums of squares are those of two passes but for the digits that a deviation small beside its mean loses.
        exact = Standardiser.fit(X[:, own])
        varies = ~exact.constant
        np.testing.assert_allclose(found.mean[s], exact.mean, rtol=1e-12, atol=1e-12 * np.nanmax(np.abs(X)))
        np.testing.assert_allclose(found.scale[s][varies], exact.scale[varies], rtol=1e-15 / feature_pass.LOST_DIGITS)
        Z = reference_matrix(X, own)
        constant = ~Z.any(axis=0) | (np.abs(Z).max(axis=0) < 1e-6)
        # Single precision: X has 24 bits, of which a deviation small beside its mean keeps few.
        tolerance = lost(X, own)
        assert (np.abs(found.first[s] - np.where(constant, 0, Z.T @ y / len(own))) <= tolerance * y.std()).all()
        for k in np.flatnonzero(set_of == s):
            features, c = above[k]
            assert features.tolist() == list(range(len(X)))
            expected = np.where(constant, 0, Z.T @ residuals[k, own].astype(float) / len(own))
            assert (np.abs(c - expected) <= tolerance * residuals[k, own].std()).all()


def medians(X):
    with np.errstate(all="ignore"):
        return np.array([np.median(row[~np.isnan(row)]) if (~np.isnan(row)).any() else 0 for row in X.astype(float)])


def lost(X, rows):
    """What rounding to single precision may move a correlation of each feature by, in standard deviations."""
    X = X[:, rows].astype(float)
    with np.errstate(all="ignore"):
        size = np.array([np.abs(row[~np.isnan(row)]).max() if (~np.isnan(row)).any() else 0 for row in X])
        scale = np.array([row[~np.isnan(row)].std() if (~np.isnan(row)).any() else 1 for row in X])
    ratio = np.where(scale > 0, size / np.where(scale > 0, scale, 1), 1)
    return 8 * np.finfo(np.float32).eps * (1 + np.minimum(ratio, 1e4))


@pytest.mark.usefixtures("products")
def test_blocks_and_threads_change_no_byte(monkeypatch):
    X, _ = problem("missing")
    rng = np.random.default_rng(1)
    rows, targets = sets_of(X.shape[1], rng)
    residuals, set_of = residuals_of(rows, X.shape[1], rng)
    results = []
    with ThreadPoolExecutor(2) as pool:
        for block, mapper in ((7, map), (7, pool.map), (2048, map)):
            monkeypatch.setattr(feature_pass, "FEATURES_PER_TASK", block)
            found = opened(X, rows, targets, mapper)
            above = found.above(residuals, set_of, np.full(4, 0.1, np.float32))
            statistics = [found.median, found._inverse, found.first]
            results.append([array.tobytes() for array in [*statistics, *(a for pair in above for a in pair)]])
    assert results[0] == results[1]
    if feature_pass.LARGE == 0:  # NumPy's products of a block round a feature by its place in the block
        assert results[0][3:] == results[2][3:]


def test_a_pass_for_some_training_sets_has_their_statistics():
    X, _ = problem("missing")
    rng = np.random.default_rng(1)
    rows, targets = sets_of(X.shape[1], rng)
    both = opened(X, rows, targets)
    second = both.only([TrainingSet(rows[1], targets[1])], map)
    assert both.only([TrainingSet(rows[1], targets[1] + 1)], map) is None
    residuals = rng.normal(size=(1, X.shape[1])).astype(np.float32)
    own, of_both = (
        one.above(residuals, np.array([place]), np.zeros(1, np.float32))[0]
        for one, place in ((second, 0), (both.only(both.sets, map), 1))
    )
    for name in ("median", "first", "_inverse"):
        np.testing.assert_array_equal(getattr(second, name), getattr(both, name)[1:])
    for one, other in zip(own, of_both, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_deviation_small_beside_its_mean_is_computed_anew():
    """The difference of squares has no digit left of it."""
    rng = np.random.default_rng(1)
    X = (0.97 + 1e-6 * rng.integers(-3, 4, (20, 60))).astype(np.float32)
    X[4] = 0.3
    rows = [np.arange(60), np.arange(40)]
    found = opened(X, rows, [np.zeros(60), np.zeros(40)])
    for s, own in enumerate(rows):
        deviation = X[:, own].astype(float).std(axis=1)
        expected = np.where(np.arange(20) == 4, 0, 1 / np.maximum(len(own) * deviation, 1e-300))
        # It is stored in single precision.
        np.testing.assert_allclose(found._inverse[s], expected, rtol=2 * np.finfo(np.float32).eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
def test_standardised_rows_are_those_of_the_standardiser(weighted, dtype):
    X, _ = problem("missing")
    rows = np.arange(0, X.shape[1], 2)
    weight = np.linspace(0.5, 1.5, len(rows)) if weighted else None
    own = TrainingSet(rows, np.zeros(len(rows)), weight).normalised()
    found, features = FeaturePass(X, [own], map), np.array([0, 3, *range(5, len(X))])
    Z = found.standardised(0, features, dtype)
    assert Z.dtype == dtype
    median, mean, scale = found.of(0, features)
    expected = own.scaled(Standardiser(median, mean, scale, scale == 0).apply(X[features][:, rows]))
    # A rounding of the value, the mean, the scale, the root and each of their products, at most, at |x| + |mean|.
    size = np.abs(np.nan_to_num(X[features])).max(axis=1) + np.abs(mean)
    assert (np.abs(Z - expected) <= 8 * np.finfo(dtype).eps * (size / scale)[:, None] * 1.3).all()


def test_compiled_code_is_chosen_by_the_size_of_the_matrix_alone(monkeypatch):
    monkeypatch.setattr(feature_pass, "LARGE", 1000)
    for n, of_residuals, others in ((9, simple_products, simple_products), (10, residual_products, training_sums)):
        residuals, *sums = products_for(np.zeros((n, 100), np.float32))
        assert residuals.func is of_residuals.Residuals
        assert sums == [others.training_sums, others.medians]
