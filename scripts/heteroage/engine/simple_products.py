"""NumPy version of `residual_products`, for small matrices for which loading compiled code would take longer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heteroage.engine.standardise import Standardiser

Found = tuple[NDArray[np.int64], NDArray[np.float64]]  # features, sorted, and their correlations


def training_sums(X: NDArray[np.float32], columns: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Compute each feature's sum, sum of squares and sum of products with the targets, in all training sets.

    X : (features, samples); NaN where missing, counted as 0
    columns : (2 training sets, samples), first the weights, then the weighted targets; 0 outside of the set
    Returns (2 training sets, features) sums with the columns, (training sets, features) sums of squares, (2 training
    sets, features) sums of the columns over the samples with a missing value, and which features have one.
    """
    absent = np.isnan(X)
    block = X.astype(np.float64)
    block[absent] = 0
    sums = columns @ block.T
    np.square(block, out=block)
    squares, gone = columns[: len(columns) // 2] @ block.T, columns @ absent.astype(np.float64).T
    return sums, squares, gone, absent.any(axis=1)


def medians(X: NDArray[np.float32], members: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Compute each feature's median of the available values, in all training sets; 0 if there are none.

    X : (features, samples); NaN where missing
    members : (training sets, samples), which samples a training set has
    Returns (training sets, features).
    """
    return np.stack([Standardiser.medians(X[:, own]) for own in members])


class Residuals:
    """The residuals of all paths of a pass, (paths, samples) float32, 0 outside the path's training set."""

    def __init__(self, residuals: NDArray[np.float32]) -> None:
        self._residuals = residuals

    def above(
        self,
        X: NDArray[np.float32],
        start: int,
        missing: NDArray[np.bool_],
        set_of: NDArray[np.int64],
        median: NDArray[np.float32],
        inverse: NDArray[np.float32],
        thresholds: NDArray[np.float32],
    ) -> list[Found]:
        """Same result as `residual_products.Residuals.above`, except for rounding."""
        part = slice(start, start + len(X))
        at = np.flatnonzero(missing[part])
        absent = np.isnan(X[at])
        complete = np.array(X, np.float32, order="C")
        complete[at] = np.where(absent, 0, X[at])
        absent = absent.astype(np.float32)
        found = []
        for residual, s, threshold in zip(self._residuals, set_of, thresholds, strict=True):
            # Not a BLAS product, because its rounding depends on an entry's position in the block.
            total = np.einsum("ij,j->i", complete, residual)
            total[at] += median[s, part][at] * np.einsum("ij,j->i", absent, residual)
            total *= inverse[s, part]
            large = np.flatnonzero(np.abs(total) >= threshold)
            found.append((start + large, total[large].astype(np.float64)))
        return found
