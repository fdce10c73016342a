"""Median imputation and standardisation of features, computed from a training set's own samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Standardiser:
    """Per-feature statistics of one training set: median for imputation, then mean and standard deviation.

    A feature is `constant` if its standard deviation is only rounding error. As in scikit-learn's StandardScaler, its
    scale is then 1.
    """

    median: NDArray[np.float64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    constant: NDArray[np.bool_]

    @classmethod
    def fit(
        cls,
        X: NDArray[np.float32],
        weight: NDArray[np.float64] | None = None,
        median: NDArray[np.float64] | None = None,
    ) -> Standardiser:
        """Compute from X (features x training samples). Mean and standard deviation are weighted, the median is not.

        median : median of each feature, if known. Otherwise it is computed for all features, because other samples may
        have missing values.
        """
        median = cls.medians(X) if median is None else median
        centred, mean = _centre(X, np.arange(len(X)), median, weight)
        scale = np.sqrt(_mean(np.square(centred, out=centred), weight))
        constant = _is_constant(scale, mean)
        return cls(median, mean, np.where(constant, 1.0, scale), constant)

    def apply(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Impute and standardise X (features x samples)."""
        Z = np.where(np.isnan(X), self.median[:, None], X).astype(np.float64, copy=False)
        Z -= self.mean[:, None]
        Z /= self.scale[:, None]
        return Z

    @staticmethod
    def medians(X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the median of the available values of each row of X; 0 if there are none."""
        # NaN sorts last.
        ordered = np.sort(X, axis=1)
        present = (~np.isnan(X)).sum(axis=1)
        row = np.arange(len(X))
        low = ordered[row, np.maximum(present - 1, 0) // 2].astype(np.float64)
        high = ordered[row, np.minimum(present // 2, X.shape[1] - 1)].astype(np.float64)
        return np.where(present > 0, (low + high) / 2, 0.0)


def _is_constant(scale: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.bool_]:
    return scale <= 10 * np.finfo(np.float64).eps * np.maximum(np.abs(mean), 1)


def _centre(
    X: NDArray[np.float32], rows: NDArray[np.int64], median: NDArray[np.float64], weight: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a centred float64 copy of X with missing values of these rows at their medians, and the means."""
    Z = X.astype(np.float64)
    Z[rows] = np.where(np.isnan(X[rows]), median[:, None], Z[rows])
    mean = _mean(Z, weight)
    Z -= mean[:, None]
    return Z, mean


def _mean(Z: NDArray[np.float64], weight: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Return the weighted mean of each row. (Not a BLAS product, whose rounding depends on an entry's position.)"""
    return Z.mean(axis=1) if weight is None else np.einsum("ij,j->i", Z, weight) / weight.sum()
