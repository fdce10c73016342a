"""Linear systems on a changing active set are solved as NumPy solves each anew."""

import numpy as np
import pytest

from heteroage.engine.active_system import PANEL, ActiveSystem


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
