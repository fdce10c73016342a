"""Sample weights and technical noise: cases that equal simpler problems, and scikit-learn's own weighted fit."""

import numpy as np
import pytest
from elastic_net_problems import ALPHAS, as_array, problem
from sklearn.linear_model import ElasticNet
from sklearn.preprocessing import StandardScaler

from heteroage.engine import feature_pass
from heteroage.engine.elastic_net import fit_paths
from heteroage.engine.training_set import TrainingSet
from heteroage.stages.deployable import fit_pipeline

# The engine's weights are those of float32 products, at optimality conditions within 1e-4 of l1.
CLOSE = 1e-3
EXACT = {"tol": 1e-13, "max_iter": 200_000}
CASES = ["plain", "correlated", "low_variance", "constant", "missing"]


@pytest.fixture(params=["simple", "compiled"], autouse=True)
def products(request, monkeypatch):
    monkeypatch.setattr(feature_pass, "LARGE", 0 if request.param == "compiled" else 1 << 40)


def weighted(X, y):
    """Two thirds of the samples, with weights of every size."""
    rng = np.random.default_rng(8)
    rows = np.sort(rng.choice(len(y), 2 * len(y) // 3, replace=False))
    return TrainingSet(rows, y[rows], rng.uniform(0.05, 3, len(rows)))


def filled(X, rows):
    """Training samples (samples x features) with missing values at the unweighted median."""
    values = X[:, rows].astype(np.float64)
    present = ~np.isnan(values)
    median = np.array([np.median(v[p]) if p.any() else 0.0 for v, p in zip(values, present, strict=True)])
    return np.where(present, values, median[:, None]).T


def solutions(paths):
    return paths.coef.data.tobytes(), paths.coef.indices.tobytes(), paths.used.tobytes(), paths.intercept


@pytest.mark.parametrize("name", CASES)
def test_weighted_paths_are_scikit_learns_weighted_fit(name):
    X, y = problem(name)
    own = weighted(X, y)
    values = filled(X, own.rows)
    Z = StandardScaler().fit(values, sample_weight=own.weight).transform(values)
    found = as_array(fit_paths(X, [own], [0.2, 0.8], ALPHAS)[0], len(X))
    for j, l1_ratio in enumerate((0.2, 0.8)):
        for i in (3, 8):
            net = ElasticNet(alpha=ALPHAS[i], l1_ratio=l1_ratio, **EXACT).fit(Z, own.y, sample_weight=own.weight)
            np.testing.assert_allclose(found[j, i], net.coef_, atol=CLOSE * np.abs(net.coef_).max())
            assert net.coef_.any()


def test_equal_weights_are_no_weights():
    X, y = problem("missing")
    rows = np.arange(10, 80)
    plain, equal = fit_paths(
        X, [TrainingSet(rows, y[rows]), TrainingSet(rows, y[rows], np.full(70, 0.3))], [0.5], ALPHAS
    )
    assert solutions(plain) == solutions(equal)


def test_a_sample_of_weight_2_is_a_sample_twice():
    X, y = problem("plain")
    twice = np.arange(0, 90, 3)
    weight = np.ones(90)
    weight[twice] = 2
    doubled, y_doubled = np.concatenate([X, X[:, twice]], axis=1), np.concatenate([y, y[twice]])
    weighed = fit_paths(X, [TrainingSet(np.arange(90), y, weight)], [0.3], ALPHAS)[0]
    repeated = fit_paths(doubled, [TrainingSet(np.arange(120), y_doubled)], [0.3], ALPHAS)[0]
    expected = as_array(repeated, len(X))
    np.testing.assert_allclose(as_array(weighed, len(X)), expected, atol=CLOSE * np.abs(expected).max())
    assert weighed.intercept == pytest.approx(repeated.intercept, rel=1e-12)


def test_a_sample_of_weight_0_is_absent():
    X, y = problem("missing")
    rows, weight = np.arange(90), np.linspace(0.5, 2, 90)
    weight[::4] = 0
    X[:, ::4] = 77  # would be seen in any mean or median
    kept = weight > 0
    zero, absent = (
        fit_paths(X, [own], [0.5], ALPHAS)[0]
        for own in (TrainingSet(rows, y, weight), TrainingSet(rows[kept], y[kept], weight[kept]))
    )
    assert solutions(zero) == solutions(absent)


def test_weights_count_by_their_ratios_alone():
    X, y = problem("plain")
    own = weighted(X, y)
    other = TrainingSet(own.rows, own.y, 4 * own.weight)  # a power of two: no rounding
    assert solutions(fit_paths(X, [own], [0.5], ALPHAS)[0]) == solutions(fit_paths(X, [other], [0.5], ALPHAS)[0])


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("weights", [False, True])
def test_technical_noise_is_a_row_per_feature_added_to_the_data(weights, threads):
    """In scikit-learn: rows sqrt(n) tau / s_j on the diagonal with target 0; n + p rows share the alpha of n."""
    X, y = problem("scales")
    own = weighted(X, y) if weights else TrainingSet(np.arange(90), y)
    noisy = np.arange(len(X)) % 3 > 0
    tau = 0.04
    values = filled(X, own.rows)
    scaler = StandardScaler().fit(values, sample_weight=own.weight)
    root = np.ones(len(own.rows)) if own.weight is None else np.sqrt(own.weight / own.weight.mean())
    Z, target = scaler.transform(values) * root[:, None], (own.y - np.average(own.y, weights=own.weight)) * root
    n, p = Z.shape
    rows = np.diag(np.where(noisy, np.sqrt(n) * tau / scaler.scale_, 0.0))
    Z, target = np.vstack([Z, rows]), np.concatenate([target, np.zeros(p)])
    paths = fit_paths(X, [own], [0.3], ALPHAS, [0.0, tau], noisy, threads=threads)[0]
    for i in (3, 8):
        net = ElasticNet(alpha=ALPHAS[i] * n / (n + p), l1_ratio=0.3, fit_intercept=False, **EXACT).fit(Z, target)
        found, without = np.zeros(p), np.zeros(p)
        for w, t in ((without, 0), (found, 1)):
            features, at = paths.coefficients(t, 0, i)
            w[features] = at
        np.testing.assert_allclose(found, net.coef_, atol=CLOSE * np.abs(net.coef_).max())
        assert np.abs(found - without).max() > 0.1 * np.abs(found).max()  # the noise matters here


@pytest.mark.parametrize("technical_sd", [0.0, 0.02])
@pytest.mark.parametrize("transform", [True, False])
def test_the_pipeline_has_the_exact_weights(transform, technical_sd):
    X, y = problem("plain")
    age = 40 + 10 * (y - y.mean()) / y.std()
    own = weighted(X, age)
    names = [f"f{k}_beta" for k in range(len(X) - 2)] + ["RF_PC1", "RF_PC2"]
    alpha, l1_ratio = (0.02, 0.4) if transform else (0.4, 0.4)
    configuration = {"alpha": alpha, "l1_ratio": l1_ratio, "technical_sd": technical_sd}
    pipeline = fit_pipeline(X, names, own, configuration, transform)
    net = pipeline[-1].regressor_ if transform else pipeline[-1]
    found = np.zeros(len(X))
    found[[names.index(name) for name in pipeline.feature_names_in_]] = net.coef_
    values = filled(X, own.rows)
    scaler = StandardScaler().fit(values, sample_weight=own.weight)
    Z, v = scaler.transform(values), own.weight / own.weight.sum()
    target = pipeline[-1].func(own.y) if transform else own.y
    centre = np.average(target, weights=v)
    noise = np.where([name.startswith("RF_PC") for name in names], 0, technical_sd / scaler.scale_) ** 2
    condition = Z.T @ (v * (target - centre - Z @ found)) - (alpha * (1 - l1_ratio) + noise) * found
    bound = alpha * l1_ratio
    # The exact optimum: float64 rounding, on all features.
    assert np.abs(condition - bound * np.sign(found))[found != 0].max(initial=0) <= 1e-8 * bound
    assert np.abs(condition)[found == 0].max(initial=0) <= bound * (1 + 1e-8)
    assert net.intercept_ == pytest.approx(centre if transform else 0.0, rel=1e-9)
