"""Elastic-net paths of many training sets at once, and the deployable model of one configuration.

Each path minimises, for every alpha of a falling grid,

    (1 / 2n) ||y - b - Z w||²  +  alpha (l1_ratio |w|₁ + (1 - l1_ratio) / 2 |w|₂²)

over the coefficients w and the intercept b, where Z is the training set's feature matrix after median
imputation and standardisation (Zou and Hastie, JRSS B 67:301, 2005; the scaling is scikit-learn's).
Every statistic comes from the training set's own rows. `path_walk` says how the paths are found.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import ElasticNet
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from heteroage.age import inverse_transform_age, transform_age
from heteroage.engine.active_set import PathSolver
from heteroage.engine.path_walk import Path, Walk
from heteroage.engine.standardise import Standardiser

FINAL_TOLERANCE = 1e-12  # scikit-learn's, on the duality gap relative to |y|²
MAX_ITERATIONS = 100_000
TURN = 2e-4  # seconds that a thread may hold the interpreter while another waits
NEARLY = 0.99  # features this near to entering are offered to the final fit, which decides in float64


@dataclass(frozen=True)
class TrainingSet:
    """The samples to train on (sorted columns of X) and their targets."""

    rows: NDArray[np.int64]
    y: NDArray[np.float64]


@dataclass(frozen=True)
class Paths:
    """The solutions of one training set, for each l1_ratio and alpha.

    used : rows of X with weight anywhere, sorted
    standardiser : their statistics
    coef : (l1_ratios x alphas, used), on the standardised scale
    shape : (l1_ratios, alphas)
    intercept : the training mean of y, as Z is centred
    nearly : for each l1_ratio, the rows that have weight at the last alpha or are within 1% of it
    """

    used: NDArray[np.int64]
    standardiser: Standardiser
    coef: csr_array
    shape: tuple[int, int]
    intercept: float
    nearly: tuple[NDArray[np.int64], ...]

    @property
    def n_features(self) -> NDArray[np.int64]:
        """Number of used features, (l1_ratios, alphas)."""
        return np.diff(self.coef.indptr).astype(np.int64).reshape(self.shape)

    def coefficients(self, l1_index: int, alpha_index: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Rows of X with weight in one solution, and their weights on the standardised scale."""
        k = l1_index * self.shape[1] + alpha_index
        entries = slice(self.coef.indptr[k], self.coef.indptr[k + 1])
        return self.used[self.coef.indices[entries]], self.coef.data[entries]

    def predict(self, X: NDArray[np.float32], samples: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Predict samples (all, or these columns of X); returns (l1_ratios, alphas, samples) on y's scale.

        X (features x all samples) may be a memory map: only the used features are read.
        """
        raw = np.asarray(X[self.used])
        Z = self.standardiser.apply(raw if samples is None else raw.take(samples, axis=1))
        return self.intercept + (self.coef @ Z).reshape(*self.shape, -1)


def fit_paths(
    X: NDArray[np.float32],
    training_sets: Sequence[TrainingSet],
    l1_ratios: Sequence[float],
    alphas: NDArray[np.float64],
    threads: int = 1,
    label: str = "",
) -> list[Paths]:
    """Solve the paths of all training sets.

    The objective is within 1e-6 of its optimum, relatively; every feature's optimality condition is checked at
    every alpha. The result is the same, to the byte, for any number of threads, and a training set's does not
    depend on any value outside its rows.

    Parameters
    ----------
    X : (features, samples) float32, rows contiguous, may be a memory map; NaN where missing
    training_sets : any sets of samples, with any targets
    l1_ratios : each in (0, 1]
    alphas : falling
    threads : workers
    label : how the log names these paths

    Returns
    -------
    Paths of each training set.
    """
    alphas = np.asarray(alphas, np.float64)
    # One BLAS thread in each worker: the sums then have the same order whatever the machine.
    with threadpool_limits(1, user_api="blas"), _short_turns(), ThreadPoolExecutor(threads) as pool:
        walk = Walk(X, [s.rows for s in training_sets], [s.y for s in training_sets], l1_ratios, alphas, pool)
        walk.run(label)
        paths = [walk.paths[t * len(l1_ratios) : (t + 1) * len(l1_ratios)] for t in range(len(training_sets))]
        jobs = zip(training_sets, paths, strict=True)
        return list(pool.map(lambda job: _collect(X, *job, len(alphas)), jobs))


@contextmanager
def _short_turns() -> Iterator[None]:
    """Let threads hold the interpreter for shorter turns: most of what workers wait for here takes less than one."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def _collect(X: NDArray[np.float32], training_set: TrainingSet, paths: Sequence[Path], n_alphas: int) -> Paths:
    found = [path.solutions.get(k) for path in paths for k in range(n_alphas)]
    empty = np.empty(0, np.int64)
    used = np.unique(np.concatenate([empty, *(solution.features for solution in found if solution)]))
    lengths = [len(solution.features) if solution else 0 for solution in found]
    coef = csr_array(
        (
            np.concatenate([np.empty(0), *(solution.weights for solution in found if solution)]),
            np.searchsorted(used, np.concatenate([empty, *(solution.features for solution in found if solution)])),
            np.concatenate([[0], np.cumsum(lengths)]),
        ),
        shape=(len(found), len(used)),
    )
    standardiser = Standardiser.fit(np.asarray(X[used]).take(training_set.rows, axis=1))
    nearly = tuple(path.near_bound(NEARLY) for path in paths)
    return Paths(used, standardiser, coef, (len(paths), n_alphas), float(training_set.y.mean()), nearly)


def fit_pipeline(
    X: NDArray[np.float32],
    feature_names: Sequence[str],
    training_set: TrainingSet,
    alpha: float,
    l1_ratio: float,
    alphas: NDArray[np.float64],
    transform_target: bool,
    threads: int = 1,
) -> Pipeline:
    """Fit the deployable model of one configuration: imputer, scaler, elastic net, on the features it uses.

    The warm path over `alphas` down to `alpha` finds the features with weight; the Pipeline is scikit-learn's
    own fit on those, which has the same optimum. A model that uses none keeps one feature, at weight 0.

    Parameters
    ----------
    X : (features, samples), may be a memory map
    training_set : the samples to train on; targets in years
    transform_target : fit the transformed age (and predict years), or y as it is, without an intercept: a
        correction is 0 on average, and 0 for everybody where no feature helps
    threads : workers

    Returns
    -------
    Pipeline with `feature_names_in_`, predicting years from a frame of these columns.
    """
    rows, y = training_set.rows, training_set.y
    target = transform_age(y) if transform_target else y
    falling = np.append(alphas[alphas > alpha], alpha)
    path = fit_paths(X, [TrainingSet(rows, target)], [l1_ratio], falling, threads, "final model")[0]
    offered = path.nearly[0] if len(path.nearly[0]) else np.array([0])
    with threadpool_limits(1, user_api="blas"):
        used, weights = _exact_weights(np.asarray(X[offered]).take(rows, axis=1), target, alpha, l1_ratio)
        used = offered[used] if len(used) else offered[:1]
        net = ElasticNet(
            alpha=alpha,
            l1_ratio=l1_ratio,
            tol=FINAL_TOLERANCE,
            max_iter=MAX_ITERATIONS,
            fit_intercept=transform_target,
        )
        model = TransformedTargetRegressor(
            net, func=transform_age, inverse_func=inverse_transform_age, check_inverse=False
        )
        pipeline = Pipeline(
            [
                ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
                ("scale", StandardScaler()),
                ("elastic_net", model if transform_target else net),
            ]
        )
        names = [feature_names[row] for row in used]
        frame = pd.DataFrame(np.asarray(X[used]).take(rows, axis=1).T.astype(np.float64), columns=names)
        net.set_params(max_iter=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            pipeline.fit(frame, y)
        # scikit-learn's coordinate descent starts from the optimum, and has only to confirm it.
        net.set_params(max_iter=MAX_ITERATIONS)
        fitted = pipeline[-1].regressor_ if transform_target else net
        fitted.set_params(max_iter=MAX_ITERATIONS, warm_start=True)
        fitted.coef_ = weights
        fitted.fit(pipeline[:-1].transform(frame), target)
        fitted.set_params(warm_start=False)
    return pipeline


def _exact_weights(
    X: NDArray[np.float32], y: NDArray[np.float64], alpha: float, l1_ratio: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Solve at one alpha in float64; returns the rows of X with weight, and their weights (0, once, if none has)."""
    solver = PathSolver(y - y.mean(), l1_ratio, np.float64)
    solver.add(np.arange(len(X)), Standardiser.own(X))
    solver.solve(alpha, alpha)
    used = np.flatnonzero(solver.w)
    return used, solver.w[used] if len(used) else np.zeros(1)
