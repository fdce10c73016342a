"""`simple_products.training_sums`, compiled: each feature is read once, and stays in the first cache for its sums."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heteroage.compiled import compiled_sums


def training_sums(
    X: NDArray[np.float32], columns: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """As `simple_products.training_sums`, to rounding. A feature's sums depend on no other feature."""
    # One type of array, so that one function is compiled.
    X = np.ascontiguousarray(X, np.float32).view()
    X.flags.writeable = False
    return _sums(X, columns)


@compiled_sums
def _sums(X: NDArray, columns: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    features, samples = X.shape
    sets = len(columns) // 2
    sums, squares = np.empty((2 * sets, features)), np.empty((sets, features))
    missing = np.zeros(features, np.bool_)
    row = np.empty(samples)
    for f in range(features):
        gaps = 0
        for i in range(samples):
            value = X[f, i]
            absent = np.isnan(value)
            gaps += absent
            row[i] = 0.0 if absent else value
        missing[f] = gaps > 0
        for t in range(sets):
            member, target = columns[t], columns[sets + t]
            total = square = product = 0.0
            for i in range(samples):
                x = row[i]
                own = member[i] * x
                total += own
                square += own * x
                product += target[i] * x
            sums[t, f], sums[sets + t, f], squares[t, f] = total, product, square
    return sums, squares, missing
