"""Imputation of missing CpGs at prediction by their conditional means, given the measured CpGs of the sample.

The factor model is x_j = mean_j + F_j z + e_j, with z ~ N(0, I) and e_j ~ N(0, d_j) (estimated in `assembly.py`).
Given the measured CpGs M, z is normal with precision P = I + sum over M of F_j' F_j / d_j and mean
P^-1 sum over M of F_j (x_j - mean_j) / d_j. The imputed value of a missing CpG is mean_j + F_j z. The total
contribution w'x of the missing CpGs has variance (w'F) P^-1 (F'w) + sum of w_j² d_j.

All numbers are rounded to integers whose sums stay below 2^53 (2^24 in single precision). Sums over CpGs are then exact
in any order of addition, so a sample's bits do not depend on the other samples in a matrix product. The rounding
changes an imputed value by about 1e-6.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from heteroage.clock.artifacts import damaged
from heteroage.errors import HeteroAgeError, listed

MOST_FACTORS = 64  # maximum number of factors accepted from a folder (protects against malicious folders)
LARGEST = 1e6  # maximum absolute value of a number in a stored covariance
EXACT, EXACT_32 = 52, 23  # bits of an exact sum in double and in single precision
VALUE = 22  # fractional bits of a value
LARGEST_VALUE = 2  # integer bits of a value; values far outside 0 to 1 are rejected before
SCORE, LARGEST_SCORE = 20, 10  # fractional and integer bits of a factor score
CPGS_PER_PRODUCT = 64  # CpGs per matrix product
SAMPLES = 2048  # samples per matrix product, so that their values fit into the processor's cache


@dataclass(frozen=True)
class Covariance:
    """Covariance of the features in training: F F' + diag(d).

    F are the factors (features x factors, beta scale), d the variances that they do not explain. A feature with value x
    contributes (slope a + b) x to HeteroAge. `slope` is years per unit of transformed age at the sample's age. a is the
    feature's raw weight in the anchor and b its weight in the experts, both times the fusion's slopes.

    features : row of each feature in the arrays
    mean : means of the features, for imputation by the factor model (format version 2). None in version 1; `years` is
        then the unconditional standard deviation of the missing features' total contribution.

    The sums over a sample's missing features have these rows: a F for each factor, b F for each factor, a² d, a b d,
    b² d.
    """

    features: Mapping[str, int]
    factors: NDArray[np.float64]
    own: NDArray[np.float64]
    mean: NDArray[np.float64] | None
    a: NDArray[np.float64]
    b: NDArray[np.float64]

    @classmethod
    def of(
        cls, columns: Mapping[str, Sequence], weights: Mapping[str, tuple[float, float]], version: int, where: str
    ) -> Covariance:
        """Parse Feature_Covariance.csv; `weights` contains a and b of each feature."""
        needed = ["feature", "own_variance", *(["mean"] if version > 1 else [])]
        if any(name not in columns for name in needed):
            raise damaged(f"{where} needs the columns {', '.join(needed)}")
        known = {str(name): row for row, name in enumerate(columns["feature"])}
        absent = [name for name in weights if name not in known]
        factors = [np.asarray(columns[name], dtype=np.float64) for name in columns if name.startswith("factor_")]
        own = np.asarray(columns["own_variance"], dtype=np.float64)
        mean = np.asarray(columns["mean"], dtype=np.float64) if version > 1 else np.zeros(len(own))
        table = np.array([own, mean, *factors])
        if absent or len(known) < len(own) or not (np.abs(table) < LARGEST).all() or (own < 0).any():
            raise HeteroAgeError(f"{where} does not fit the clock's features (missing {listed(absent)}).")
        if ((table[2:] ** 2 > LARGEST**2 * own) & (table[2:] != 0)).any():
            raise damaged(f"{where} contains variances that are not possible for a CpG")
        if len(factors) > MOST_FACTORS:
            raise damaged(f"{where} has {len(factors)} factors, more than any clock")
        by_feature, zeros = np.ascontiguousarray(table[2:].T), np.zeros(len(own))
        return cls(known, by_feature, own, mean if version > 1 else None, zeros, zeros).weighted(weights)

    def weighted(self, weights: Mapping[str, tuple[float, float]]) -> Covariance:
        """Return a copy with other weights a and b; features without them have weight 0."""
        ab = np.zeros((len(self.own), 2))
        ab[[self.features[name] for name in weights]] = np.reshape(list(weights.values()), (-1, 2))
        return replace(self, a=ab[:, 0].copy(), b=ab[:, 1].copy())

    def fill(self, feature: str, median: float) -> float:
        """Return the unconditional imputation value: the mean, or the median if the factor model has no mean."""
        k = self.features.get(feature)
        return median if k is None or self.mean is None or not self.factors[k].any() else float(self.mean[k])

    def deviation(self, years: Mapping[str, float], measured: Sequence[str]) -> float:
        """Standard deviation of sum over features of years x value.

        In format version 2 it is conditional on the measured features.
        """
        rows = [self.features[name] for name in years]
        weight = np.array(list(years.values()), dtype=np.float64)
        common = weight @ self.factors[rows]
        if self.mean is None:
            return float(np.sqrt(common @ common + weight**2 @ self.own[rows]))
        known = [k for k in map(self.features.get, measured) if k is not None and self.own[k] > 0]
        precision = np.eye(self.factors.shape[1]) + (self.factors[known].T / self.own[known]) @ self.factors[known]
        return float(np.sqrt(common @ np.linalg.solve(precision, common) + weight**2 @ self.own[rows]))

    def start(self, n: int) -> NDArray[np.float64]:
        """Return zero sums for n samples."""
        return np.zeros((2 * self.factors.shape[1] + 3, n))

    def add(self, feature: str, sums: NDArray[np.float64], absent: NDArray[np.bool_]) -> None:
        """Add a feature to the sums of the samples in which it is missing."""
        if (k := self.features.get(feature)) is not None:
            a, b, own = self.a[k], self.b[k], self.own[k]
            terms = np.concatenate([a * self.factors[k], b * self.factors[k], [a * a * own, a * b * own, b * b * own]])
            sums[:, absent] += terms[:, None]

    def years(self, sums: NDArray[np.float64], slope: NDArray[np.float64]) -> NDArray[np.float64]:
        """The standard deviation in years; `slope` is years per unit of transformed age, by sample."""
        k = self.factors.shape[1]
        total = variance(slope, sums[-3:])
        for row in range(k):
            common = slope * sums[row] + sums[k + row]
            total = total + common * common
        return np.sqrt(np.maximum(total, 0.0))


def variance(slope: NDArray[np.float64], sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum over features of (slope a + b)² d, in years², from the sums of a² d, a b d and b² d."""
    return slope * slope * sums[0] + 2 * slope * sums[1] + sums[2]


