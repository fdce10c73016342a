"""Passes over all features: their statistics, and their correlations with the residuals of all paths at once.

Residuals sum to zero in a training set and are zero outside of it. So c = Z'r/n is the raw product X'r divided by n
times the standard deviation. For missing values, the median times the sum of their residuals is added. One product of
the raw matrix therefore serves every training set, and no training set needs its own matrix. With sample weights, r is
weight x residual.

One worker processes each block of features. A sum depends only on the feature and the training set or residual
(`training_sums`, `residual_products`). For small matrices, sums are BLAS products in blocks of fixed size with one
thread, so that their order is the same for any number of workers.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from heteroage.engine import simple_products
from heteroage.engine.simple_products import Found
from heteroage.engine.standardise import Standardiser
from heteroage.engine.training_set import TrainingSet

FEATURES_PER_CHUNK = 64  # number of features standardised at a time, so that they fit into the cache
FEATURES_PER_TASK = 2048  # number of features that a worker processes at a time
LARGE = 1 << 22  # number of values from which compiled code is faster, including its loading time (0.2 s)
LOST_DIGITS = 1e-7  # a variance below this fraction of the squared mean is computed again by a two-pass formula

Mapper = Callable[..., Iterable]


class FeaturePass:
    """The feature matrix with its statistics in every training set, computed in one pass.

    X : (features, samples) float32, may be a memory map; NaN where missing
    sets : the training sets, normalised
    mapper : `map`, or that of a pool of threads
    """

    def __init__(
        self,
        X: NDArray[np.float32],
        sets: Sequence[TrainingSet],
        mapper: Mapper,
    ) -> None:
        self.X, self.sets, self.mapper = X, sets, mapper
        # The weights (their sum is the number of samples), then the centred targets times the weights.
        columns = np.zeros((2 * len(sets), X.shape[1]))
        for t, own in enumerate(sets):
            weight = 1.0 if own.weight is None else own.weight
            columns[t, own.rows], columns[len(sets) + t, own.rows] = weight, weight * (own.y - own.mean)
        # Medians are not weighted, so training sets with the same samples share them.
        self._members = np.unique(columns[: len(sets)] != 0, axis=0, return_inverse=True)
        self._residuals, self._sums, self._medians = products_for(X)
        parts = list(mapper(lambda part: self._learn(part, columns), _slices(len(X), FEATURES_PER_TASK)))
        joined = (np.concatenate([part[k] for part in parts], axis=-1) for k in range(6))
        self.median, self.mean, self.scale, self._inverse, self.first, self.missing = joined
        self._single = self.median.astype(np.float32)  # for the products

    def only(self, sets: Sequence[TrainingSet], mapper: Mapper) -> FeaturePass | None:
        """Return the pass for some of its training sets, with other threads; None if it does not have all of them."""
        place = {(own.key, own.y.tobytes()): t for t, own in enumerate(self.sets)}
        at = [place.get((own.key, own.y.tobytes())) for own in sets]
        if None in at:
            return None
        chosen = copy.copy(self)
        chosen.sets, chosen.mapper = sets, mapper
        for name in ("median", "mean", "scale", "_inverse", "first", "_single"):
            setattr(chosen, name, getattr(self, name)[at])
        return chosen

    def of(self, training_set: int, features: NDArray[np.int64]) -> tuple[NDArray[np.float64], ...]:
        """Return the features' medians, means and scales in a training set."""
        return tuple(statistic[training_set, features] for statistic in (self.median, self.mean, self.scale))

    def standardised(self, training_set: int, features: NDArray[np.int64], dtype: type) -> NDArray:
        """Return imputed and standardised rows of features, times the square roots of the samples' weights.

        Returns (features, samples of the training set), of `dtype`.
        """
        own, (median, mean, scale) = self.sets[training_set], self.of(training_set, features)
        median, mean, factor = (values.astype(dtype)[:, None] for values in (median, mean, 1 / scale))
        Z = np.empty((len(features), len(own.rows)), dtype)
        for part in _slices(len(features), FEATURES_PER_CHUNK):
            block = np.asarray(self.X[features[part]]).take(own.rows, axis=1).astype(dtype, copy=False)
            np.copyto(block, median[part], where=np.isnan(block))
            np.subtract(block, mean[part], out=block)
            np.multiply(block, factor[part], out=Z[part])
            if own.root is not None:
                Z[part] *= own.root.astype(dtype)
        return Z

    # median : (training sets, features), 0 if a feature is all missing, or not missing in any sample
    # mean, scale : (training sets, features), weighted mean and standard deviation after imputation
    # _inverse : 1 / (n scale), 0 if a feature is constant
    # first : correlations with the centred targets
    # missing : (features,), NaN for any sample

    def _learn(self, part: slice, columns: NDArray[np.float64]) -> tuple[NDArray, ...]:
        raw, sets = np.asarray(self.X[part]), len(self.sets)
        sums, squares, absent, missing = self._sums(raw, columns)
        median = np.zeros((sets, len(raw)))
        if missing.any():
            members, of_set = self._members
            median[:, missing] = self._medians(raw[missing], members)[of_set]
            sums += np.tile(median, (2, 1)) * absent
            squares += median**2 * absent[:sets]
        size = np.array([[len(own.rows)] for own in self.sets], np.float64)
        mean = sums[:sets] / size
        variance = squares / size - mean**2
        scale = np.sqrt(np.maximum(variance, np.finfo(np.float64).tiny))
        inverse = 1 / (size * scale)
        # The difference of squares is inaccurate if the standard deviation is small relative to the mean.
        for t, own in enumerate(self.sets):
            at = np.flatnonzero(variance[t] <= LOST_DIGITS * mean[t] ** 2)
            if len(at):
                exact = Standardiser.fit(raw[at].take(own.rows, axis=1), own.weight)
                scale[t, at] = exact.scale
                inverse[t, at] = np.where(exact.constant, 0.0, 1 / (size[t] * exact.scale))
        first = sums[sets:] * inverse
        return median, mean, scale, inverse.astype(np.float32), first.astype(np.float32), missing

    def above(
        self, residuals: NDArray[np.float32], set_of: NDArray[np.int64], thresholds: NDArray[np.float32]
    ) -> list[Found]:
        """Return for each path the features with |c| at or above its threshold, and their c.

        residuals : (paths, samples), times the samples' weights; 0 outside the path's training set
        set_of : (paths,), the training set of each
        thresholds : (paths,)
        """
        of_all = self._residuals(residuals)

        def found(part: slice) -> list[Found]:
            return of_all.above(part, self.missing, set_of, self._single, self._inverse, thresholds)

        of_blocks = list(self.mapper(found, _slices(len(self.X), FEATURES_PER_TASK)))
        return [
            (np.concatenate([block[k][0] for block in of_blocks]), np.concatenate([block[k][1] for block in of_blocks]))
            for k in range(len(residuals))
        ]


def products_for(X: NDArray[np.float32]) -> tuple[Callable, Callable, Callable]:
    """Return the functions for correlations with residuals, sums and medians: compiled, or NumPy's for small matrices.

    The choice depends only on the matrix, so that no path's rounding depends on other paths.
    """
    if X.size < LARGE:
        simple = simple_products
        return partial(simple.Residuals, simple.Complete(X)), simple.training_sums, simple.medians
    from heteroage.engine import residual_products, training_sums  # load Numba

    return partial(residual_products.Residuals, X), training_sums.training_sums, training_sums.medians


def _slices(length: int, size: int) -> Iterator[slice]:
    for start in range(0, max(length, 1), size):
        yield slice(start, min(start + size, length))
