"""Published clocks: their coefficient tables, and the ages that they predict.

A published clock is a weighted sum of CpGs and a transform to years. Its table has two columns, a CpG and its
coefficient, with the intercept as a row. A missing value is replaced by the reference value of the caller (a training
median), or else by the table's column `medianByCpG`, `median` or `mean`, or else by 0. The number of missing values is
reported for every sample.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heteroage.age import inverse_transform_age
from heteroage.clock.artifacts import CORRECTION
from heteroage.clock.master_table import MasterTable, NamedPart
from heteroage.clock.model import ClockModel, Wanted
from heteroage.clock.sums import Rows, mean_of
from heteroage.errors import HeteroAgeError, listed
from heteroage.probes import feature_name, is_probe
from heteroage.tables.opening import open_source
from heteroage.tables.source import number_of
from heteroage.tables.values import ValueCheck

INTERCEPTS = {"(intercept)", "intercept", "(const)", "const"}
# Names of the coefficient column (case is ignored). Without a match, the only column of numbers is used.
COEFFICIENTS = ["coefficienttraining", "coefficient", "coef", "weight", "beta"]
# Names of the column of typical beta values (case is ignored), which replace missing values.
REFERENCES = ["medianbycpg", "median", "mean"]
# Transforms from the weighted sum to years.
TRANSFORMS: dict[str, Callable[[ArrayLike], NDArray[np.float64]]] = {
    "horvath": inverse_transform_age,
    "identity": lambda score: np.asarray(score, np.float64),
    "log": lambda score: np.exp(np.asarray(score, np.float64)),
}
MISSING = "_Missing_CpGs"  # suffix of the column with the number of missing CpGs
MUCH_MISSING = 0.1  # fraction of a clock's CpGs; if more are missing, the comparison reports it
# Reserved names: columns of predictions and of sample sheets. A published clock cannot have one of these names.
RESERVED = {"sample_id", "project_id", "donor_id", "group", "fold", "Tissue", "Sex", "Age", "Is_Healthy", "Platform"}
RESERVED_STARTS = ("HeteroAge", "Stage1_", "Age_", "Imputed_", "Flags", "Cohort_", "Training_Mean_Age", "RF_PC")


@dataclass(frozen=True)
class PublishedClock:
    """A published linear clock.

    features : feature names with suffix, such as `cg00000029_beta`
    coefficient : (features,), per unit of beta value
    intercept : on the scale of the weighted sum; 0 if the table has none
    sha256 : digest of the file
    reference : (features,), typical beta values; None if the table has no such column
    name, trained_on : its name, and the project_ids of the studies that it was trained on
    transform : from the weighted sum to years
    standardised : whether the inputs are z-scores: each sample's beta values are standardised by their mean and
        standard deviation over all CpGs of the sample (Zhang et al., Genome Medicine 11:54, 2019)
    """

    features: list[str]
    coefficient: NDArray[np.float64]
    intercept: float
    sha256: str
    reference: NDArray[np.float64] | None = None
    name: str = ""
    transform: str = "identity"
    standardised: bool = False
    trained_on: tuple[str, ...] = ()

    def ages(
        self,
        values: NDArray[np.float64],
        reference: NDArray[np.float64] | None = None,
        scale: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Predict ages. CpGs are added one by one, so that a sample's age does not depend on the other samples.

        values : (the clock's CpGs, samples) beta values, NaN where missing
        reference : (the clock's CpGs,) or (the clock's CpGs, samples), replacements of missing values; NaN if unknown
        scale : each sample's mean and standard deviation over all of its CpGs, for a clock with z-scores

        Returns ages in years (NaN for a sample without any of the CpGs), and the number of missing CpGs.
        """
        total, missing = np.full(values.shape[1], self.intercept), np.isnan(values)
        unknown = np.full(len(values), np.nan)
        reference = unknown if reference is None else reference
        own = unknown if self.reference is None else self.reference
        for k, coefficient in enumerate(self.coefficient):
            filled = np.where(missing[k], reference[k], values[k])
            filled = np.where(np.isnan(filled), own[k], filled)
            if scale is not None:
                filled = (filled - scale[0]) / scale[1]
            total += coefficient * np.where(np.isnan(filled), 0.0, filled)
        ages = TRANSFORMS[self.transform](total)
        return np.where(missing.all(axis=0), np.nan, ages), missing.sum(axis=0).astype(np.float64)


