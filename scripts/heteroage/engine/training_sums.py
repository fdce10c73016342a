"""Compiled version of `simple_products.training_sums`: each feature is read once and stays in the cache."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heteroage.compiled import compiled, compiled_sums


def training_sums(
    X: NDArray[np.float32], columns: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Same result as `simple_products.training_sums`, except for rounding. Features do not affect each other."""
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
    a, b = (
        np.zeros(samples),
        np.zeros(samples),
    )  # two features at a time, which share the loaded values of a training set
    for first in range(0, features, 2):
        second = min(first + 1, features - 1)
        missing[first], missing[second] = _complete(X[first], a), _complete(X[second], b)
        for t in range(sets):
            member, target = columns[t], columns[sets + t]
            total_a = square_a = product_a = total_b = square_b = product_b = 0.0
            for i in range(samples):
                own_a, own_b = member[i] * a[i], member[i] * b[i]
                total_a += own_a
                total_b += own_b
                square_a += own_a * a[i]
                square_b += own_b * b[i]
                product_a += target[i] * a[i]
                product_b += target[i] * b[i]
            sums[t, first], sums[sets + t, first], squares[t, first] = total_a, product_a, square_a
            sums[t, second], sums[sets + t, second], squares[t, second] = total_b, product_b, square_b
    return sums, squares, missing


@compiled
def _complete(raw: NDArray, row: NDArray) -> bool:
    """Copy a feature with missing values as 0; tell whether it has any."""
    gaps = 0
    for i in range(len(raw)):
        absent = np.isnan(raw[i])
        gaps += absent
        row[i] = 0.0 if absent else raw[i]
    return gaps > 0
