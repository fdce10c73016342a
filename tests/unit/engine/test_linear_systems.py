"""Linear systems on a changing active set, by factors and by conjugate gradients: solved as by NumPy."""

import numpy as np
import pytest

from heteroage.engine import linear_systems
from heteroage.engine.linear_systems import PANEL, REDUCTION, ActiveSystem, IterativeSystem, leading_directions


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_active_system_follows_changes(dtype):
    rng = np.random.default_rng(0)
    v = 3 * PANEL
    Z = rng.normal(size=(v, 2 * v))
    gram = (Z @ Z.T / (2 * v)).astype(dtype)
    system, active = ActiveSystem(gram, np.full(v, 0.1)), rng.random(v) < 0.8
    for flips in [0, 3, 10, 1, 0, v // 2, 5]:
        change = rng.choice(v, flips, replace=False)
        active[change] = ~active[change]
        right = rng.normal(size=active.sum())
        exact = np.linalg.solve(gram[np.ix_(active, active)].astype(float) + 0.1 * np.eye(active.sum()), right)
        # The condition number is about 30, so this is a hundred roundings.
        np.testing.assert_allclose(
            system.solve(active, right), exact, atol=3000 * np.finfo(dtype).eps * np.abs(exact).max()
        )


def test_the_active_system_stands_duplicates():
    gram = np.ones((4, 4))
    x = ActiveSystem(gram, np.zeros(4)).solve(np.array([True, True, False, True]), np.ones(3))
    # The ridge of 1e-9 that makes it solvable moves the solution by as much.
    np.testing.assert_allclose(x, np.full(3, 1 / 3), rtol=1e-6)


# Conjugate gradients


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("features", [300, 60, 0])
@pytest.mark.parametrize("scale", [1.0, 1e-30])
def test_a_solve_reduces_the_residual(dtype, features, scale):
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(300, 100)) + 3 * rng.normal(size=(300, 5)) @ rng.normal(size=(5, 100))
    Z = ((Z - Z.mean(axis=1, keepdims=True)) / Z.std(axis=1, keepdims=True)).astype(dtype)
    Z[7] = 0  # a constant feature
    along = (Z @ leading_directions(Z))[:features]
    Z, l2, right = Z[:features], rng.uniform(0.2, 1.0, features), scale * rng.normal(size=features)
    x, moved = IterativeSystem(Z, l2, along).solve(right)
    left = right - (Z @ (Z.T @ x) / 100 + l2 * x)
    assert np.linalg.norm(left) <= 1.1 * REDUCTION * np.linalg.norm(right)
    # A sum over the iterations instead of one product: rounding of each, relative to the largest terms.
    np.testing.assert_allclose(moved, x @ Z, atol=30 * np.finfo(dtype).eps * np.abs(x).sum(initial=0))


def test_the_preconditioner_makes_few_iterations_enough(monkeypatch):
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(500, 400)) + 5 * rng.normal(size=(500, 8)) @ rng.normal(size=(8, 400))
    Z = (Z - Z.mean(axis=1, keepdims=True)) / Z.std(axis=1, keepdims=True)
    right, l2 = rng.normal(size=500), np.full(500, 0.5)
    monkeypatch.setattr("heteroage.engine.linear_systems.ITERATIONS", 4)
    x, _ = IterativeSystem(Z, l2, Z @ leading_directions(Z)).solve(right)
    assert np.linalg.norm(right - Z @ (Z.T @ x) / 400 - l2 * x) <= REDUCTION * np.linalg.norm(right)


# Compiled


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_lower_triangle_is_the_same_compiled(dtype, monkeypatch):
    gram = np.random.default_rng(1).normal(size=(40, 40)).astype(dtype)
    chosen = np.array([3, 4, 17, 30, 39])
    simple = linear_systems.lower_triangle(gram, chosen)
    monkeypatch.setattr(linear_systems, "MANY_TO_COPY", 0)
    compiled = linear_systems.lower_triangle(gram, chosen)
    assert simple.dtype == compiled.dtype == dtype
    assert simple.tobytes() == compiled.tobytes()
    assert (simple[np.tril_indices(5)] == gram[np.ix_(chosen, chosen)][np.tril_indices(5)]).all()
    assert not np.triu(simple, 1).any()