def whole(numbers: NDArray[np.float64], bits: int, axis: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Round to integers times powers of two, so that absolute sums along the axis stay below 2^bits; return both."""
    total = np.abs(numbers).sum(axis=axis, keepdims=True) + 2.0**-200
    unit = 2.0 ** (np.ceil(np.log2(total)) - bits + 1)
    return np.rint(numbers / unit), unit


class Conditional:
    """Factor model with all coefficients rounded to integers, so that sums do not depend on their order.

    With k factors, and the rows of all arrays in the order of `names`:

    names : (CpGs,), in the order in which they are read
    signal : (CpGs, k), F / d. The factor scores are P^-1 times the sum over measured CpGs of (value - mean) * signal.
    own : (CpGs, k + 3), summed over the missing CpGs: mean * signal, a² d, a b d, b² d
    common : (CpGs, k (k + 1) / 2 + 2 k) float32, summed over the missing CpGs: F_i F_j / d for each pair of factors,
        a F, b F. The rounding error of a sum is below a millionth of the sum over all CpGs.
    """

    def __init__(self, covariance: Covariance, names: Sequence[str]) -> None:
        place = [covariance.features[name] for name in names]
        self.names = list(names)
        factors = covariance.factors[place]
        d, a, b = (numbers[place][:, None] for numbers in (covariance.own, covariance.a, covariance.b))
        self.k = factors.shape[1]
        per_own = np.where(d > 0, factors, 0.0) / np.where(d > 0, d, 1.0)
        self.rows, self.columns = np.tril_indices(self.k)
        self.signal, self.signal_unit = whole(per_own, EXACT - VALUE - LARGEST_VALUE, axis=0)
        means = np.rint(covariance.mean[place] * 2.0**VALUE)[:, None] * self.signal
        variances, self.variance_unit = whole(np.hstack([a * a * d, a * b * d, b * b * d]), EXACT, axis=0)
        self.own = np.hstack([means, variances])
        pairs = per_own[:, self.rows] * factors[:, self.columns]
        common, self.common_unit = whole(np.hstack([pairs, a * factors, b * factors]), EXACT_32, axis=0)
        self.common = common.astype(np.float32)
        self.factors, self.factor_unit = whole(factors, EXACT - SCORE - LARGEST_SCORE, axis=1)
        self.all_means = means.sum(axis=0)
        self.all_pairs = common[:, : len(self.rows)].sum(axis=0)


class Imputation:
    """Sums over CpGs for a block of samples, and from them the factor scores z."""

    def __init__(self, model: Conditional, n: int) -> None:
        self.model, self.n, self._done = model, n, 0
        self.signal, self.own = np.zeros((model.k, n)), np.zeros((model.k + 3, n))
        self.common = np.zeros((model.common.shape[1], n), dtype=np.float32)
        self._masks: list[NDArray[np.uint8] | None] = []  # per CpG: one bit per sample
        self._waiting: list[NDArray[np.float64]] = []

    def add(self, values: NDArray[np.float64], absent: NDArray[np.bool_]) -> None:
        """Add the values of the next CpG, missing as NaN. The caller must not change the array until it is summed."""
        self._waiting.append(values)
        self._masks.append(np.packbits(absent) if absent.any() else None)
        if len(self._waiting) == CPGS_PER_PRODUCT:
            self._add_block()

    def _add_block(self) -> None:
        model, own = self.model, slice(self._done, self._done + len(self._waiting))
        some_missing = any(mask is not None for mask in self._masks[own])
        signal, own_terms, common = model.signal[own].T, model.own[own].T, model.common[own].T
        for start in range(0, self.n, SAMPLES):
            part = slice(start, start + SAMPLES)
            values = np.array([column[part] for column in self._waiting])
            values *= 2.0**VALUE
            np.rint(values, out=values)
            if some_missing:
                absent = np.isnan(values)
                values[absent] = 0.0
                self.own[:, part] += own_terms @ absent.astype(np.float64)
                self.common[:, part] += common @ absent.astype(np.float32)
            self.signal[:, part] += signal @ values
        self._done, self._waiting = own.stop, []

    def solve(self) -> None:
        """Compute z, and the covariances of z that `variance` uses."""
        if self._waiting:
            self._add_block()
        model, k, pairs = self.model, self.model.k, len(self.model.rows)
        self.scores = np.zeros((k, self.n))
        self.covariances = np.zeros((3, self.n))
        any_missing = any(mask is not None for mask in self._masks)
        for start in range(0, self.n if any_missing else 0, SAMPLES):
            part = slice(start, start + SAMPLES)
            measured = model.all_pairs[:, None] - self.common[:pairs, part]
            measured = (measured * model.common_unit[0, :pairs, None]).T
            precision = np.empty((len(measured), k, k))
            precision[:, model.rows, model.columns] = measured
            precision[:, model.columns, model.rows] = measured
            precision[:, np.arange(k), np.arange(k)] += 1.0
            sums = self.common[pairs:, part] * model.common_unit[0, pairs:, None]
            signal = self.signal[:, part] - (model.all_means[:, None] - self.own[:k, part])
            signal *= model.signal_unit[0, :, None] * 2.0**-VALUE
            right = np.stack([signal.T, sums[:k].T, sums[k:].T], axis=2)
            solved = np.linalg.solve(precision, right)
            bound = 2.0**LARGEST_SCORE
            self.scores[:, part] = np.rint(np.clip(solved[:, :, 0].T, -bound, bound) * 2.0**SCORE)
            for j in range(k):  # fixed order of addition for each sample
                a, b = sums[j], sums[k + j]
                self.covariances[:, part] += [a * solved[:, j, 1], a * solved[:, j, 2], b * solved[:, j, 2]]

    def shifts(self) -> Iterator[tuple[str, NDArray[np.bool_], NDArray[np.float64]]]:
        """Yield each CpG with missing values, in order: its name, the mask of missing samples, and F_j z."""
        model, names = self.model, self.model.names
        places = [j for j, mask in enumerate(self._masks) if mask is not None and model.factors[j].any()]
        for start in range(0, len(places), CPGS_PER_PRODUCT):
            block = places[start : start + CPGS_PER_PRODUCT]
            product = (model.factors[block] @ self.scores) * (model.factor_unit[block] * 2.0**-SCORE)
            for j, shift in zip(block, product, strict=True):
                absent = np.unpackbits(self._masks[j], count=self.n).view(np.bool_)
                yield names[j], absent, shift

    def variance(self, slope: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the variance (years²) of the missing features' contribution.

        slope : years per unit of transformed age, per sample
        others : the sums a² d, a b d, b² d of missing RF_PCs, (3, samples)
        """
        own = self.own[-3:] * self.model.variance_unit[0, :, None] + others
        return variance(slope, own + self.covariances)
