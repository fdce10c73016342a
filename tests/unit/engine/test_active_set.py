"""The working set of one path: from any start, in any order, its solution is the optimum on these features."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn.linear_model import ElasticNet

from heteroage.engine import active_set, linear_systems, newton
from heteroage.engine.active_set import PathSolver
from heteroage.engine.linear_systems import ActiveSystem
from heteroage.engine.newton import Model
from heteroage.errors import HeteroAgeError

# Of l1: what the solver promises, and what is left of it after sums in another order.
PROMISED = {np.float32: 4e-5, np.float64: 1e-9}


@pytest.fixture(params=["independent", "confounded", "more features than samples"])
def problem(request):
    """Standardised rows Z and a centred y."""
    rng = np.random.default_rng(3)
    p, n = (90, 50) if request.param.startswith("more") else (40, 120)
    Z = rng.normal(size=(p, n))
    if request.param == "confounded":
        Z += 3 * rng.normal(size=n)
    Z -= Z.mean(axis=1, keepdims=True)
    Z /= Z.std(axis=1, keepdims=True)
    y = rng.normal(size=n) + Z[:5].sum(axis=0)
    return Z, y - y.mean()


@pytest.fixture
def dense_problem():
    """More features than samples, most of them in the model; they have common causes, and some are equal."""
    rng = np.random.default_rng(5)
    Z = rng.normal(size=(400, 150)) + 3 * rng.normal(size=(400, 4)) @ rng.normal(size=(4, 150))
    Z[1::50] = Z[::50]
    Z -= Z.mean(axis=1, keepdims=True)
    Z /= Z.std(axis=1, keepdims=True)
    y = rng.normal(size=150) + Z[:9].sum(axis=0)
    return Z, y - y.mean()


def weights(solver, p):
    w = np.zeros(p)
    w[solver.features] = solver.w
    return w


def solved(Z, y, l1_ratio, alphas, lots, dtype=np.float64):
    """The solver at the last alpha, features having come in lots."""
    solver, before = PathSolver(y, l1_ratio, dtype), 10.0
    for lot in lots:
        solver.add(lot, Z[lot].astype(dtype), np.zeros(len(lot)))
    for alpha in alphas:
        solver.solve(alpha, before)
        before = alpha
    return solver


def violation(Z, y, w, l1, l2):
    """The largest gap in the optimality conditions, of l1."""
    c, active = Z @ (y - w @ Z) / len(y), w != 0
    stationary = np.abs(c - l2 * w - l1 * np.sign(w))[active].max(initial=0)
    return max(stationary, np.abs(c[~active]).max(initial=0) - l1) / l1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("l1_ratio", [0.1, 0.9])
def test_a_solution_is_the_optimum_on_the_working_set(problem, l1_ratio, dtype):
    Z, y = problem
    for alphas in ([0.3], [1.0, 0.3], [0.05, 0.3]):  # cold, on the way down, and back up
        w = weights(solved(Z, y, l1_ratio, alphas, [np.arange(len(Z))], dtype), len(Z))
        assert 0 < np.count_nonzero(w) < len(Z)
        assert violation(Z, y, w, 0.3 * l1_ratio, 0.3 * (1 - l1_ratio)) <= PROMISED[dtype]


@pytest.mark.parametrize("start", [[2.0, 0.6], [0.6], [0.3, 0.6]])
def test_dense_solutions_need_no_gram_matrix(dense_problem, start):
    Z, y = dense_problem
    halves = np.split(np.random.default_rng(1).permutation(len(Z)), 2)
    solver = solved(Z, y, 0.02, start, halves, np.float32)
    assert np.count_nonzero(solver.w) >= active_set.MANY
    assert solver._in_gram == 0
    assert violation(Z, y, weights(solver, len(Z)), 0.6 * 0.02, 0.6 * 0.98) < PROMISED[np.float32]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_active_features_come_first_with_what_belongs_to_them(dense_problem, dtype):
    Z, y = dense_problem
    noise = np.random.default_rng(2).uniform(0, 2, len(Z))
    solver, before = PathSolver(y, 0.02, dtype), 50.0
    for alpha, lot in ((20.0, np.arange(40)), (2.0, np.arange(40, 300)), (0.6, np.arange(300, 400))):
        solver.add(lot, Z[lot].astype(dtype), noise[lot])
        c_before = solver.c[np.argsort(solver.features)]
        solver.solve(alpha, before)
        np.testing.assert_array_equal(solver._last[1][np.argsort(solver.features)], c_before)
        solver._complete_gram()  # of which the next move leaves only a part
        before = alpha
    own, active = solver.features, np.count_nonzero(solver.w)
    assert active_set.MANY <= active < len(Z)
    assert sorted(own) == list(range(len(Z))) != own.tolist()
    assert solver.w[:active].all()
    np.testing.assert_array_equal(solver._Z[: len(Z)], Z[own].astype(dtype))
    np.testing.assert_array_equal(solver.noise, noise[own])
    # Products in another order: roundings at the size of a sum of 150 products.
    rounding = 150 * np.finfo(dtype).eps
    np.testing.assert_allclose(solver._along, solver._Z[: len(Z)] @ solver._directions, rtol=0, atol=rounding)
    np.testing.assert_allclose(solver._complete_gram(), Z[own] @ Z[own].T / len(y), rtol=0, atol=rounding)
    w = weights(solver, len(Z))
    condition = (Z @ (y - w @ Z) / len(y) - (0.6 * 0.98 + noise) * w)[w != 0] - 0.6 * 0.02 * np.sign(w[w != 0])
    assert np.abs(condition).max() <= PROMISED[dtype] * 0.6 * 0.02


@pytest.mark.parametrize("seed", [1, 4, 11, 18, 20, 26])
def test_removed_features_are_not_taken_for_an_iteration_that_stands_still(seed, monkeypatch):
    monkeypatch.setattr(active_set, "ActiveSystem", None)  # fails if the solution is left to factors
    rng = np.random.default_rng(seed)
    Z = rng.normal(size=(300, 200)) + 2 * rng.normal(size=(300, 6)) @ rng.normal(size=(6, 200))
    Z -= Z.mean(axis=1, keepdims=True)
    Z /= Z.std(axis=1, keepdims=True)
    y = rng.normal(size=200) + Z[:5].sum(axis=0)
    y -= y.mean()
    w = weights(solved(Z, y, 0.02, [0.5], [np.arange(300)], np.float32), 300)
    assert violation(Z, y, w, 0.5 * 0.02, 0.5 * 0.98) < PROMISED[np.float32]


def test_conjugate_gradients_that_do_not_converge_leave_the_solution_to_factors(dense_problem, monkeypatch):
    Z, y = dense_problem
    monkeypatch.setattr(linear_systems, "ITERATIONS", 0)
    solver = solved(Z, y, 0.02, [0.6], [np.arange(len(Z))], np.float32)
    assert solver._in_gram == len(Z)
    assert violation(Z, y, weights(solver, len(Z)), 0.6 * 0.02, 0.6 * 0.98) < PROMISED[np.float32]


def test_a_move_that_does_not_converge_leaves_the_solution_as_it_was(dense_problem, monkeypatch):
    Z, y = dense_problem
    solver = solved(Z, y, 0.02, [2.0], [np.arange(len(Z))], np.float32)

    def state():
        by_feature = np.argsort(solver.features)
        kept = (solver.w, solver.c, solver._last[1], solver._Z)
        return [solver.residual.tobytes(), *(values[by_feature].tobytes() for values in kept)]

    before, order = state(), solver.features.copy()

    class Short(linear_systems.IterativeSystem):
        """Its steps move the weights, but not fast enough."""

        def solve(self, right):
            return tuple(0.3 * part for part in super().solve(right))

    monkeypatch.setattr(active_set, "IterativeSystem", Short)
    monkeypatch.setattr(active_set, "minimise", lambda model, signs: None)
    assert solver._move(0.6, 2.0, monotone=False) is None
    assert solver.features.tolist() != order.tolist()
    assert state() == before


@pytest.mark.parametrize("l1_ratio", [0.1, 0.9])
def test_the_monotone_search_ends_at_the_optimum(problem, l1_ratio):
    Z, y = problem
    gram, c, l1, l2 = Z @ Z.T / len(y), Z @ y / len(y), 0.3 * l1_ratio, 0.3 * (1 - l1_ratio)
    ridge = np.full(len(Z), l2)
    w = newton.minimise_monotone(Model(gram, np.zeros(len(Z)), c, l1, ridge, 1e-10, ActiveSystem(gram, ridge)))
    assert violation(Z, y, w, l1, l2) <= PROMISED[np.float64]


def hard_problem(seed):
    """Features that have much in common; half of them may be copies of others, exact or nearly."""
    rng = np.random.default_rng(seed)
    p, n = int(rng.integers(5, 300)), int(rng.integers(20, 150))
    common = rng.choice([0, 1, 3, 30])
    Z = rng.normal(size=(p, n)) + common * rng.normal(size=n)
    if rng.random() < 0.5:
        half = p // 2
        Z[half : 2 * half] = Z[:half] + rng.choice([0, 1e-6, 1e-2]) * rng.normal(size=(half, n))
    if rng.random() < 0.3:
        Z[::2] *= -1
    Z -= Z.mean(axis=1, keepdims=True)
    Z /= Z.std(axis=1, keepdims=True)
    y = rng.normal(size=n) + Z[:5].sum(axis=0)
    return Z, y - y.mean()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", [5, 28, 33])  # of forty, those where features that enter together stop each other
def test_a_cold_start_far_down_ends_at_the_optimum(seed, dtype):
    Z, y = hard_problem(seed)
    w = weights(solved(Z, y, 0.9, [0.01], [np.arange(len(Z))], dtype), len(Z))
    # Single precision: correlations near 1 keep seven digits, and l1 is a hundredth of that.
    allowed = {np.float32: 1e-3, np.float64: PROMISED[np.float64]}[dtype]
    assert violation(Z, y, w, 0.009, 0.001) <= allowed


def test_a_long_way_down_goes_through_alphas_in_between(monkeypatch):
    searches, monotone = [], newton.minimise_monotone
    monkeypatch.setattr(active_set, "minimise_monotone", lambda model: searches.append(model) or monotone(model))
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(300, 60))
    Z -= Z.mean(axis=1, keepdims=True)
    Z /= Z.std(axis=1, keepdims=True)
    y = rng.normal(size=60) + Z[:5].sum(axis=0)
    y -= y.mean()
    for near in (0.0, active_set.NEAR):  # 0: directly
        monkeypatch.setattr(active_set, "NEAR", near)
        searches.clear()
        w = weights(solved(Z, y, 0.9, [1.0, 0.1, 0.01, 0.001], [np.arange(300)]), 300)
        assert violation(Z, y, w, 9e-4, 1e-4) <= PROMISED[np.float64]
        assert bool(searches) == (near == 0)


def test_rounding_is_not_taken_for_a_solution_that_does_not_settle():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(400, 200)) + 2 * rng.normal(size=200)
    y = 10 * (rng.normal(size=200) + Z[:5].sum(axis=0))
    Z -= Z.mean(axis=1, keepdims=True)
    Z /= Z.std(axis=1, keepdims=True)
    y -= y.mean()
    alpha, l1_ratio = 1e-3, 0.01  # l1 is a ten-millionth of the largest correlation: single precision's last digit
    objectives = {}
    for dtype in (np.float32, np.float64):
        w = weights(solved(Z, y, l1_ratio, [1.0, 0.1, 0.01, alpha], [np.arange(400)], dtype), 400)
        penalty = l1_ratio * np.abs(w).sum() + (1 - l1_ratio) / 2 * w @ w
        objectives[dtype] = ((y - w @ Z) ** 2).mean() / 2 + alpha * penalty
    # 1e-6, relatively: what the engine promises of every objective.
    assert objectives[np.float32] <= objectives[np.float64] * (1 + 1e-6)


def test_a_solution_that_does_not_settle_is_none(problem, monkeypatch):
    monkeypatch.setattr(newton, "PATIENCE", 0)
    monkeypatch.setattr(active_set, "NEAR", 0.0)
    monkeypatch.setattr(newton, "MONOTONE_STEPS", 1)
    monkeypatch.setattr(active_set, "REFINEMENTS", 1)
    Z, y = problem
    with pytest.raises(
        HeteroAgeError, match=r"did not converge at alpha 0\.01, l1_ratio 0\.9 \(\d+ features; .* violated by"
    ):
        solved(Z, y, 0.9, [0.01], [np.arange(len(Z))])


def test_it_is_scikit_learns_solution(problem):
    Z, y = problem
    net = ElasticNet(alpha=0.2, l1_ratio=0.5, fit_intercept=False, tol=1e-14, max_iter=100_000).fit(Z.T, y)
    found = weights(solved(Z, y, 0.5, [0.2], [np.arange(len(Z))]), len(Z))
    # 1e-6: coordinate descent ends at a gap of 1e-14 |y|², about the root of it in the weights.
    np.testing.assert_allclose(found, net.coef_, rtol=0, atol=1e-6)


def test_the_order_and_lots_in_which_features_enter_do_not_matter(problem):
    Z, y = problem
    expected = weights(solved(Z, y, 0.5, [0.2], [np.arange(len(Z))]), len(Z))
    order = np.random.default_rng(1).permutation(len(Z))
    other = weights(solved(Z, y, 0.5, [0.4, 0.2], np.array_split(order, 4)), len(Z))
    # 1e-9: the conditions hold to 1e-10, and the ridge part is 0.1.
    np.testing.assert_allclose(other, expected, rtol=0, atol=1e-9)


def test_forgetting_features_without_weight_changes_nothing(problem):
    Z, y = problem
    solver = solved(Z, y, 0.5, [0.2], [np.arange(len(Z))])
    before, residual = weights(solver, len(Z)), solver.residual.copy()
    solver.keep(solver.w != 0)
    assert len(solver.features) == np.count_nonzero(before)
    assert weights(solver, len(Z)).tobytes() == before.tobytes()
    own = Z[solver.features] @ solver.residual / len(y)
    np.testing.assert_allclose(solver.c, own, rtol=0, atol=1e-12)  # another order
    solver.add(np.flatnonzero(before == 0), Z[before == 0], np.zeros(np.count_nonzero(before == 0)))
    solver.solve(0.2, 0.2)
    np.testing.assert_allclose(weights(solver, len(Z)), before, rtol=0, atol=1e-9)  # as above
    np.testing.assert_allclose(solver.residual, residual, rtol=0, atol=1e-7)  # of 90 such weights
    assert abs(solver.residual.sum()) < 1e-10  # rounding: it is centred


def test_the_line_search_ends_at_the_least_value_of_the_step(problem):
    Z, y = problem
    rng = np.random.default_rng(2)
    gram, c0 = Z @ Z.T / len(y), Z @ y / len(y)
    l1, l2 = 0.1, np.full(len(Z), 0.05)

    def value(w):
        return w @ gram @ w / 2 - c0 @ w + (l2 * w) @ w / 2 + l1 * np.abs(w).sum()

    for _ in range(20):
        w = np.where(rng.random(len(Z)) < 0.5, rng.normal(0, 0.3, len(Z)), 0.0)
        c = c0 - gram @ w
        model = Model(gram, w, c, l1, l2, 1e-10, ActiveSystem(gram, l2))
        downhill = c - l2 * w - l1 * np.sign(w)
        step = np.where(w != 0, downhill, np.sign(c) * np.maximum(np.abs(c) - l1, 0))
        length = newton._line_search(model, c, w, step)
        best = minimize_scalar(lambda t: value(w + t * step), bounds=(0, 2 * length + 1), method="bounded")  # noqa: B023
        assert length > 0
        assert value(w + length * step) <= best.fun + 1e-12 * abs(best.fun)
