"""Time one Python solver on one problem, a fold and an l1_ratio at a time; prints a line of JSON.

    python peer.py FOLDER adelie|celer|sklearn-path|sklearn-cold --l1 0.5 ... [--folds 5]

All solve the objective of scikit-learn's ElasticNet on features standardised by the training samples, over the same
alphas. sklearn-cold is how the original heteroage-clock tuned its anchor: a fit from nothing for every alpha and fold.
Reading and standardising are not timed; adelie standardises as it goes.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from shared import ALPHAS, SHOWN, objective, resident_gib

THREADS = 2


def adelie(X: NDArray, y: NDArray, l1_ratio: float) -> tuple[float, NDArray]:
    """Yang and Hastie 2024; float32, tolerance 1e-9."""
    import adelie as ad

    mean, scale = X.mean(axis=0, dtype=np.float64), X.std(axis=0, dtype=np.float64)
    begun = time.perf_counter()
    matrix = ad.matrix.standardize(
        ad.matrix.dense(X, method="naive", n_threads=THREADS),
        centers=mean.astype(np.float32),
        scales=scale.astype(np.float32),
        n_threads=THREADS,
    )
    state = ad.grpnet(
        X=matrix,
        glm=ad.glm.gaussian(y=y.astype(np.float32), dtype=np.float32),
        alpha=l1_ratio,
        lmda_path=ALPHAS.astype(np.float32),
        early_exit=False,
        tol=1e-9,
        max_iters=10**6,
        progress_bar=False,
        n_threads=THREADS,
    )
    return time.perf_counter() - begun, state.betas.toarray().T


def standardised(X: NDArray, y: NDArray) -> tuple[NDArray, NDArray]:
    """Features and target as scikit-learn's own path functions want them."""
    Z = (X - X.mean(axis=0, dtype=np.float64)) / X.std(axis=0, dtype=np.float64)
    return np.asfortranarray(Z, np.float32), (y - y.mean()).astype(np.float32)


def celer(X: NDArray, y: NDArray, l1_ratio: float) -> tuple[float, NDArray]:
    """Massias et al. 2018, working sets with dual extrapolation."""
    from celer import celer_path

    Z, target = standardised(X, y)
    begun = time.perf_counter()
    coef = celer_path(Z, target, "lasso", alphas=ALPHAS, l1_ratio=l1_ratio, tol=1e-4)[1]
    return time.perf_counter() - begun, coef


def sklearn_path(X: NDArray, y: NDArray, l1_ratio: float) -> tuple[float, NDArray]:
    """Warm starts along the path, all features every time."""
    from sklearn.linear_model import enet_path

    Z, target = standardised(X, y)
    begun = time.perf_counter()
    coef = enet_path(Z, target, l1_ratio=l1_ratio, alphas=ALPHAS, tol=1e-4, max_iter=5000, precompute=False)[1]
    return time.perf_counter() - begun, coef


def sklearn_cold(X: NDArray, y: NDArray, l1_ratio: float) -> tuple[float, NDArray]:
    """One fit from nothing for every alpha."""
    from sklearn.linear_model import ElasticNet

    Z, target = standardised(X, y)
    begun = time.perf_counter()
    fits = [ElasticNet(alpha=alpha, l1_ratio=l1_ratio, max_iter=1000).fit(Z, target).coef_ for alpha in ALPHAS]
    return time.perf_counter() - begun, np.stack(fits, axis=1)


SOLVERS = {"adelie": adelie, "celer": celer, "sklearn-path": sklearn_path, "sklearn-cold": sklearn_cold}


def main() -> None:
    """Read the arguments, solve, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("solver", choices=SOLVERS)
    parser.add_argument("--l1", type=float, nargs="+", default=[0.5])
    parser.add_argument("--folds", type=int, default=5)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    features, target = np.load(given.folder / "features.npy", mmap_mode="r"), np.load(given.folder / "target.npy")
    fold, seconds, found = np.load(given.folder / "fold.npy"), {}, {}
    for k in range(given.folds):
        X, y = np.take(features, np.flatnonzero(fold != k), axis=1).T, target[fold != k]
        for l1_ratio in given.l1:
            seconds[f"fold {k} l1_ratio {l1_ratio:g}"], coef = SOLVERS[given.solver](X, y, l1_ratio)
            for i in SHOWN if k == 0 else ():
                used = np.flatnonzero(coef[:, i])
                value = objective(
                    X[:, used].T.astype(np.float64), y, coef[used, i].astype(np.float64), ALPHAS[i], l1_ratio
                )
                found[f"{l1_ratio:g} {ALPHAS[i]:.4g}"] = value
    print(
        json.dumps(
            {"solver": given.solver, "each": seconds, "resident_gib": resident_gib("VmHWM"), "objectives": found}
        )
    )


if __name__ == "__main__":
    main()
