"""Principal components, with the signs of scikit-learn's PCA, which takes a second to import."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import linalg  # loaded before a script limits BLAS to one thread, which libraries loaded later ignore


def principal_components(
    values: NDArray[np.float64], n: int, by_covariance: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Compute the first n principal components of samples; each one's largest loading is positive.

    values : (samples, features), without missing values
    by_covariance : from the features' covariance, which is less exact, but faster if there are many samples
    Returns (samples, n) components, (n, features) loadings, (features,) means.
    """
    mean = values.mean(axis=0)
    if by_covariance:
        covariance = values.T @ values
        covariance -= len(values) * mean[:, None] * mean
        covariance /= len(values) - 1
        loadings = np.array(np.linalg.eigh(covariance)[1].T[::-1][:n])
        loadings *= _signs(loadings)[:, None]
        return values @ loadings.T - mean @ loadings.T, loadings, mean
    left, length, right = linalg.svd(values - mean, full_matrices=False)
    signs = _signs(right[:n])
    return left[:, :n] * signs * length[:n], right[:n] * signs[:, None], mean


def _signs(loadings: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sign of each component's largest loading."""
    return np.sign(loadings[np.arange(len(loadings)), np.abs(loadings).argmax(axis=1)])
