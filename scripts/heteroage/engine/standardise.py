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
        constant = _is_constant(scale, mean)
        return cls(median, mean, np.where(constant, 1.0, scale), constant)

    @staticmethod
    def own(X: NDArray[np.float32]) -> NDArray[np.float64]:
        """Impute and standardise training samples by their own statistics: `fit(X).apply(X)`, with less work.

        Medians are not looked for where nothing is missing.
        """
        absent = np.isnan(X)
        missing = np.flatnonzero(absent.any(axis=1))
        Z = X.astype(np.float64)
        if len(missing):
            Z[missing] = np.where(absent[missing], Standardiser.medians(X[missing])[:, None], Z[missing])
        mean = Z.mean(axis=1)
        Z -= mean[:, None]
        scale = np.sqrt(np.square(Z).mean(axis=1))
        Z /= np.where(_is_constant(scale, mean), 1.0, scale)[:, None]
        return Z

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


def _is_constant(scale: NDArray[np.float64], mean: NDArray[np.float64]) -> NDArray[np.bool_]:
    return scale <= 10 * np.finfo(np.float64).eps * np.maximum(np.abs(mean), 1)


def _fill(X: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Float64 copy of X with missing values at the medians, and the medians."""
    filled, missing = X.astype(np.float64), np.isnan(X)
    median = Standardiser.medians(X)
    return np.where(missing, median[:, None], filled), median
