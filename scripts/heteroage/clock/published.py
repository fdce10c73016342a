"""Predicted ages of published clocks, for comparison.

A published clock is a weighted sum of CpGs and a transform to years. A missing value is replaced by the reference value
of the caller (a training median), or else by the coefficient table's column `medianByCpG`, `median` or `mean`, or else
by 0. The number of missing values is reported for every sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heteroage.clock.coefficients import PublishedClock, read_coefficients, transform_named
from heteroage.clock.columns import CORRECTION
from heteroage.errors import HeteroAgeError, listed

MISSING = "_Missing_CpGs"  # suffix of the column with the number of missing CpGs
MUCH_MISSING = 0.1  # fraction of a clock's CpGs; if more are missing, the comparison reports it
# Reserved names: columns of predictions and of sample sheets. A published clock cannot have one of these names.
RESERVED = {"sample_id", "project_id", "donor_id", "group", "fold", "Tissue", "Sex", "Age", "Is_Healthy", "Platform"}
RESERVED_STARTS = ("HeteroAge", "Stage1_", "Age_", "Imputed_", "Flags", "Cohort_", "Training_Mean_Age", "RF_PC")


@dataclass(frozen=True)
class Compared:
    """A published clock of `compare:`.

    clock : its coefficients
    transform : from the weighted sum to years
    standardised : whether the inputs are z-scores: each sample's beta values are standardised by their mean and
        standard deviation over all CpGs of the sample (Zhang et al., Genome Medicine 11:54, 2019)
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
            A reserved name; errors of `read_coefficients`; an unknown transform; no CpG in common.
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
        """Predict ages. CpGs are added one by one, so that a sample's age does not depend on the other samples.

        Parameters
        ----------
        values : (the clock's CpGs, samples) beta values, NaN where missing
        reference : (the clock's CpGs,) or (the clock's CpGs, samples), replacements of missing values; NaN if unknown
        scale : each sample's mean and standard deviation over all of its CpGs, for a clock with z-scores

        Returns
        -------
        ages in years (NaN for a sample without any of the CpGs), and the number of missing CpGs
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
    """Convert the key `intercept`, which is text on the command line, to a number."""
    try:
        return None if intercept is None else float(str(intercept))
    except ValueError as error:
        raise HeteroAgeError(
            f"{where} has the intercept {intercept!r}, which is not a number. Give a number."
        ) from error


def scale_of(
    count: NDArray[np.float64], total: NDArray[np.float64], squares: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each sample's mean and standard deviation, from the number, sum and sum of squares of its values."""
    mean = total / np.maximum(count, 1)
    return mean, np.sqrt(np.maximum(squares / np.maximum(count, 1) - mean**2, 1e-12))
