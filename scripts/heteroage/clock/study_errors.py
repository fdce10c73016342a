"""Biases of whole studies in the clock's own evaluation. They are used to judge and to calibrate new cohorts.

The out-of-fold error of sample i of group g is modelled as b_g + e_gi. within² is the variance of the errors around
their group's mean, pooled over groups. between² is the mean over groups of b_g² - within² / n_g, or 0 if that is
negative. In this moment estimator each group has the same weight, and b has mean 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from heteroage.errors import HeteroAgeError

FEWEST_GROUPS = 3
FEWEST_SAMPLES = 5  # minimum number of samples of a study whose bias is used
MOST_YEARS = 1e6  # of a stored number
STANDARD_ERRORS = 2.0  # accepted distance of a cohort's bias from the range of the studies' biases
SOURCES = {
    "nested": "in the clock's nested evaluation",
    "out_of_fold": "out of fold, in training (the folder holds no nested evaluation)",
}


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

        Parameters
        ----------
        error : (n,) predicted - actual, years
        projects, groups : (n,) project and group of each sample
        nested : each project's number of samples and bias in a nested evaluation; replaces the out-of-fold biases
        """
        _, code, size = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
        source = "out_of_fold" if nested is None else "nested"
        if nested is None:
            names, place, count = np.unique(np.asarray(projects), return_inverse=True, return_counts=True)
            bias = np.bincount(place, error) / count
            nested = dict(zip(names.tolist(), zip(count.tolist(), bias.tolist(), strict=True), strict=True))
        biases = [float(bias) for n, bias in nested.values() if n >= FEWEST_SAMPLES]
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
        """Return a warning if the bias of n samples is outside the range of all studies by more than chance, or ""."""
        chance = STANDARD_ERRORS * self.within_sd / np.sqrt(n)
        if self.lowest - chance <= bias <= self.highest + chance:
            return ""
        return (
            f"the bias of {bias:+.2f} years (n = {n}) is outside the range of all {self.studies} held-out studies "
            f"{SOURCES[self.source]}: {self.lowest:+.2f} to {self.highest:+.2f}. Check units and array "
            "processing. `heteroage calibrate` learns an offset from samples of known age."
        )

    def as_json(self) -> dict[str, object]:
        """Return the entry `studies` of Applicability.json."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: object, where: str) -> StudyErrors:
        """Parse and validate the entry `studies` of Applicability.json."""
        try:
            numbers = [float(content[name]) for name in ("lowest", "highest", "between_sd", "within_sd")]  # type: ignore[index]
            source, studies = str(content["source"]), int(content["studies"])  # type: ignore[index]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise HeteroAgeError(f"{where} has a missing or invalid entry ({error}). Copy the folder again.") from error
        if source not in SOURCES or not (np.abs(numbers) < MOST_YEARS).all() or min(numbers[2:]) < 0:
            raise HeteroAgeError(f"{where} contains study errors that are not possible. Copy the folder again.")
        return cls(source, studies, *numbers)
