"""Median imputation and standardisation of features, learnt from a training set's own samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Standardiser:
    """Per-feature statistics of one training set: median for imputation, then mean and deviation.

    A feature is `constant` where its deviation is rounding error: as in scikit-learn's StandardScaler, it is
    left unscaled (scale 1).
    """

    median: NDArray[np.float64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    constant: NDArray[np.bool_]

    @classmethod
    def fit(cls, X: NDArray[np.float32]) -> Standardiser:
        """Learn from X (features x training samples)."""
        filled, median = _fill(X)
        mean = filled.mean(axis=1)
        filled -= mean[:, None]
        np.square(filled, out=filled)
        scale = np.sqrt(filled.mean(axis=1))
        constant = scale <= 10 * np.finfo(np.float64).eps * np.maximum(np.abs(mean), 1)
        return cls(median, mean, np.where(constant, 1.0, scale), constant)

    def apply(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Impute and standardise X (features x samples)."""
        Z = np.where(np.isnan(X), self.median[:, None], X).astype(np.float64, copy=False)
        Z -= self.mean[:, None]
        Z /= self.scale[:, None]
        return Z

    @staticmethod
    def medians(X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Median of the values present in each row of X; 0 where there are none."""
        # NaN sorts last.
        ordered = np.sort(X, axis=1)
        present = (~np.isnan(X)).sum(axis=1)
        row = np.arange(len(X))
        low = ordered[row, np.maximum(present - 1, 0) // 2].astype(np.float64)
        high = ordered[row, np.minimum(present // 2, X.shape[1] - 1)].astype(np.float64)
        return np.where(present > 0, (low + high) / 2, 0.0)


def _fill(X: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Float64 copy of X with missing values at the medians, and the medians."""
    filled, missing = X.astype(np.float64), np.isnan(X)
    median = Standardiser.medians(X)
    return np.where(missing, median[:, None], filled), median
