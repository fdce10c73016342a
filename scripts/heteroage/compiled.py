"""Functions that numba compiles: once for all runs where it may keep them, else once a process."""

from __future__ import annotations

from collections.abc import Callable

from numba import njit


def compiled(function: Callable) -> Callable:
    """Compile a function, without holding the interpreter's lock while it runs."""
    return _compiled(function)


def compiled_sums(function: Callable) -> Callable:
    """Compile a function whose sums may be taken in another order: several at a time, the same way every time."""
    return _compiled(function, fastmath={"reassoc", "contract"})


def _compiled(function: Callable, **options: object) -> Callable:
    try:
        return njit(nogil=True, cache=True, **options)(function)
    except RuntimeError:  # numba found no folder to keep it in
        return njit(nogil=True, **options)(function)
