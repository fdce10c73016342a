"""The elastic-net paths against their definition: scikit-learn on the standardised float64 matrix."""

import sys

import numpy as np
import pytest
from elastic_net_problems import ALPHAS, PROBLEMS, as_array, dense, objective, problem, reference_matrix, training_sets
from sklearn.linear_model import ElasticNet

from heteroage.age import transform_age
from heteroage.engine import feature_pass
from heteroage.engine.active_set import MANY
from heteroage.engine.elastic_net import fit_paths
from heteroage.engine.training_set import TrainingSet
from heteroage.stages.deployable import fit_pipeline

# The objective's optimum is flat: 1e-6 of it is far below what any score can see, and 10 times what float32
# products leave.
OBJECTIVE = 1e-6
# Of alpha l1, on the optimality conditions: the engine lets features in above 1e-4; float32 sums blur that a little.
KKT = 2e-4
# What float32 sums leave in a correlation whatever the bound, in standard deviations of y.
NOISE = 5e-7


@pytest.mark.parametrize("l1_ratios", [(0.5,), (0.01, 1.0), (0.1, 0.9)])
@pytest.mark.parametrize("name", PROBLEMS)
def test_paths_reach_the_optimum(name, l1_ratios):
    X, y = problem(name)
    sets = training_sets(X, y, np.random.default_rng(1))
    for paths, training in zip(fit_paths(X, sets, l1_ratios, ALPHAS), sets, strict=True):
        Z = reference_matrix(X, training.rows)
        for j, l1_ratio in enumerate(l1_ratios):
            for i, alpha in enumerate(ALPHAS):
                w = dense(paths, j, i, len(X))
                c = Z.T @ (training.y - training.y.mean() - Z @ w) / len(training.y)
                bound, noise = alpha * l1_ratio, NOISE * training.y.std()
                # Every feature, not only those the engine looked at.
                inactive = w == 0
                assert np.abs(c[inactive]).max(initial=0) <= bound * (1 + KKT) + noise
                condition = c - alpha * (1 - l1_ratio) * w - bound * np.sign(w)
                assert np.abs(condition[~inactive]).max(initial=0) <= bound * KKT + noise
                if i in (0, 4, 8):
                    net = ElasticNet(alpha=alpha, l1_ratio=l1_ratio, tol=1e-8, max_iter=20_000)
                    best = objective(Z, training.y, net.fit(Z, training.y).coef_, alpha, l1_ratio)
                    assert objective(Z, training.y, w, alpha, l1_ratio) <= best * (1 + OBJECTIVE)


def solutions(paths):
    """All numbers of a result, as bytes."""
    return [(p.coef.data.tobytes(), p.coef.indices.tobytes(), p.used.tobytes(), p.intercept) for p in paths]


@pytest.fixture
def small_blocks(monkeypatch):
    """Let small problems span many blocks, the last one cut short, and be worth compiled code."""
    monkeypatch.setattr(feature_pass, "LARGE", 0)
    monkeypatch.setattr(feature_pass, "FEATURES_PER_TASK", 17)


@pytest.mark.usefixtures("small_blocks")
def test_any_number_of_threads_gives_the_same_bytes():
    X, y = problem("missing")
    sets = training_sets(X, y, np.random.default_rng(1))
    one, two = (fit_paths(X, sets, [0.02, 0.1, 0.5], ALPHAS, threads=threads) for threads in (1, 2))
    assert max(paths.n_features.max() for paths in one) >= MANY  # some by conjugate gradients
    assert solutions(one) == solutions(two)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("name", ["plain", "missing", "low_variance"])
def test_values_outside_a_training_set_do_not_move_a_bit(name):
    X, y = problem(name)
    n = X.shape[1]
    mine = np.arange(0, n - 20)
    sets = [TrainingSet(mine, y[mine]), TrainingSet(np.arange(n), y)]
    other, other_y = X.copy(), y.copy()
    rng = np.random.default_rng(3)
    other[:, n - 20 :] = rng.normal(size=(len(X), 20)) * 50
    other[rng.random(len(X)) < 0.3, n - 1] = np.nan
    other_y[n - 20 :] = 100
    changed = [sets[0], TrainingSet(np.arange(n), other_y)]
    before, after = fit_paths(X, sets, [0.2, 0.8], ALPHAS), fit_paths(other, changed, [0.2, 0.8], ALPHAS)
    assert solutions(before)[0] == solutions(after)[0]
    assert solutions(before)[1] != solutions(after)[1]


