"""Compilation with numba. Compiled code is cached on disk if possible, otherwise compiled once per process."""

from __future__ import annotations

from collections.abc import Callable

from numba import njit


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