def read_coefficients(path: str | Path, where: str = "", intercept: float | None = None) -> PublishedClock:
    """Read a coefficient table. All table formats are supported; in text files the header is optional.

    where : name of the table in messages; default: its path
    intercept : the intercept, if the table has no row for it

    Raises HeteroAgeError: no column of probe names or of coefficients; coefficients that are not finite numbers; a
    repeated CpG; two intercepts.
    """
    where = where or str(path)
    source = open_source(path, where)
    header, columns = source.header, source.texts(range(len(source.header)))
    if any(is_probe(name) or name.lower() in INTERCEPTS for name in header):  # no header: the first row is data
        columns = [[name, *cells] for name, cells in zip(header, columns, strict=True)]
        header = [f"column {k + 1}" for k in range(len(header))]
    names, values = _columns(header, columns, where)
    typical = next(
        (columns[k] for wanted in REFERENCES for k, name in enumerate(header) if name.lower() == wanted), None
    )
    typical_of = {} if typical is None else {name: _number(cell) for name, cell in zip(names, typical, strict=True)}
    rows = [(name or "", text) for name, text in zip(names, values, strict=True) if name or text]
    if bad := [f"{name} {text or '(empty)'}" for name, text in rows if not np.isfinite(_number(text))]:
        raise HeteroAgeError(
            f"{where} has coefficients that are not finite numbers ({listed(bad)}). Correct them, or remove their rows."
        )
    own = [_number(text) for name, text in rows if name.lower() in INTERCEPTS]
    if len(own) + (intercept is not None) > 1:
        raise HeteroAgeError(f"{where} has more than one intercept. Give it once, as a row or as the key `intercept`.")
    rows = [row for row in rows if row[0].lower() not in INTERCEPTS]
    if unknown := [name for name, _ in rows if not is_probe(name)]:
        raise HeteroAgeError(
            f"{where} has rows that are neither a CpG nor the intercept ({listed(unknown)}). Remove them."
        )
    features = [feature_name(name, "beta") or name for name, _ in rows]
    if twice := [name for name, count in Counter(features).items() if count > 1]:
        raise HeteroAgeError(f"{where} has repeated CpGs ({listed(twice)}). Keep one row of each.")
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    coefficient = np.array([_number(text) for _, text in rows])
    reference = None if typical is None else np.array([typical_of[name] for name, _ in rows])
    return PublishedClock(features, coefficient, own[0] if own else float(intercept or 0.0), digest, reference)


def _columns(
    header: list[str], columns: list[list[str | None]], where: str
) -> tuple[list[str | None], list[str | None]]:
    """Find the columns of probe names and of coefficients."""
    named_row = [_share(cells, lambda name: is_probe(name) or name.lower() in INTERCEPTS) for cells in columns]
    probes = next((k for k, share in enumerate(named_row) if share > 0.5), None)
    if probes is None:
        raise HeteroAgeError(
            f"{where} has no column of probe names such as cg00075967 (its columns are {listed(header)}). "
            "Give a table of two columns, for example CpGmarker,CoefficientTraining."
        )
    others = [k for k in range(len(columns)) if k != probes and header[k].lower() not in REFERENCES]
    named = [k for name in COEFFICIENTS for k in others if header[k].lower() == name]
    numeric = [k for k in others if _share(columns[k], lambda text: np.isfinite(_number(text))) > 0.5]
    if not named and len(numeric) != 1 and len(others) != 1:
        raise HeteroAgeError(
            f"{where} has {len(numeric)} columns of numbers beside the probes (its columns are {listed(header)}). "
            "Name the one of coefficients `coefficient`."
        )
    return columns[probes], columns[(named or numeric or others)[0]]


def _share(cells: list[str | None], holds: Callable[[str], bool]) -> float:
    return float(np.mean([text is not None and holds(text) for text in cells])) if cells else 0.0


def _number(text: str | None) -> float:
    """Convert a cell to a number; NaN if that is not possible."""
    number = None if text is None else number_of(text)
    return np.nan if number is None else number


def read_compared(
    compare: Mapping[str, Mapping[str, object]], names: Collection[str] | None = None
) -> list[PublishedClock]:
    """Read all entries of `compare:`: {name, which becomes a column: coefficients, transform, intercept, input, ...}.

    names : features of the data, to check that some are shared

    Raises HeteroAgeError: a reserved name; errors of `read_coefficients`; an unknown transform; no CpG in common.
    """
    return [_read_compared(name, given, names) for name, given in compare.items()]


