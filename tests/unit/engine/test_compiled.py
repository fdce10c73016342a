"""Compiled functions run wherever numba may keep them or not, and sum the same way every time."""

import math

import numpy as np
import pytest

from heteroage.engine import compiled


def test_compiled_functions_run_where_numba_may_keep_nothing(monkeypatch):
    njit = compiled.njit

    def without_a_folder(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(compiled, "njit", without_a_folder)
    assert compiled.compiled(lambda a: a + 1)(2) == 3


@pytest.fixture
def uncached(monkeypatch):
    """Numba keeps a function by its code alone, not by how it is compiled."""
    njit = compiled.njit
    monkeypatch.setattr(compiled, "njit", lambda cache, **options: njit(**options))


def in_order(values: np.ndarray) -> float:
    total = 0.0
    for k in range(len(values)):
        total += values[k]
    return total


@pytest.mark.usefixtures("uncached")
def test_a_sum_is_taken_in_the_order_in_which_it_is_written():
    values = np.random.default_rng(1).normal(size=1001) * 10.0 ** np.random.default_rng(2).integers(-8, 8, 1001)
    assert in_order(values) != in_order(values[::-1])
    assert compiled.compiled(in_order)(values) == in_order(values)


@pytest.mark.usefixtures("uncached")
def test_a_sum_that_may_be_taken_in_any_order_is_the_same_every_time():
    values = np.random.default_rng(1).normal(size=1001)
    total = compiled.compiled_sums(in_order)
    sums = {total(values), total(values.copy()), total(np.concatenate([[0.0], values])[1:])}
    assert len(sums) == 1
    # A sum of n terms in any order is off by at most n roundings of their sizes' sum.
    assert abs(sums.pop() - math.fsum(values)) <= 1001 * np.finfo(float).eps * np.abs(values).sum()
