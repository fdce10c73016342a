"""Elastic-net paths of many training sets at once.

Each path minimises, for every alpha of a decreasing grid,

    sum_i v_i (y_i - b - z_i'w)² / (2 sum_i v_i)  +  alpha (l1_ratio |w|₁ + (1 - l1_ratio) / 2 |w|₂²)
        +  (tau² / 2) sum_j (w_j / s_j)²

over the coefficients w and the intercept b. z_i is sample i's features after median imputation and standardisation,
v_i its weight, and s_j feature j's standard deviation. Means and deviations are weighted, medians are not.

The first line is the elastic net of Zou and Hastie (JRSS B 67:301, 2005), with scikit-learn's scaling and sample
weights. The second line is the expected loss from technical noise, if every value of a new cohort has an independent
error of standard deviation tau (training with noise is a ridge: Bishop, Neural Computation 7:108, 1995). tau is
`technical_sd`. With tau 0, or for features that are not `noisy`, this is the plain elastic net.
All statistics are computed from the training set's own samples. `path_walk` describes the algorithm.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from threadpoolctl import ThreadpoolController

from heteroage.engine.active_set import PathSolver
from heteroage.engine.feature_pass import FeaturePass, Mapper
from heteroage.engine.path_walk import RegularisationPath, Walk
from heteroage.engine.standardise import Standardiser
from heteroage.engine.training_set import TrainingSet

TURN = 2e-4  # interpreter switch interval between threads, in seconds
NEARLY = 0.99  # features with |c| above this fraction of the bound are candidates of the final fit in float64


@dataclass(frozen=True)
class Paths:
    """The solutions of one training set, for each technical_sd, l1_ratio and alpha.

    used : rows of X with a nonzero weight in any solution, sorted
    standardiser : statistics of these rows
    coef : (technical_sds x l1_ratios x alphas, used), on the standardised scale
    shape : (technical_sds, l1_ratios, alphas)
    intercept : the training mean of y, as Z is centred
    nearly : for each technical_sd and l1_ratio, the rows with a nonzero weight at the last alpha or within 1% of
        entering
    """

    used: NDArray[np.int64]
    standardiser: Standardiser
    coef: csr_array
    shape: tuple[int, int, int]
    intercept: float
    nearly: tuple[NDArray[np.int64], ...]

    @property
    def n_features(self) -> NDArray[np.int64]:
        """Number of used features, (technical_sds, l1_ratios, alphas)."""
        return np.diff(self.coef.indptr).astype(np.int64).reshape(self.shape)

    def coefficients(self, *at: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return rows of X with a nonzero weight in one solution (indices as in `shape`), and standardised weights."""
        k = np.ravel_multi_index(at, self.shape)
        entries = slice(self.coef.indptr[k], self.coef.indptr[k + 1])
        return self.used[self.coef.indices[entries]], self.coef.data[entries]

    def predict(self, X: NDArray[np.float32], samples: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Predict samples (all, or these columns of X); returns (*shape, samples) on y's scale.

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
    technical_sds: Sequence[float] = (0.0,),
    noisy: NDArray[np.bool_] | None = None,
    threads: int = 1,
    label: str = "",
    learnt: FeaturePass | None = None,
) -> list[Paths]:
    """Solve the paths of all training sets along a decreasing grid of alphas; returns the Paths of each training set.

    The parameters are those of `open_paths`.
    """
    with open_paths(X, training_sets, l1_ratios, technical_sds, noisy, threads, label, learnt) as solve:
        return solve(alphas)


