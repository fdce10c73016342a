"""Estimation of the factor model that imputes missing values (`imputation.py`).

x_j = mean_j + F_j z + e_j, with z ~ N(0, I) and e_j ~ N(0, d_j): probabilistic principal components with a separate
residual variance per feature (Tipping and Bishop, J. R. Stat. Soc. B 61:611, 1999). The number of factors is chosen by
the likelihood of held-out folds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CANDIDATES = (0, 1, 2, 4, 8, 12)
# Smallest residual variance, as a fraction of a feature's variance, because no CpG follows exactly from others.
LEAST_OWN = 0.05
# With more samples, only every second, third, ... is used. Covariances hardly change, and time stays bounded.
MOST_SAMPLES = 3000


def learn_covariance(values: NDArray, names: Sequence[str], fold: NDArray[np.int64]) -> dict[str, list]:
    """Estimate factors and residual variances of the features; returns the columns of Feature_Covariance.csv.

    Parameters
    ----------
    values : (features, samples), missing values at the training median
    fold : each sample's fold; whole groups share one
    """
    step = -(-values.shape[1] // MOST_SAMPLES)
    order = np.argsort(fold, kind="stable")[:: max(step, 1)]
    kept, own_fold = np.asarray(values[:, order], dtype=np.float64), fold[order]
    mean = np.asarray(values, dtype=np.float64).mean(axis=1) if values.shape[1] else np.zeros(len(values))
    scale = np.asarray(values, dtype=np.float64).std(axis=1) if values.shape[1] else np.zeros(len(values))
    k = choose_factors(kept[scale > 0], own_fold)
    loadings = np.zeros((len(values), k))
    if k:
        loadings[scale > 0] = principal_loadings(_standardised(kept[scale > 0])[0], k)
    own = np.maximum(1.0 - (loadings**2).sum(axis=1), LEAST_OWN) * scale**2
    factors = loadings * scale[:, None]
    # Eight significant digits are stored.
    columns: dict[str, list] = {"feature": list(names)}
    for name, numbers in (("mean", mean), ("own_variance", own)):
        columns[name] = [float(f"{x:.8g}") for x in numbers]
    return columns | {f"factor_{j + 1}": [float(f"{x:.8g}") for x in factors[:, j]] for j in range(k)}


def choose_factors(values: NDArray[np.float64], fold: NDArray[np.int64]) -> int:
    """Return the number of factors in CANDIDATES with the largest held-out likelihood; ties go to fewer factors."""
    features, n = values.shape
    folds = np.unique(fold)
    candidates = [k for k in CANDIDATES if k < min(features, n - n // max(len(folds), 1))]
    if len(folds) < 2 or len(candidates) < 2:
        return 0
    total = np.zeros(len(candidates))
    for one in folds:
        Z, mean, scale = _standardised(values[:, fold != one])
        loadings = principal_loadings(Z, candidates[-1])
        held_out = (values[:, fold == one] - mean) / scale
        for c, k in enumerate(candidates):
            total[c] += log_likelihood(held_out, loadings[:, :k])
    return candidates[int(np.argmax(total))]


def principal_loadings(Z: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Return the loadings (features, k) of the first k principal components of standardised features.

    Z : (features, samples)
    """
    features, n = Z.shape
    wide = features > n  # the smaller of the two Gram matrices has the same eigenvalues
    eigenvalues, vectors = np.linalg.eigh((Z.T @ Z if wide else Z @ Z.T) / n)
    top = np.argsort(eigenvalues)[::-1][:k]
    return Z @ vectors[:, top] / np.sqrt(n) if wide else vectors[:, top] * np.sqrt(np.maximum(eigenvalues[top], 0.0))


def log_likelihood(Z: NDArray[np.float64], loadings: NDArray[np.float64]) -> float:
    """Return the log-likelihood, up to a constant, of standardised features (features, samples)."""
    own = np.maximum(1.0 - (loadings**2).sum(axis=1), LEAST_OWN)
    scaled = loadings / own[:, None]
    precision = np.eye(loadings.shape[1]) + scaled.T @ loadings
    signal = scaled.T @ Z
    squares = (Z**2 / own[:, None]).sum() - (signal * np.linalg.solve(precision, signal)).sum()
    return float(-0.5 * (squares + Z.shape[1] * (np.log(own).sum() + np.linalg.slogdet(precision)[1])))


def _standardised(values: NDArray[np.float64]) -> tuple[NDArray, NDArray, NDArray]:
    mean, scale = values.mean(axis=1, keepdims=True), values.std(axis=1, keepdims=True)
    scale = np.where(scale > 0, scale, 1.0)
    return (values - mean) / scale, mean, scale
