"""Errors of cohorts: of a predicted table, of studies held out in training, and an offset that corrects them.

The out-of-fold error of sample i of group g is modelled as b_g + e_gi. within² is the variance of the errors around
their group's mean, pooled over groups. between² is the mean over groups of b_g² - within² / n_g, or 0 if that is
negative. In this moment estimator each group has the same weight, and b has mean 0.

offset = -shrinkage x bias, with shrinkage = between² / (between² + within² / n): the best linear prediction of a
study's own error from the mean error of n of its samples (Robinson, Statistical Science 6:15, 1991). An offset is used
only on request.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heteroage.clock.artifacts import damaged, entries_of
from heteroage.errors import HeteroAgeError
from heteroage.files import parse_json

LEAST_FOR_R = 3  # minimum number of samples for a correlation
FEWEST_GROUPS = 3
FEWEST_SAMPLES = 5  # minimum number of samples of a study whose bias is used
MOST_YEARS = 1e6  # of a stored number
STANDARD_ERRORS = 2.0  # accepted distance of a cohort's bias from the range of the studies' biases
SOURCES = {
    "nested": "in the clock's nested evaluation",
    "out_of_fold": "out of fold, in training (the folder holds no nested evaluation)",
}
OFFSET_VERSION = 1
MOST_OFFSET_BYTES, MOST_OFFSET_YEARS = 2**20, 122.0
AGAIN = "Make it again with `heteroage calibrate`."


@dataclass(frozen=True)
class StudyErrors:
    """Errors of held-out studies, in years (predicted - actual).

    source : a key of SOURCES
    studies : number of studies with a bias
    lowest, highest : smallest and largest bias of a study
    between_sd, within_sd : standard deviations of the groups' biases, and of errors around their group's bias
    """

    source: str
    studies: int
    lowest: float
    highest: float
    between_sd: float
    within_sd: float

    @classmethod
    def learn(
        cls,
        error: NDArray[np.float64],
        projects: Sequence[str],
        groups: Sequence[str],
        nested: Mapping[str, tuple[int, float]] | None = None,
    ) -> StudyErrors | None:
        """Estimate from out-of-fold errors; None with fewer than three groups or studies.

        error : (n,) predicted - actual, years
        projects, groups : (n,) project and group of each sample
        nested : each project's number of samples and bias in a nested evaluation; replaces the out-of-fold biases
        """
        _, code, size = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
        if nested is None:
            _, place, count = np.unique(np.asarray(projects), return_inverse=True, return_counts=True)
            source, known = "out_of_fold", zip(count, np.bincount(place, error) / count, strict=True)
        else:
            source, known = "nested", nested.values()
        biases = [float(bias) for n, bias in known if n >= FEWEST_SAMPLES]
        if len(size) < FEWEST_GROUPS or len(biases) < FEWEST_GROUPS:
            return None
        bias = np.bincount(code, error) / size
        within = float(((error - bias[code]) ** 2).sum() / max(len(error) - len(size), 1))
        between = max(float(np.mean(bias**2 - within / size)), 0.0)
        return cls(source, len(biases), min(biases), max(biases), between**0.5, within**0.5)

    def shrinkage(self, n: int) -> float:
        """Return the fraction (0 to 1) of the mean error of n samples that is attributed to their study."""
        between, within = self.between_sd**2, self.within_sd**2 / n
        return between / (between + within) if between + within > 0 else 0.0

    def warning(self, bias: float, n: int) -> str:
        """Return a warning if the bias of n samples is outside the studies' range by more than chance, else ""."""
        chance = STANDARD_ERRORS * self.within_sd / np.sqrt(n)
        if self.lowest - chance <= bias <= self.highest + chance:
            return ""
        return (
            f"the bias of {bias:+.2f} years (n = {n}) is outside the range of all {self.studies} held-out studies "
            f"{SOURCES[self.source]}: {self.lowest:+.2f} to {self.highest:+.2f}. Check units and array "
            "processing. `heteroage calibrate` learns an offset from samples of known age."
        )

    @classmethod
    def from_json(cls, content: Any, where: str) -> StudyErrors:  # noqa: ANN401
        """Parse and validate the entry `studies` of Applicability.json."""
        with entries_of(where):
            numbers = [float(content[name]) for name in ("lowest", "highest", "between_sd", "within_sd")]
            source, studies = str(content["source"]), int(content["studies"])
        if source not in SOURCES or not (np.abs(numbers) < MOST_YEARS).all() or min(numbers[2:]) < 0:
            raise damaged(f"{where} contains study errors that are not possible")
        return cls(source, studies, *numbers)


