"""`scatter`, compiled by numba: a few times faster than NumPy where columns are brought into another order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heteroage.compiled import compiled


@compiled
def scatter(
    target: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64], values: NDArray[np.float32]
) -> None:
    """Write a block (rows, columns) to the given rows, -1 to leave one out, and columns of `target`."""
    for i in range(len(rows)):
        if rows[i] >= 0:
            row = target[rows[i]]
            for k in range(len(columns)):
                row[columns[k]] = values[i, k]
