"""Functions that numba compiles: once for all runs where it may keep them, else once a process."""

from __future__ import annotations

from collections.abc import Callable

from numba import njit


def compiled(function: Callable) -> Callable:
    """Compile a function, without holding the interpreter's lock while it runs."""
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:  # numba found no folder to keep it in
        return njit(nogil=True)(function)