def test_the_process_gets_its_settings_back():
    X, y = problem("plain")
    before = sys.getswitchinterval()
    fit_paths(X, [TrainingSet(np.arange(90), y)], [0.5], ALPHAS)
    assert sys.getswitchinterval() == before
    with pytest.raises(ZeroDivisionError):
        fit_paths(X, [TrainingSet(np.arange(90), y)], [0.0], ALPHAS)  # not an elastic net
    assert sys.getswitchinterval() == before


def test_block_size_and_riders_do_not_matter(request):
    X, y = problem("missing")
    sets = training_sets(X, y, np.random.default_rng(1))
    together = fit_paths(X, sets, [0.1, 0.5], ALPHAS)
    request.getfixturevalue("small_blocks")
    for k, training in enumerate(sets):
        alone = fit_paths(X, [training], [0.5], ALPHAS)[0]
        # Working sets differ, and with them the rounding of float32 sums.
        scale = np.abs(as_array(alone, len(X))).max()
        np.testing.assert_allclose(as_array(alone, len(X))[0], as_array(together[k], len(X))[1], atol=1e-5 * scale)


def test_permuted_features_permute_the_result():
    X, y = problem("plain")
    order = np.random.default_rng(5).permutation(len(X))
    training = [TrainingSet(np.arange(X.shape[1]), y)]
    straight = as_array(fit_paths(X, training, [0.3], ALPHAS)[0], len(X))
    permuted = as_array(fit_paths(X[order], training, [0.3], ALPHAS)[0], len(X))
    # The order of float32 sums changes.
    np.testing.assert_allclose(permuted, straight[..., order], atol=1e-5 * np.abs(straight).max())


def test_alphas_above_alpha_max_give_the_mean():
    X, y = problem("plain")
    paths = fit_paths(X, [TrainingSet(np.arange(90), y)], [1.0], np.array([1e6, 1e5]))[0]
    assert paths.n_features.tolist() == [[[0, 0]]]
    np.testing.assert_array_equal(paths.predict(X), np.full((1, 1, 2, 90), y.mean()))


def test_a_constant_target_gives_its_value():
    X, _ = problem("plain")
    paths = fit_paths(X, [TrainingSet(np.arange(90), np.full(90, 7.0))], [0.5], ALPHAS)[0]
    np.testing.assert_array_equal(paths.predict(X)[0, 0, 0], np.full(90, 7.0))


def test_predictions_are_the_linear_model(tmp_path):
    X, y = problem("missing")
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    rows = np.arange(10, 80)
    paths = fit_paths(mapped, [TrainingSet(rows, y[rows])], [0.2, 0.7], ALPHAS)[0]
    Z = reference_matrix(X, rows)
    expected = y[rows].mean() + np.einsum("jif,nf->jin", as_array(paths, len(X)), Z)
    # float64 throughout; only the order of sums differs.
    np.testing.assert_allclose(paths.predict(mapped, rows)[0], expected, rtol=1e-10)
    np.testing.assert_allclose(paths.predict(X)[0, ..., 10:80], expected, rtol=1e-10)


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("transform", [True, False])
def test_the_pipeline_is_the_elastic_net_on_all_features(name, transform):
    X, y = problem(name)
    age = 40 + 10 * (y - y.mean()) / y.std()
    rows = np.arange(5, X.shape[1])
    names = [f"f{k}" for k in range(len(X))]
    alpha, l1_ratio = (0.02, 0.4) if transform else (0.4, 0.4)
    configuration = {"alpha": alpha, "l1_ratio": l1_ratio, "technical_sd": 0.0}
    pipeline = fit_pipeline(X, names, TrainingSet(rows, age[rows]), configuration, transform)
    net = pipeline[-1].regressor_ if transform else pipeline[-1]
    target = transform_age(age[rows]) if transform else age[rows]
    Z = reference_matrix(X, rows)
    full = ElasticNet(alpha=alpha, l1_ratio=l1_ratio, tol=1e-15, max_iter=200_000).fit(Z, target)
    coefficients = dict(zip(pipeline.feature_names_in_, net.coef_, strict=True))
    found = np.array([coefficients.get(name, 0.0) for name in names])
    # Coordinate descent at a duality gap of 1e-15 |y|² leaves about its square root, over the ridge part.
    np.testing.assert_allclose(found, full.coef_, atol=1e-7 * np.abs(full.coef_).max())
    condition = Z.T @ (target - target.mean() - Z @ found) / len(rows) - alpha * (1 - l1_ratio) * found
    bound = alpha * l1_ratio
    # The exact optimum: float64 rounding, on all features.
    assert np.abs(condition - bound * np.sign(found))[found != 0].max(initial=0) <= 1e-9 * bound
    assert np.abs(condition)[found == 0].max(initial=0) <= bound * (1 + 1e-9)
