"""The correlations, compiled and simple, against NumPy's product in double precision: their definition."""

import numpy as np
import pytest

from heteroage.engine import residual_products, simple_products

COMPILED, SIMPLE = residual_products.Residuals, lambda X, r: simple_products.Residuals(simple_products.Complete(X), r)
Residuals = COMPILED  # a fixture puts the simple ones in its place
SETS = 3
SAMPLES = {"few": 5, "one stretch": 700, "a whole stretch": 1024, "two stretches": 1100}


def problem(samples, features=31, paths=13):
    rng = np.random.default_rng(samples)
    X = rng.normal(size=(features, samples)).astype(np.float32)
    X[::3][rng.random(X[::3].shape) < 0.2] = np.nan
    X[6] = np.nan
    set_of = np.sort(rng.integers(SETS, size=paths))
    residuals = rng.normal(size=(paths, samples)).astype(np.float32)
    # Training sets leave whole stretches of samples out, and single ones.
    residuals[set_of == 1, : samples // 2] = 0
    residuals[:, rng.random(samples) < 0.1] = 0
    median, inverse = rng.normal(size=(2, SETS, features)).astype(np.float32)
    return X, residuals, set_of, median, inverse


@pytest.fixture(autouse=True, params=[COMPILED, SIMPLE], ids=["compiled", "simple"])
def products(request, monkeypatch):
    monkeypatch.setattr(f"{__name__}.Residuals", request.param)


def above(X, residuals, set_of, median, inverse, threshold=0.0, start=0):
    """All that reaches the threshold, as {(path, feature): correlation}."""
    thresholds = np.full(len(residuals), threshold, np.float32)
    part, missing = slice(start, len(X)), np.isnan(X).any(axis=1)
    found = Residuals(X, residuals).above(part, missing, set_of, median, inverse, thresholds)
    return {
        (k, j): c for k, (at, values) in enumerate(found) for j, c in zip(at.tolist(), values.tolist(), strict=True)
    }


@pytest.mark.parametrize("samples", SAMPLES.values(), ids=SAMPLES)
def test_correlations_are_numpys(samples):
    X, residuals, set_of, median, inverse = problem(samples)
    absent = np.isnan(X)
    parts = [residuals.astype(float) @ np.where(absent, 0, X).T.astype(float), residuals.astype(float) @ absent.T]
    expected = (parts[0] + median[set_of] * parts[1]) * inverse[set_of]
    # Sums of up to 1,100 products of size 1 in single precision, by eights: a few dozen roundings at their size.
    tolerance = (
        30 * np.finfo(np.float32).eps * np.sqrt(samples) * np.abs(inverse[set_of]) * (1 + np.abs(median[set_of]))
    )
    found = above(X, residuals, set_of, median, inverse)
    assert list(found) == [(k, j) for k in range(len(residuals)) for j in range(len(X))]
    assert (np.abs(np.reshape(list(found.values()), expected.shape) - expected) <= tolerance).all()


@pytest.mark.parametrize("samples", SAMPLES.values(), ids=SAMPLES)
def test_bytes_do_not_depend_on_other_paths(samples):
    X, residuals, set_of, median, inverse = problem(samples)
    whole = above(X, residuals, set_of, median, inverse)
    rng = np.random.default_rng(1)
    for n_paths, n_features in [(1, 1), (2, 3), (5, 30), (6, 13), (12, 24), (13, 31)]:
        paths, features = rng.permutation(len(residuals))[:n_paths], rng.permutation(len(X))[:n_features]
        if Residuals is SIMPLE:  # a product of the matrix as it is: a feature's bytes may depend on its place in it
            features, n_features = np.arange(len(X)), len(X)
        part = above(X[features], residuals[paths], set_of[paths], median[:, features], inverse[:, features])
        assert len(part) == n_paths * n_features
        for (k, j), value in part.items():
            assert value == whole[paths[k], features[j]]


@pytest.mark.parametrize(
    "stored", [np.asfortranarray, lambda X: np.repeat(X, 2, axis=1)[:, ::2], lambda X: X[::-1][::-1]]
)
def test_rows_may_be_stored_in_any_way(stored):
    # The products read memory by address.
    X, *others = problem(70)
    assert above(stored(X), *others) == above(X, *others)


def test_only_what_reaches_the_threshold_is_returned():
    X, residuals, set_of, median, inverse = problem(64)
    whole = above(X, residuals, set_of, median, inverse)
    threshold = np.float32(np.median(np.abs(list(whole.values()))))
    expected = {key: value for key, value in whole.items() if abs(value) >= threshold}
    assert 0 < len(expected) < len(whole)
    assert above(X, residuals, set_of, median, inverse, threshold) == expected
    assert above(X, residuals, set_of, median, inverse, np.inf) == {}


def test_a_block_finds_its_statistics_among_all_features():
    X, residuals, set_of, median, inverse = problem(64)
    whole = above(X, residuals, set_of, median, inverse)
    later = above(X, residuals, set_of, median, inverse, start=9)
    expected = {(k, j): value for (k, j), value in whole.items() if j >= 9}
    if Residuals is COMPILED:
        assert later == expected
    # The simple products may round by the place in a block: a rounding of each of 64 products, of size 1 on average.
    rounding = 64 * np.finfo(np.float32).eps * np.abs(inverse).max() * (1 + np.abs(median).max())
    assert list(later) == list(expected)
    np.testing.assert_allclose(list(later.values()), list(expected.values()), rtol=0, atol=rounding)
