"""Statistics of the training samples that tell how well a clock applies to a new sample.

They are computed from the training samples when a run's artifacts are assembled: the range of ages, the largest usual
distance from the training mean, and the covariance of the features. The covariance gives the cost of imputation in
years.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from heteroage.clock.cohort import StudyErrors
from heteroage.errors import HeteroAgeError, listed

DISTANCE_QUANTILE = 0.99
MOST_FACTORS = 64  # maximum number of factors accepted from a folder (protects against malicious folders)
LARGEST = 1e6  # maximum absolute value of a number in a stored covariance


@dataclass(frozen=True)
class Applicability:
    """Age range of the training samples (years), and the 99th percentile of their out-of-fold distances.

    slopes : linear approximation of the fusion: change of HeteroAge in years per year of the anchor and of each
        correction, by least squares over the training samples. Without boosting rounds: 1 for the anchor, 0 otherwise.
    studies : errors of held-out studies; None if unknown (folders before version 0.2, fewer than three groups)
    """

    youngest: float
    oldest: float
    distance_limit: float
    slopes: Mapping[str, float]
    studies: StudyErrors | None = None

    def as_json(self) -> dict[str, object]:
        """Return the content of Applicability.json."""
        return {
            "age_range": [self.youngest, self.oldest],
            "distance_limit": self.distance_limit,
            "slopes": dict(self.slopes),
            **({"studies": self.studies.as_json()} if self.studies else {}),
        }

    @classmethod
    def from_json(cls, content: object, where: str) -> Applicability:
        """Parse and validate the content of Applicability.json."""
        try:
            youngest, oldest = content["age_range"]  # type: ignore[index]
            slopes = {str(name): float(value) for name, value in content["slopes"].items()}  # type: ignore[index]
            numbers = [float(youngest), float(oldest), float(content["distance_limit"])]  # type: ignore[index]
        except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise HeteroAgeError(f"{where} has a missing or invalid entry ({error}). Copy the folder again.") from error
        if not np.isfinite([*numbers, *slopes.values()]).all():
            raise HeteroAgeError(f"{where} contains numbers that are not finite. Copy the folder again.")
        studies = content.get("studies")
        return cls(*numbers, slopes, None if studies is None else StudyErrors.from_json(studies, where))


@dataclass(frozen=True)
class Covariance:
    """Covariance of the features in training: F F' + diag(d).

    F are the factors (features x factors, beta scale), d the variances that they do not explain. A feature with value x
    contributes (slope a + b) x to HeteroAge. `slope` is years per unit of transformed age at the sample's age. a is the
    feature's raw weight in the anchor and b its weight in the experts, both times the fusion's slopes.

    mean : means of the features, for imputation by the factor model (format version 2; `imputation.py`). None in
        version 1; `years` is then the unconditional standard deviation of the missing features' total contribution.

    The sums over a sample's missing features have these rows: a F for each factor, b F for each factor, a² d, a b d,
    b² d.
    """

    table: Mapping[str, int]
    table_factors: NDArray[np.float64]
    table_own: NDArray[np.float64]
    table_mean: NDArray[np.float64] | None
    features: Mapping[str, int]
    a: NDArray[np.float64]
    b: NDArray[np.float64]
    factors: NDArray[np.float64]
    own: NDArray[np.float64]
    mean: NDArray[np.float64] | None

    @classmethod
    def of(
        cls, columns: Mapping[str, Sequence], weights: Mapping[str, tuple[float, float]], version: int, where: str
    ) -> Covariance:
        """Parse Feature_Covariance.csv; `weights` contains a and b of each feature."""
        needed = ["feature", "own_variance", *(["mean"] if version > 1 else [])]
        if any(name not in columns for name in needed):
            raise HeteroAgeError(f"{where} needs the columns {', '.join(needed)}. Copy the folder again.")
        names = [str(name) for name in columns["feature"]]
        known = {name: row for row, name in enumerate(names)}
        absent = [name for name in weights if name not in known]
        factors = [np.asarray(columns[name], dtype=np.float64) for name in columns if name.startswith("factor_")]
        own = np.asarray(columns["own_variance"], dtype=np.float64)
        mean = np.asarray(columns["mean"], dtype=np.float64) if version > 1 else np.zeros(len(own))
        table = np.array([own, mean, *factors])
        if absent or len(known) < len(names) or not (np.abs(table) < LARGEST).all() or (own < 0).any():
            raise HeteroAgeError(f"{where} does not fit the clock's features (missing {listed(absent)}).")
        with np.errstate(all="ignore"):
            precise = (table[2:] ** 2 > LARGEST**2 * own) & (table[2:] != 0)
        if precise.any():
            raise HeteroAgeError(f"{where} contains variances that are not possible for a CpG. Copy the folder again.")
        if len(factors) > MOST_FACTORS:
            raise HeteroAgeError(f"{where} has {len(factors)} factors, more than any clock. Copy the folder again.")
        empty = np.zeros(0)
        factors_by_feature = np.ascontiguousarray(table[2:].T)
        means = mean if version > 1 else None
        return cls(known, factors_by_feature, own, means, {}, empty, empty, empty, empty, None).weighted(weights)

    def weighted(self, weights: Mapping[str, tuple[float, float]]) -> Covariance:
        """Return a copy with other weights a and b."""
        rows = np.array([self.table[name] for name in weights], dtype=np.int64)
        a, b = np.array([weights[name] for name in weights], dtype=np.float64).reshape(-1, 2).T
        return replace(
            self,
            features={name: k for k, name in enumerate(weights)},
            a=a,
            b=b,
            factors=self.table_factors[rows],
            own=self.table_own[rows],
            mean=None if self.table_mean is None else self.table_mean[rows],
        )

    @property
    def conditional(self) -> bool:
        """Whether missing values are imputed by their conditional means (format version 2)."""
        return self.mean is not None

    def fill(self, feature: str, median: float) -> float:
        """Return the unconditional imputation value: the mean, or the median if the factor model has no mean."""
        k = self.features.get(feature)
        if k is None or self.mean is None or not self.factors[k].any():
            return median
        return float(self.mean[k])

    def deviation(self, years: Mapping[str, float], measured: Sequence[str]) -> float:
        """Standard deviation of sum over features of years x value.

        In format version 2 it is conditional on the measured features.
        """
        rows = [self.features[name] for name in years]
        weight = np.array(list(years.values()), dtype=np.float64)
        common = weight @ self.factors[rows]
        if not self.conditional:
            return float(np.sqrt(common @ common + weight**2 @ self.own[rows]))
        known = [k for k in map(self.features.get, measured) if k is not None and self.own[k] > 0]
        precision = np.eye(self.factors.shape[1]) + (self.factors[known].T / self.own[known]) @ self.factors[known]
        return float(np.sqrt(common @ np.linalg.solve(precision, common) + weight**2 @ self.own[rows]))

    def start(self, n: int) -> NDArray[np.float64]:
        """Return zero sums for n samples."""
        return np.zeros((2 * self.factors.shape[1] + 3, n))

    def add(self, feature: str, sums: NDArray[np.float64], absent: NDArray[np.bool_]) -> None:
        """Add a feature to the sums of the samples in which it is missing."""
        k = self.features.get(feature)
        if k is None:
            return
        a, b, own = self.a[k], self.b[k], self.own[k]
        terms = np.concatenate([a * self.factors[k], b * self.factors[k], [a * a * own, a * b * own, b * b * own]])
        if absent.all():
            sums += terms[:, None]
        else:
            sums[:, absent] += terms[:, None]

    def years(self, sums: NDArray[np.float64], slope: NDArray[np.float64]) -> NDArray[np.float64]:
        """The standard deviation in years; `slope` is years per unit of transformed age, by sample."""
        k = self.factors.shape[1]
        variance = slope * slope * sums[2 * k] + 2 * slope * sums[2 * k + 1] + sums[2 * k + 2]
        for row in range(k):
            common = slope * sums[row] + sums[k + row]
            variance = variance + common * common
        return np.sqrt(np.maximum(variance, 0.0))


def distance_of(values: NDArray[np.float64], mean: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray:
    """Root mean squared deviation from the mean in standard deviations, (samples,) from (features, samples)."""
    squares = ((values - mean[:, None]) / scale[:, None]) ** 2
    measured = (~np.isnan(squares)).sum(axis=0)
    return np.sqrt(np.nansum(squares, axis=0) / np.maximum(measured, 1))


def learn_distance(values: NDArray[np.float64], fold: NDArray[np.int64]) -> float:
    """Return the 99th percentile of the training samples' distances, with mean and scale from the other folds.

    Parameters
    ----------
    values : (features, samples), the anchor's CpGs, missing as NaN
    """
    distances = np.zeros(values.shape[1])
    for k in np.unique(fold):
        others = values[:, fold != k] if (fold != k).any() else values
        some = (~np.isnan(others)).any(axis=1)
        mean, scale = np.zeros(len(values)), np.ones(len(values))
        mean[some], spread = np.nanmean(others[some], axis=1), np.nanstd(others[some], axis=1)
        scale[some] = np.where(spread > 0, spread, 1.0)
        distances[fold == k] = distance_of(values[:, fold == k], mean, scale)
    return float(np.quantile(distances, DISTANCE_QUANTILE)) if len(values) else 0.0


def learn_slopes(added: NDArray[np.float64], frame: Mapping[str, NDArray[np.float64]], anchor: str) -> dict[str, float]:
    """Fit a linear approximation of the fusion: years of HeteroAge per year of the anchor and of each correction.

    Parameters
    ----------
    added : HeteroAge - anchor of the training samples, years
    frame : the anchor and the corrections of the same samples
    """
    names = list(frame)
    slopes = dict.fromkeys(names, 0.0)
    if np.ptp(added) > 0:
        X = np.array([frame[name] - frame[name].mean() for name in names]).T
        solved = np.linalg.lstsq(X, added - added.mean(), rcond=1e-10)[0]
        slopes = {name: float(f"{value:.8g}") for name, value in zip(names, solved, strict=True)}
    slopes[anchor] += 1.0
    return slopes
