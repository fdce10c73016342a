"""Conjugate gradients: the solution of the linear system on an active set."""

import numpy as np
import pytest

from heteroage.engine.iterative_system import REDUCTION, IterativeSystem, leading_directions


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("active_share", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("scale", [1.0, 1e-30])
def test_a_solve_reduces_the_residual(dtype, active_share, scale):
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(300, 100)) + 3 * rng.normal(size=(300, 5)) @ rng.normal(size=(5, 100))
    Z = ((Z - Z.mean(axis=1, keepdims=True)) / Z.std(axis=1, keepdims=True)).astype(dtype)
    Z[7] = 0  # a constant feature
    l2, active = rng.uniform(0.2, 1.0, 300), rng.random(300) < active_share
    right = scale * rng.normal(size=300)
    x = IterativeSystem(Z, l2, leading_directions(Z)).solve(active, right)
    assert not x[~active].any()
    left = right - (Z @ (Z.T @ x) / 100 + l2 * x)
    assert np.linalg.norm(left[active]) <= 1.1 * REDUCTION * np.linalg.norm(right[active])


def test_the_preconditioner_makes_few_iterations_enough(monkeypatch):
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(500, 400)) + 5 * rng.normal(size=(500, 8)) @ rng.normal(size=(8, 400))
    Z = (Z - Z.mean(axis=1, keepdims=True)) / Z.std(axis=1, keepdims=True)
    right, l2 = rng.normal(size=500), np.full(500, 0.5)
    monkeypatch.setattr("heteroage.engine.iterative_system.ITERATIONS", 4)
    x = IterativeSystem(Z, l2, leading_directions(Z)).solve(np.ones(500, bool), right)
    assert np.linalg.norm(right - Z @ (Z.T @ x) / 400 - l2 * x) <= REDUCTION * np.linalg.norm(right)