def _read_compared(name: str, given: Mapping[str, object], names: Collection[str] | None) -> PublishedClock:
    where = f"compare.{name}, {given['coefficients']},"
    if name in RESERVED or name.startswith(RESERVED_STARTS) or name.endswith((MISSING, CORRECTION)):
        raise HeteroAgeError(
            f"{where} has the name of a column of predictions. Give the clock another name, such as Horvath2013."
        )
    transform = str(given.get("transform", "identity"))
    if transform not in TRANSFORMS:
        raise HeteroAgeError(
            f"compare.{name}.transform: unknown transform {transform!r}. Known are {', '.join(TRANSFORMS)}."
        )
    intercept = given.get("intercept")
    try:
        intercept = None if intercept is None else float(str(intercept))  # text, from the command line
    except ValueError as error:
        raise HeteroAgeError(
            f"{where} has the intercept {intercept!r}, which is not a number. Give a number."
        ) from error
    clock = read_coefficients(str(given["coefficients"]), where, intercept)
    if names is not None and not set(clock.features) & set(names):
        raise HeteroAgeError(
            f"{where} shares no CpG with the data (its CpGs are {listed(clock.features)}). Published clocks are "
            "read as beta values: check how CpGs are named, and inputs.beta."
        )
    trained_on, standardised = tuple(map(str, given.get("trained_on") or ())), given.get("input") == "z"
    return replace(clock, name=name, transform=transform, standardised=standardised, trained_on=trained_on)


def scale_of(
    count: NDArray[np.float64], total: NDArray[np.float64], squares: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each sample's mean and standard deviation, from the number, sum and sum of squares of its values."""
    mean = total / np.maximum(count, 1)
    return mean, np.sqrt(np.maximum(squares / np.maximum(count, 1) - mean**2, 1e-12))


class Beside:
    """Published clocks that are applied to a table, block by block.

    A missing value is replaced by the training median of `clock` if that clock uses the CpG, otherwise as in
    `PublishedClock.ages`. With `projects`, the column project_id is passed on if the table has it.
    """

    def __init__(
        self, compared: Sequence[PublishedClock], clock: ClockModel | None = None, projects: bool = False
    ) -> None:
        self.compared, self.projects = compared, projects
        features = {name for one in compared for name in one.features}
        # z-scores are computed over all CpGs of the table.
        every = any(one.standardised for one in compared)
        self.wanted = Wanted(features | (clock.wanted.features if clock else set()), every)
        places = {name: own[0] for name, own in (clock.terms if clock else {}).items()}
        self._median = {name: clock.models[key].median[k] for name, (key, k) in places.items()}

    def find(self, table: MasterTable) -> None:
        """Find the CpGs of a table. Raises HeteroAgeError: no CpG in common with one of the clocks."""
        self.columns_of = self.wanted.columns_of(table.names)
        self.scaled_by = [name for name in table.names if self.wanted.is_cpg(name)] if self.wanted.every else []
        for one in self.compared:
            if not self.columns_of.keys() & set(one.features):
                raise HeteroAgeError(
                    f"{table.where} shares no CpG with {one.name}, which reads {len(one.features)}. Check how "
                    "CpGs are named."
                )

    def rows(self, part: NamedPart) -> Rows:
        """Return ages (years) and numbers of missing CpGs of a block's samples, two columns per clock."""
        check = ValueCheck(part.where)
        scale = self._scale(part) if self.scaled_by else None
        known = self.projects and "project_id" in part.names
        found: Rows = {"project_id": part.text("project_id")} if known else {}
        for one in self.compared:
            values = np.full((len(one.features), len(part.ids)), np.nan)
            for k, feature in enumerate(one.features):
                if own := self.columns_of.get(feature):
                    cells = check.convert(np.array([cells for _, cells in part.numbers(own)]), own, part.ids)
                    values[k] = mean_of(list(cells))
            reference = np.array([self._median.get(name, np.nan) for name in one.features])
            ages, missing = one.ages(values, reference, scale if one.standardised else None)
            found |= {one.name: ages, one.name + MISSING: missing}
        check.verdict(len(part.ids), len(self.columns_of))
        return found

    def _scale(self, part: NamedPart) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and standard deviation of each sample over its measured CpGs."""
        count, total, squares = np.zeros((3, len(part.ids)))
        for _, values in part.numbers(self.scaled_by):
            known = ~np.isnan(values)
            count += known
            total[known] += values[known]
            squares[known] += values[known] ** 2
        return scale_of(count, total, squares)
