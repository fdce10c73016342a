"""Published clocks beside ours: their ages of the same samples.

A published clock is a weighted sum of CpGs and a transform to years. A CpG that a sample has no value of takes the
reference value that the caller gives (a training median), else the median in the coefficient table's own column
`medianByCpG`, `median` or `mean`, else it counts 0. How many had no value is reported for every sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heteroage.clock.coefficients import PublishedClock, read_coefficients, transform_named
from heteroage.clock.columns import CORRECTION
from heteroage.errors import HeteroAgeError, listed

MISSING = "_Missing_CpGs"  # suffix of the column beside a published clock's ages
MUCH_MISSING = 0.1  # fraction of a clock's CpGs; where more are missing, a comparison says so
# Columns of predictions, and of a study's samples, that no published clock may be called.
RESERVED = {"sample_id", "project_id", "donor_id", "group", "fold", "Tissue", "Sex", "Age", "Is_Healthy", "Platform"}
RESERVED_STARTS = ("HeteroAge", "Stage1_", "Age_", "Imputed_", "Flags", "Cohort_", "Training_Mean_Age", "RF_PC")


@dataclass(frozen=True)
class Compared:
    """A published clock of `compare:`.

    clock : its coefficients
    transform : from the weighted sum to years
    standardised : whether it reads z-scores: each sample's betas minus their mean, over their standard deviation, both
        over all CpGs of the sample (Zhang et al., Genome Medicine 11:54, 2019)
    trained_on : the project_ids of the studies that it was trained on
    """

    name: str
    clock: PublishedClock
    transform: str
    standardised: bool
    trained_on: tuple[str, ...]

    @classmethod
    def read(cls, name: str, given: Mapping[str, object], names: Sequence[str] | None = None) -> Compared:
        """Read an entry of `compare:`.

        Parameters
        ----------
        name : the clock's name, which becomes a column
        given : coefficients (a path), transform, intercept, input, trained_on
        names : features of the data, to check that some are shared

        Raises
        ------
        HeteroAgeError
            A name that predictions use; what `read_coefficients` rejects; an unknown transform; no CpG in common.
        """
        where = f"compare.{name}, {given['coefficients']},"
        if name in RESERVED or name.startswith(RESERVED_STARTS) or name.endswith((MISSING, CORRECTION)):
            raise HeteroAgeError(
                f"{where} has the name of a column of predictions. Give the clock another name, such as Horvath2013."
            )
        transform = str(given.get("transform", "identity"))
        transform_named(transform, f"compare.{name}.transform")
        clock = read_coefficients(str(given["coefficients"]), where, _number(given.get("intercept"), where))
        if names is not None and not set(clock.features) & set(names):
            raise HeteroAgeError(
                f"{where} shares no CpG with the data (its CpGs are {listed(clock.features)}). Published clocks are "
                "read as beta values: check how CpGs are named, and inputs.beta."
            )
        trained_on = tuple(map(str, given.get("trained_on") or ()))
        return cls(name, clock, transform, given.get("input") == "z", trained_on)

    def ages(
        self,
        values: NDArray[np.float64],
        reference: NDArray[np.float64] | None = None,
        scale: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Predict ages, one CpG after another, so that a sample's age does not depend on its batch-mates.

        Parameters
        ----------
        values : (the clock's CpGs, samples) beta values, NaN where missing
        reference : (the clock's CpGs,) or (the clock's CpGs, samples), what missing values take; NaN where unknown
        scale : each sample's mean and standard deviation over all of its CpGs, for a clock that reads z-scores

        Returns
        -------
        ages in years, NaN for a sample without any of the CpGs; and the number of CpGs that were missing
        """
        total = np.full(values.shape[1], self.clock.intercept)
        missing = np.isnan(values)
        unknown = np.full(len(values), np.nan)
        reference = unknown if reference is None else reference
        own = unknown if self.clock.reference is None else self.clock.reference
        for k, coefficient in enumerate(self.clock.coefficient):
            filled = np.where(missing[k], reference[k], values[k])
            filled = np.where(np.isnan(filled), own[k], filled)
            if scale is not None:
                filled = (filled - scale[0]) / scale[1]
            total += coefficient * np.where(np.isnan(filled), 0.0, filled)
        ages = transform_named(self.transform)(total)
        return np.where(missing.all(axis=0), np.nan, ages), missing.sum(axis=0).astype(np.float64)


def read_compared(compare: Mapping[str, Mapping[str, object]], names: Sequence[str] | None = None) -> list[Compared]:
    """Read all entries of `compare:`; `names` are the features of the data."""
    return [Compared.read(name, given, names) for name, given in compare.items()]


def _number(intercept: object, where: str) -> float | None:
    """The key `intercept`, which a command line gives as text."""
    try:
        return None if intercept is None else float(str(intercept))
    except ValueError as error:
        raise HeteroAgeError(
            f"{where} has the intercept {intercept!r}, which is not a number. Give a number."
        ) from error
