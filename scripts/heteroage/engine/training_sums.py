"""Compiled versions of the sums and medians of `simple_products`: a feature is read once and stays in the cache."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heteroage.engine.compiled import compiled, compiled_sums

FEATURES_PER_SORT = 64  # number of features sorted at a time, so that they fit into the cache
ABSENT = 0xFFFFFFFF  # key of a missing value, which sorts last
NEGATIVE = 0x80000000  # sign bit of a float32


def training_sums(X: NDArray[np.float32], columns: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Same result as `simple_products.training_sums`, except for rounding. Features do not affect each other."""
    # One type of array, so that one function is compiled.
    X = np.ascontiguousarray(X, np.float32).view()
    X.flags.writeable = False
    sums, squares, absent, missing = _sums(X, columns, np.ascontiguousarray(columns.T))
    return sums, squares, absent.T, missing


@compiled_sums
def _sums(X: NDArray, columns: NDArray, of_samples: NDArray) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    features, samples = X.shape
    sets = len(columns) // 2
    absent = np.zeros((features, 2 * sets))
    sums, squares = np.empty((2 * sets, features)), np.empty((sets, features))
    missing = np.zeros(features, np.bool_)
    # Two features at a time, which share the loaded values of a training set.
    a, b = np.zeros(samples), np.zeros(samples)
    for first in range(0, features, 2):
        second = min(first + 1, features - 1)
        missing[first] = _complete(X[first], of_samples, a, absent[first])
        if second > first:
            missing[second] = _complete(X[second], of_samples, b, absent[second])
        else:
            b[:] = a
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
    return sums, squares, absent, missing


@compiled
def _complete(raw: NDArray, of_samples: NDArray, row: NDArray, absent: NDArray) -> bool:
    """Copy a feature with missing values as 0, add up their samples' columns, and tell whether there are any."""
    gaps = 0
    for i in range(len(raw)):
        gone = np.isnan(raw[i])
        row[i] = 0.0 if gone else raw[i]
        if gone:
            gaps += 1
            for k in range(len(absent)):
                absent[k] += of_samples[i, k]
    return gaps > 0


def medians(X: NDArray[np.float32], members: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Same result as `simple_products.medians`. A feature is sorted once for all training sets."""
    members, sizes = members.view(np.uint8), members.sum(axis=1)
    found = np.empty((len(members), len(X)))
    keys = np.empty((FEATURES_PER_SORT, X.shape[1]), np.uint64)
    for start in range(0, len(X), FEATURES_PER_SORT):
        block = X[start : start + FEATURES_PER_SORT]
        own = keys[: len(block)]
        _sortable(block.view(np.uint32), np.isnan(block), own)
        own.sort(axis=1)
        found[:, start : start + FEATURES_PER_SORT] = _middles(block, own, members, sizes)
    return found


@compiled
def _sortable(bits: NDArray, absent: NDArray, keys: NDArray) -> None:
    """Make integers that sort as the values do, with the sample's position in the lower half."""
    for f in range(len(bits)):
        for i in range(bits.shape[1]):
            key = bits[f, i]
            if absent[f, i]:
                key = np.uint32(ABSENT)
            elif key & np.uint32(NEGATIVE):
                key = ~key
            else:
                key |= np.uint32(NEGATIVE)
            keys[f, i] = np.uint64(key) << np.uint64(32) | np.uint64(i)


@compiled
def _middles(X: NDArray, keys: NDArray, members: NDArray, sizes: NDArray) -> NDArray:
    """Walk along the sorted samples of each feature to the middle of each training set's own."""
    samples, order = X.shape[1], np.empty(X.shape[1], np.int64)
    found = np.zeros((len(members), len(X)))
    for f in range(len(X)):
        for i in range(samples):
            order[i] = np.int64(keys[f, i] & np.uint64(ABSENT))
        end = samples
        while end > 0 and np.isnan(X[f, order[end - 1]]):
            end -= 1
        for t in range(len(members)):
            own, present = members[t], sizes[t]
            for i in range(end, samples):
                present -= own[order[i]]
            if present == 0:
                continue
            ahead, i = (present - 1) // 2, -1
            while ahead >= 0:
                i += 1
                ahead -= own[order[i]]
            low = high = np.float64(X[f, order[i]])
            if present % 2 == 0:
                i += 1
                while not own[order[i]]:
                    i += 1
                high = np.float64(X[f, order[i]])
            found[t, f] = (low + high) / 2
    return found
