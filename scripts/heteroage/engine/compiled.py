"""Compilation with Numba. Compiled code is cached on disk if possible, otherwise compiled once per process."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray


def compiled(function: Callable) -> Callable:
    """Compile a function that releases the interpreter lock."""
    return _compiled(function)


def compiled_sums(function: Callable) -> Callable:
    """Compile a function whose sums may be reordered (vectorised). The order is the same in every call."""
    return _compiled(function, fastmath={"reassoc", "contract"})


def _compiled(function: Callable, **options: object) -> Callable:
    try:
        return njit(nogil=True, cache=True, **options)(function)
    except RuntimeError:  # numba found no writable cache folder
        return njit(nogil=True, **options)(function)


@compiled
def lower_triangle(gram: NDArray, chosen: NDArray[np.int64]) -> NDArray:
    """As `linear_systems.lower_triangle`: a tenth of its time where many are chosen."""
    part = np.zeros((len(chosen), len(chosen)), gram.dtype)
    for i in range(len(chosen)):
        row = gram[chosen[i]]
        for j in range(i + 1):
            part[i, j] = row[chosen[j]]
    return part