@contextmanager
def open_paths(
    X: NDArray[np.float32],
    training_sets: Sequence[TrainingSet],
    l1_ratios: Sequence[float],
    technical_sds: Sequence[float] = (0.0,),
    noisy: NDArray[np.bool_] | None = None,
    threads: int = 1,
    label: str = "",
    learnt: FeaturePass | None = None,
) -> Iterator[Callable[..., list[Paths]]]:
    """Solve the paths of all training sets in several calls, so that the caller can extend the grid of alphas.

    The objective is within a relative 1e-6 of its optimum. Every feature's optimality condition is checked at every
    alpha. The result has the same bytes for any number of threads. The result of a training set does not depend on
    values outside its samples.

    X : (features, samples) float32, rows contiguous, may be a memory map; NaN where missing
    training_sets : any sets of samples, with any targets and weights
    l1_ratios : each in (0, 1]
    technical_sds : standard deviations of technical noise, on the scale of X
    noisy : (features,), which features have technical noise; default: all
    threads : number of threads
    label : name of these paths in the log
    learnt : statistics of training sets, from `learn_statistics`; used if they include these sets
    Returns a function that solves at decreasing alphas and returns the Paths of each training set; paths continue from
    their last solution if the alphas are below the earlier ones. Its second argument is the first alpha of the next
    call, if known: features that are expected to enter there are kept. Its third are the l1_ratios that go on, if not
    all: the others' solutions at these alphas are 0.
    """
    with one_blas_thread(), _workers(threads) as mapper:
        sets = [training_set.normalised() for training_set in training_sets]
        noisy = np.ones(len(X), bool) if noisy is None else noisy
        features = (learnt and learnt.only(sets, mapper)) or FeaturePass(X, sets, mapper)
        first = Walk(features, technical_sds, noisy, l1_ratios)
        each = len(technical_sds) * len(l1_ratios)

        def solve(
            alphas: NDArray[np.float64], following: float | None = None, going_on: Sequence[float] | None = None
        ) -> list[Paths]:
            alphas = np.asarray(alphas, np.float64)
            goes_on = not len(alphas) or alphas[0] < first.lowest
            walk = first if goes_on else Walk(features, technical_sds, noisy, l1_ratios)
            begin = walk.walked
            walk.go_on(alphas, following, going_on, label)
            shape = (len(technical_sds), len(l1_ratios), len(alphas))
            return [_collect(walk, t, walk.paths[t * each : (t + 1) * each], shape, begin) for t in range(len(sets))]

        yield solve


def learn_statistics(X: NDArray[np.float32], training_sets: Sequence[TrainingSet], threads: int) -> FeaturePass:
    """Compute the statistics of training sets that are used in several calls."""
    with one_blas_thread(), _workers(threads) as mapper:
        return FeaturePass(X, [training_set.normalised() for training_set in training_sets], mapper)


@cache
def _libraries() -> ThreadpoolController:
    """Find the BLAS libraries once, because this takes milliseconds. The engine's imports have loaded them all."""
    return ThreadpoolController()


def one_blas_thread() -> AbstractContextManager[None]:
    """Context in which BLAS has one thread, so that sums have the same order on every machine."""
    return _libraries().limit(limits=1, user_api="blas")


@contextmanager
def _workers(threads: int) -> Iterator[Mapper]:
    """Yield the mapper of a pool of threads; `map` for one thread, because most tasks are short.

    The interpreter's switch interval is shortened meanwhile, because most tasks that workers wait for are shorter.
    """
    if threads == 1:
        yield map
        return
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN)
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield pool.map
    finally:
        sys.setswitchinterval(before)


def _collect(
    walk: Walk, training_set: int, paths: Sequence[RegularisationPath], shape: tuple[int, int, int], begin: int
) -> Paths:
    found = [path.solutions.get(k) for path in paths for k in range(begin, begin + shape[-1])]
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
    constant = np.zeros(len(used), bool)  # a constant feature enters no working set
    standardiser = Standardiser(*walk.features.of(training_set, used), constant)
    nearly = tuple(path.near_bound(NEARLY) for path in paths)
    return Paths(used, standardiser, coef, shape, walk.sets[training_set].mean, nearly)


def exact_weights(
    X: NDArray[np.float32],
    training_set: TrainingSet,
    alpha: float,
    l1_ratio: float,
    technical_sd: float,
    noisy: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Solve at one alpha on a small set of features, in float64.

    X : (features, the training set's samples)
    training_set : normalised
    noisy : (features,)
    Returns (features,), weights on the standardised scale.
    """
    standardiser = Standardiser.fit(X, training_set.weight)
    target = training_set.scaled(training_set.y - training_set.mean)
    solver = PathSolver(target, l1_ratio, np.float64, training_set.root)
    noise = np.where(noisy, technical_sd / standardiser.scale, 0.0) ** 2
    solver.add(np.arange(len(X)), training_set.scaled(standardiser.apply(X)), noise)
    solver.solve(alpha, alpha)
    return solver.w[np.argsort(solver.features)]
