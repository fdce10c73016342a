"""Rows and columns brought into another order, compiled by numba: a few times faster than by NumPy."""

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


@compiled
def permute(matrix: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
    """Move row i of a matrix to place rows[i] and its values k to columns[k], in the memory where it lies."""
    moved = np.zeros(len(rows), np.bool_)
    carried, met = np.empty(len(columns), matrix.dtype), np.empty(len(columns), matrix.dtype)
    for start in range(len(rows)):
        if moved[start]:
            continue
        for k in range(len(columns)):
            carried[columns[k]] = matrix[start, k]
        at = start
        while not moved[start]:  # round the cycle, each row taken up where the one before is put down
            to = rows[at]
            if to != start:
                for k in range(len(columns)):
                    met[columns[k]] = matrix[to, k]
            matrix[to] = carried
            moved[to] = True
            carried, met, at = met, carried, to
