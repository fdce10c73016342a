"""The lower triangle is the same bytes compiled as by NumPy."""

import numpy as np
import pytest

from heteroage.engine import active_system


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_lower_triangle_is_the_same_compiled(dtype, monkeypatch):
    gram = np.random.default_rng(1).normal(size=(40, 40)).astype(dtype)
    chosen = np.array([3, 4, 17, 30, 39])
    simple = active_system.lower_triangle(gram, chosen)
    monkeypatch.setattr(active_system, "MANY", 0)
    compiled = active_system.lower_triangle(gram, chosen)
    assert simple.dtype == compiled.dtype == dtype
    assert simple.tobytes() == compiled.tobytes()
    assert (simple[np.tril_indices(5)] == gram[np.ix_(chosen, chosen)][np.tril_indices(5)]).all()
    assert not np.triu(simple, 1).any()
