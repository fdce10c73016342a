"""Writing blocks of a table to their places in another: by NumPy, or compiled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

LARGE = 1 << 22  # values from which compiled code is worth its loading, most of a second

Scatter = Callable[[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]], None]


def scatter(
    target: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64], values: NDArray[np.float32]
) -> None:
    """Write a block (rows, columns) to the given rows, -1 to leave one out, and columns of `target`."""
    target[np.ix_(rows[rows >= 0], columns)] = values[rows >= 0]


def is_large(n_values: int) -> bool:
    """Whether compiled code is worth its loading."""
    return n_values >= LARGE


def permute(matrix: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
    """Move row i of a large matrix to place rows[i] and its values k to columns[k], in the memory where it lies."""
    from heteroage.inputs.compiled_scatter import permute as compiled

    compiled(matrix, rows, columns)


def scatter_for(n_values: int) -> Scatter:
    """`scatter`, or for many values the same compiled."""
    if not is_large(n_values):
        return scatter
    from heteroage.inputs.compiled_scatter import scatter as compiled

    return compiled
