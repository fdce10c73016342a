"""Elastic-net problems of every kind, and the definition of their solution."""

import numpy as np

from heteroage.engine.training_set import TrainingSet

ALPHAS = np.geomspace(0.8, 0.02, 9)


def reference_matrix(X, rows):
    """Impute with the median, standardise: the definition, one feature at a time, in float64."""
    Z = np.empty((len(rows), len(X)))
    for j, feature in enumerate(X[:, rows].astype(np.float64)):
        present = ~np.isnan(feature)
        filled = np.where(present, feature, np.median(feature[present]) if present.any() else 0.0)
        scale = filled.std()
        Z[:, j] = (filled - filled.mean()) / (scale if scale > 1e-12 * max(1, abs(filled.mean())) else 1.0)
    return Z


def objective(Z, y, w, alpha, l1_ratio):
    residual = y - y.mean() - Z @ w
    return residual @ residual / (2 * len(y)) + alpha * (l1_ratio * np.abs(w).sum() + (1 - l1_ratio) / 2 * (w @ w))


def dense(paths, j, i, p):
    """Weights at an l1_ratio and alpha, of the first technical_sd."""
    w = np.zeros(p)
    features, weights = paths.coefficients(0, j, i)
    w[features] = weights
    return w


def problem(name):
    """Return X (features x samples) and y; every kind of feature matrix the engine must cope with."""
    rng = np.random.default_rng(sum(map(ord, name)))
    n, p = {"wide": (60, 400), "tall": (300, 40)}.get(name, (90, 220))
    Z = rng.normal(size=(p, n))
    if name == "correlated":
        Z = 0.95 * rng.normal(size=n) + 0.3 * Z
    if name == "duplicated":
        Z[1::2] = Z[::2]
    y = Z[:6].T @ rng.normal(size=6) + 0.5 * rng.normal(size=n)
    X = (0.5 + 0.1 * Z).astype(np.float32)
    if name == "low_variance":
        X[::3] = (0.97 + 0.0005 * Z[::3]).astype(np.float32)
    if name == "constant":
        X[::5] = 0.3
        X[1::5] = 0
    if name == "missing":
        X[rng.random(X.shape) < 0.1] = np.nan
        X[::4, : n // 3] = np.nan
        X[7] = np.nan
    if name == "scales":
        X *= np.geomspace(1e-3, 1e4, p, dtype=np.float32)[:, None]
    return X, y


PROBLEMS = ["wide", "tall", "plain", "correlated", "duplicated", "low_variance", "constant", "missing", "scales"]


def training_sets(X, y, rng):
    n = X.shape[1]
    odd = np.sort(rng.choice(n, int(0.7 * n), replace=False))
    other = np.sort(rng.choice(n, int(0.5 * n), replace=False))
    return [
        TrainingSet(np.arange(n), y),
        TrainingSet(odd, y[odd]),
        TrainingSet(other, 3 * y[other] - 40 + rng.normal(size=len(other))),
    ]


def as_array(paths, p):
    return np.array([[dense(paths, j, i, p) for i in range(paths.shape[2])] for j in range(paths.shape[1])])