@dataclass(frozen=True)
class Applicability:
    """Age range of the training samples (years), and 99th percentile of their distance from the mean, out of fold.

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
            **({"studies": asdict(self.studies)} if self.studies else {}),
        }

    @classmethod
    def from_json(cls, content: Any, where: str) -> Applicability:  # noqa: ANN401
        """Parse and validate the content of Applicability.json."""
        with entries_of(where):
            youngest, oldest = content["age_range"]
            slopes = {str(name): float(value) for name, value in content["slopes"].items()}
            numbers = [float(youngest), float(oldest), float(content["distance_limit"])]
        if not np.isfinite([*numbers, *slopes.values()]).all():
            raise damaged(f"{where} contains numbers that are not finite")
        studies = content.get("studies")
        return cls(*numbers, slopes, None if studies is None else StudyErrors.from_json(studies, where))


@dataclass
class CohortSummary:
    """Number of samples of a predicted table and errors of its predicted ages (years), collected block by block.

    studies : errors of the studies held out in training, for comparison
    """

    samples: int = 0
    without_age: int = 0
    flagged: int = 0
    studies: StudyErrors | None = None
    _columns: dict[str, list[NDArray[np.float64]]] = field(default_factory=dict)

    def add(self, rows: Mapping[str, Any]) -> None:
        """Add a block, as yielded by `Clock.stream`."""
        self.samples += len(rows["sample_id"])
        self.flagged += sum(map(bool, rows.get("Flags", [])))
        self.without_age += int(np.isnan(rows.get("HeteroAge", ())).sum())
        if {"Age", "HeteroAge"} <= rows.keys():
            for name in {"Age", "HeteroAge", "HeteroAge_Lower", "HeteroAge_Upper"} & rows.keys():
                self._columns.setdefault(name, []).append(rows[name])

    def accuracy(self) -> dict[str, float]:
        """Return `accuracy` of all blocks; empty without ages."""
        return accuracy({name: np.concatenate(parts) for name, parts in self._columns.items()})

    def as_json(self) -> dict[str, object]:
        """Return the content of the --summary file."""
        counts = {"samples": self.samples, "flagged": self.flagged, "without_predicted_age": self.without_age}
        found = counts | self.accuracy()
        if "bias" in found and self.studies is not None:
            found |= {"bias_beyond_studies": bool(self.warning()), "studies": asdict(self.studies)}
        return found

    def warning(self) -> str:
        """Return a warning if the bias is outside the range of the studies held out in training, otherwise ""."""
        found = self.accuracy()
        return self.studies.warning(found["bias"], int(found["n"])) if found and self.studies is not None else ""

    def line(self) -> str:
        """Return a summary line to print."""
        parts = [f"{self.samples} sample{'s' * (self.samples != 1)}"]
        if found := self.accuracy():
            said = f"MAE {found['MAE']:.2f} years, bias {found['bias']:+.2f}"
            said += f", r {found['r']:.2f}" if "r" in found else ""
            said += f", {found['coverage']:.0%} inside their interval" if "coverage" in found else ""
            parts.append(f"{said} (of {found['n']:.0f} with an Age)")
        if self.flagged:
            parts.append(f"{self.flagged} with flags")
        if self.without_age:
            parts.append(f"{self.without_age} without a predicted age (no CpG measured)")
        return "; ".join(parts) + "."


def accuracy(columns: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Return n, MAE, MedAE, bias (predicted - given; years), r and interval coverage; empty without ages.

    columns : Age, HeteroAge, and if known HeteroAge_Lower and HeteroAge_Upper, in years
    """
    known = ~np.isnan(columns["Age"]) & ~np.isnan(columns["HeteroAge"]) if columns else np.zeros(0, bool)
    if not known.any():
        return {}
    age, predicted, *limits = (
        columns[name][known] for name in ("Age", "HeteroAge", "HeteroAge_Lower", "HeteroAge_Upper") if name in columns
    )
    error = predicted - age
    found = {"n": len(age), "MAE": np.abs(error).mean(), "MedAE": np.median(np.abs(error)), "bias": error.mean()}
    if len(age) >= LEAST_FOR_R and age.std() > 0 and predicted.std() > 0:
        found["r"] = np.corrcoef(age, predicted)[0, 1]
    if limits:
        found["coverage"] = ((limits[0] <= age) & (age <= limits[1])).mean()
    return {name: float(value) for name, value in found.items()}


@dataclass(frozen=True)
class Offset:
    """The offset that is added to each HeteroAge of one cohort.

    years : the offset
    bias : mean of predicted - actual age of the n calibration samples, years
    shrinkage : fraction of the bias that the offset removes
    clock : digest of the clock (`ClockModel.digest`)
    """

    years: float
    n: int
    bias: float
    shrinkage: float
    clock: str

    def line(self) -> str:
        """One line to print."""
        return (
            f"offset {self.years:+.2f} years, from {self.n} known age{'s' * (self.n != 1)} (bias {self.bias:+.2f} "
            f"years, of which {self.shrinkage:.0%} is removed)."
        )

    def as_json(self) -> dict[str, object]:
        """Return the content of the offset file."""
        return {"offset_version": OFFSET_VERSION, **asdict(self)}

    @classmethod
    def read(cls, path: str | Path) -> Offset:
        """Read the file that `heteroage calibrate` wrote. Raises HeteroAgeError: it does not exist or is not valid."""
        try:
            with Path(path).open("rb") as stream:
                content = stream.read(MOST_OFFSET_BYTES)
        except OSError as error:
            raise HeteroAgeError(f"cannot read the offset {path}: {error.strerror}. Check the path.") from error
        found = parse_json(content, path)
        with entries_of(f"{path} is not an offset: it", AGAIN):
            if found["offset_version"] != OFFSET_VERSION:
                raise HeteroAgeError(f"{path} is an offset of version {found['offset_version']!r}. {AGAIN}")
            years, bias, shrinkage = numbers = [float(found[name]) for name in ("years", "bias", "shrinkage")]
            n, clock = int(found["n"]), str(found["clock"])
        if not all(map(math.isfinite, numbers)) or max(abs(years), abs(bias)) > MOST_OFFSET_YEARS or n < 1:
            raise HeteroAgeError(
                f"{path} contains numbers that are not possible for an offset (years {years}, n {n}). {AGAIN}"
            )
        return cls(years, n, bias, shrinkage, clock)
