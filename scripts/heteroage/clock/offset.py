"""An offset for a cohort with a systematic error, estimated from samples of known age. It is used only on request.

offset = -shrinkage x bias, with shrinkage = between² / (between² + within² / n): the best linear prediction of a
study's own error from the mean error of n of its samples (Robinson, Statistical Science 6:15, 1991), by the variances
between and within the studies that training held out (`study_errors.py`).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path

from heteroage.clock.artifacts import parse_json
from heteroage.clock.cohort import CohortSummary
from heteroage.clock.study_errors import StudyErrors
from heteroage.errors import HeteroAgeError

VERSION = 1
MOST_BYTES = 2**20
MOST_YEARS = 122.0
AGAIN = "Make it again with `heteroage calibrate`."


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

    @classmethod
    def learn(cls, cohort: CohortSummary, studies: StudyErrors | None, clock: str, where: str) -> Offset:
        """Estimate the offset from predicted samples of known age.

        Raises
        ------
        HeteroAgeError
            No sample has both ages; the clock contains no errors of held-out studies.
        """
        if studies is None:
            raise HeteroAgeError(
                "the clock contains no errors of held-out studies, which calibration needs: it was made by an earlier "
                "version, or was trained on fewer than three groups of studies. Train it again with this version, on "
                "three groups or more."
            )
        accuracy = cohort.accuracy()
        if not accuracy:
            raise HeteroAgeError(
                f"no sample of {where} has both an Age and a predicted age ({cohort.samples} samples). Give a table "
                "with samples of known age."
            )
        n, bias = int(accuracy["n"]), accuracy["bias"]
        shrinkage = studies.shrinkage(n)
        return cls(-shrinkage * bias, n, bias, shrinkage, clock)

    def line(self) -> str:
        """One line to print."""
        return (
            f"offset {self.years:+.2f} years, from {self.n} known age{'s' * (self.n != 1)} (bias {self.bias:+.2f} "
            f"years, of which {self.shrinkage:.0%} is removed)."
        )

    def as_json(self) -> dict[str, object]:
        """Return the content of the offset file."""
        return {"offset_version": VERSION, **asdict(self)}

    @classmethod
    def read(cls, path: str | Path) -> Offset:
        """Read the file that `heteroage calibrate` wrote.

        Raises
        ------
        HeteroAgeError
            The file does not exist or is not valid.
        """
        try:
            with Path(path).open("rb") as stream:
                content = stream.read(MOST_BYTES)
        except OSError as error:
            raise HeteroAgeError(f"cannot read the offset {path}: {error.strerror}. Check the path.") from error
        found = parse_json(content, path)
        try:
            if found["offset_version"] != VERSION:  # type: ignore[index]
                raise HeteroAgeError(f"{path} is an offset of version {found['offset_version']!r}. {AGAIN}")  # type: ignore[index]
            numbers = [float(found[name]) for name in ("years", "bias", "shrinkage")]  # type: ignore[index]
            n, clock = int(found["n"]), str(found["clock"])  # type: ignore[index]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise HeteroAgeError(
                f"{path} is not an offset: it has a missing or invalid entry ({error}). {AGAIN}"
            ) from error
        years, bias, shrinkage = numbers
        if not all(map(math.isfinite, numbers)) or max(abs(years), abs(bias)) > MOST_YEARS or n < 1:
            raise HeteroAgeError(f"{path} holds numbers that no offset has (years {years}, n {n}). {AGAIN}")
        return cls(years, n, bias, shrinkage, clock)
