"""Missing CpGs at prediction: their conditional means given the CpGs that the sample has.

Under the factor model x_j = mean_j + F_j z + e_j (`factors.py`), a sample's z given its measured CpGs M is normal with
precision P = I + sum over M of F_j' F_j / d_j and mean P^-1 sum over M of F_j (x_j - mean_j) / d_j. A missing CpG takes
mean_j + F_j z, and the missing CpGs' total contribution w'x has the variance (w'F) P^-1 (F'w) + sum of w_j² d_j.

All sums over CpGs are of whole numbers below 2^53, so that they are exact in double precision: matrix products may add
in any order, and a sample's numbers have the same bits whatever stands beside it. Rounding to these whole numbers moves
an imputed value by less than 1e-6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from heteroage.clock.applicability import Covariance

EXACT = 52  # bits of a sum
VALUE = 22  # binary places of a value
LARGEST_VALUE = 2  # bits before them: values further outside 0 to 1 are refused
SCORE, LARGEST_SCORE = 20, 10  # binary places of a factor's score, and bits before them
BLOCK = 128  # CpGs of a matrix product
SAMPLES = 8192  # samples of a matrix product


def whole(numbers: NDArray[np.float64], bits: int, axis: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale by powers of two along an axis and round, so that the absolute sum along it stays below 2^bits.

    Returns
    -------
    whole numbers, and what to multiply them by to get `numbers` again
    """
    total = np.abs(numbers).sum(axis=axis, keepdims=True) + 2.0**-200
    unit = 2.0 ** (np.ceil(np.log2(total)) - bits + 1)
    return np.rint(numbers / unit), unit


class Conditional:
    """The factor model of a clock's CpGs, in whole numbers.

    names : the CpGs that are read, in order
    """

    def __init__(self, covariance: Covariance, names: Sequence[str]) -> None:
        place = [covariance.features[name] for name in names]
        self.names = list(names)
        self.mean, factors = covariance.mean[place], covariance.factors[place]
        own, a, b = covariance.own[place], covariance.a[place][:, None], covariance.b[place][:, None]
        self.k = factors.shape[1]
        informative = (own > 0) & factors.any(axis=1)
        per_own = np.where(informative, 1.0, 0.0)[:, None] * factors / np.where(own > 0, own, 1.0)[:, None]
        self.rows, self.columns = np.tril_indices(self.k)
        pairs = per_own[:, self.rows] * factors[:, self.columns]
        self.signal, self.signal_unit = whole(per_own, EXACT - VALUE - LARGEST_VALUE, axis=0)
        d = own[:, None]
        terms = np.hstack([pairs, a * factors, b * factors, a * a * d, a * b * d, b * b * d])
        self.missing, self.missing_unit = whole(terms, EXACT, axis=0)
        self.factors, self.factor_unit = whole(factors, EXACT - SCORE - LARGEST_SCORE, axis=1)

    @cached_property
    def everything(self) -> NDArray[np.float64]:
        """The precision's terms summed over all CpGs, in whole numbers."""
        return self.missing[:, : len(self.rows)].sum(axis=0)


class Imputation:
    """What is summed for some samples while their CpGs are read, a block at a time; then their scores z."""

    def __init__(self, model: Conditional, n: int) -> None:
        self.model, self.n = model, n
        self.signal = np.zeros((model.k, n))
        self.missing = np.zeros((model.missing.shape[1], n))
        self.any_missing = False
        self._masks: list[NDArray[np.uint8] | None] = []  # by CpG, a bit for each sample
        self._waiting: list[NDArray[np.float64]] = []
        self._done = 0

    def add(self, values: NDArray[np.float64], absent: NDArray[np.bool_]) -> None:
        """Add the next CpG's values, missing as NaN."""
        self._waiting.append(values)
        some = bool(absent.any())
        self._masks.append(np.packbits(absent) if some else None)
        self.any_missing |= some
        if len(self._waiting) == BLOCK:
            self._add_block()

    def _add_block(self) -> None:
        model, own = self.model, slice(self._done, self._done + len(self._waiting))
        some_missing = any(mask is not None for mask in self._masks[own])
        mean, bound = model.mean[own, None], 2.0 ** (VALUE + LARGEST_VALUE)
        for start in range(0, self.n, SAMPLES):
            part = slice(start, start + SAMPLES)
            values = np.array([column[part] for column in self._waiting])
            values -= mean
            values *= 2.0**VALUE
            np.rint(values, out=values)
            np.clip(values, -bound, bound, out=values)
            if some_missing:
                absent = np.isnan(values)
                values[absent] = 0.0
                self.missing[:, part] += model.missing[own].T @ absent.astype(np.float64)
            self.signal[:, part] += model.signal[own].T @ values
        self._done += len(self._waiting)
        self._waiting = []

    def solve(self) -> None:
        """Find z, and the covariances of z that `variance` needs."""
        if self._waiting:
            self._add_block()
        model, k = self.model, self.model.k
        unit = model.missing_unit[0]
        self.scores = np.zeros((k, self.n))
        self.covariances = np.zeros((3, self.n))
        pairs = len(model.rows)
        for start in range(0, self.n if self.any_missing else 0, SAMPLES):
            part = slice(start, start + SAMPLES)
            precision = np.empty((len(self.signal[0, part]), k, k))
            measured = ((model.everything[:, None] - self.missing[:pairs, part]) * unit[:pairs, None]).T
            precision[:, model.rows, model.columns] = measured
            precision[:, model.columns, model.rows] = measured
            precision[:, np.arange(k), np.arange(k)] += 1.0
            sums = self.missing[pairs : pairs + 2 * k, part] * unit[pairs : pairs + 2 * k, None]
            signal = self.signal[:, part] * (model.signal_unit[0, :, None] * 2.0**-VALUE)
            right = np.stack([signal.T, sums[:k].T, sums[k:].T], axis=2)
            solved = np.linalg.solve(precision, right)
            bound = 2.0**LARGEST_SCORE
            self.scores[:, part] = np.rint(np.clip(solved[:, :, 0].T, -bound, bound) * 2.0**SCORE)
            for j in range(k):  # one after the other: the same order for each sample
                self.covariances[0, part] += sums[j] * solved[:, j, 1]
                self.covariances[1, part] += sums[j] * solved[:, j, 2]
                self.covariances[2, part] += sums[k + j] * solved[:, j, 2]

    def shifts(self) -> Iterator[tuple[str, NDArray[np.bool_], NDArray[np.float64]]]:
        """Each CpG that is missing somewhere, in the CpGs' order: its name, where it is missing, and F_j z."""
        model, names = self.model, self.model.names
        places = [j for j, mask in enumerate(self._masks) if mask is not None and model.factors[j].any()]
        for start in range(0, len(places), BLOCK):
            block = places[start : start + BLOCK]
            product = (model.factors[block] @ self.scores) * (model.factor_unit[block] * 2.0**-SCORE)
            for j, shift in zip(block, product, strict=True):
                absent = np.unpackbits(self._masks[j], count=self.n).view(np.bool_)
                yield names[j], absent, shift

    def variance(self, slope: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
        """Variance of the missing features' contribution, years²; `slope` is years per unit of transformed age.

        others : the sums a² d, a b d, b² d of missing RF_PCs, (3, samples)
        """
        own = self.missing[-3:] * self.model.missing_unit[0, -3:, None] + others
        aa, ab, bb = own + self.covariances
        return slope * slope * aa + 2 * slope * ab + bb
