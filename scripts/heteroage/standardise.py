"""Median imputation and standardisation of features, learnt from training samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Standardiser:
    """Per-feature statistics of one training set: median for imputation, then mean and deviation."""

    median: NDArray[np.float64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def fit(cls, X: NDArray[np.float32]) -> Standardiser:
        """Learn from X (features x training samples). A feature that is all NaN has median 0."""
        missing = np.isnan(X)
        some = ~missing.all(axis=1)
        median = np.zeros(len(X))
        median[some] = np.nanmedian(X[some].astype(np.float64), axis=1)
        filled = np.where(missing, median[:, None], X).astype(np.float64)
        mean, scale = filled.mean(axis=1), filled.std(axis=1)
        # A constant feature's deviation is rounding error: as in StandardScaler, it is left unscaled.
        constant = scale <= 10 * np.finfo(np.float64).eps * np.maximum(np.abs(mean), 1)
        return cls(median, mean, np.where(constant, 1.0, scale))

    def apply(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Impute and standardise X (features x samples)."""
        Z = np.where(np.isnan(X), self.median[:, None], X).astype(np.float64)
        Z -= self.mean[:, None]
        Z /= self.scale[:, None]
        return Z
