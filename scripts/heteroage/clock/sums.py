"""A block of samples of a table: its metadata, all sums over features, and the ages of published clocks.

Features are added one by one, in the order of their names, elementwise over samples. So a sample's sums have the same
bits for any other samples in the table. An absent column is treated as a column of missing values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heteroage.age import ADULT_AGE
from heteroage.clock.artifacts import ANCHOR, MISSING, is_staged
from heteroage.clock.check import MOST_MISSING_WEIGHT
from heteroage.clock.imputation import Imputation
from heteroage.clock.master_table import MasterTable, NamedPart, Wanted
from heteroage.clock.model import COMPUTED, ClockModel
from heteroage.clock.published import PublishedClock
from heteroage.errors import HeteroAgeError, listed
from heteroage.labels import UNKNOWN
from heteroage.matrix import scale_of
from heteroage.probes import is_pc, pc_number
from heteroage.tables.values import ValueCheck

Rows = dict[str, Any]  # columns by name: lists of text, arrays of numbers
SLACK = 1e-6  # accepted deviation of a beta value from 0 to 1 (rounding)


class SampleBlock:
    """A block of samples of a table: its metadata, and its sums over features, initially only the intercepts.

    columns_of : the columns of each CpG in the table
    totals : predictions by model (a key of `ClockModel.linear`), on the model's scale
    pcs : computed RF_PCs
    missing : number of imputed CpGs (format version 1: of CpGs with weight)
    missing_weight, missing_context : their fraction of the anchor's absolute standardised weight, and of the computed
        RF_PCs' squared loadings
    outside, empty : samples with a value slightly outside 0 to 1; samples without any of the CpGs
    distance, measured : sum of squared deviations from the training mean (in standard deviations), and their number
    imputed : see `Covariance`; in format version 2 only for missing RF_PCs
    imputation : imputation of missing CpGs, in format version 2
    """

    def __init__(self, clock: ClockModel, part: NamedPart, columns_of: Mapping[str, list[str]]) -> None:
        self.clock, self.part, self.columns_of, n = clock, part, columns_of, len(part.ids)
        self.summed = False
        self.totals = {key: model.start(n) for key, model in clock.linear.items()}
        self.pcs = dict(zip(clock.computed, self.totals.get(COMPUTED, []), strict=True))
        self.missing, self.missing_weight, self.missing_context = np.zeros((3, n))
        self.distance, self.measured = np.zeros((2, n))
        self.outside, self.empty = np.zeros(n, dtype=bool), np.full(n, bool(clock.cpgs_read))
        self.imputed = clock.covariance.start(n) if clock.covariance else None
        self.imputation = Imputation(clock.conditional, n) if clock.conditional else None

    def identity(self) -> Rows:
        """Return sample_id, Tissue and Sex ("unknown" if absent), and Age if the table has it."""
        part = self.part
        rows: Rows = {"sample_id": part.ids}
        rows |= {name: [value or UNKNOWN for value in part.metadata(name)] for name in ("Tissue", "Sex")}
        return rows | ({"Age": np.array(part.metadata("Age"), np.float64)} if "Age" in part.names else {})

    def context(self) -> Rows:
        """Return the columns that a later stage needs: RF_PCs and the output of earlier stages."""
        pcs = sorted({*filter(is_pc, self.part.names), *self.pcs}, key=pc_number)
        staged = sorted(filter(is_staged, self.part.names))
        return {name: self.pc(name) for name in pcs} | {name: self.numbers(name) for name in staged}

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return one numeric column; infinite values are rejected."""
        values = next(self.part.numbers([name]))[1]
        if infinite := [self.part.ids[k] for k in np.flatnonzero(np.isinf(values))]:
            raise HeteroAgeError(
                f"column {name} of {self.part.where} has infinite values ({listed(infinite)}). Correct them."
            )
        return values

    def pc(self, name: str) -> NDArray[np.float64]:
        """Return an RF_PC: the table's column if it exists, otherwise computed from the clock's loadings."""
        if name in self.part.names:
            return self.numbers(name)
        if name in self.pcs:
            self.sum_features()
        return self.pcs.get(name, np.full(len(self.part.ids), np.nan))

    @property
    def usable(self) -> bool:
        """Whether at least one sample has most of the weight of the features summed so far."""
        return not (self.summed and self.mostly_imputed.all())

    def sum_features(self) -> None:
        """Add all CpGs and RF_PCs, once."""
        if self.summed:
            return
        self.summed = True
        self.add_cpgs()
        for name in sorted(filter(is_pc, self.clock.terms), key=pc_number):
            values = self.pc(name)
            self.add(name, values, np.isnan(values))
        # Samples without any CpG get no prediction.
        for values in self.totals.values():
            values[..., self.empty] = np.nan

    def add_cpgs(self) -> None:
        """Add all CpGs that the clock reads: the mean of their columns, with missing values imputed."""
        clock, check, n, cpgs = self.clock, ValueCheck(self.part.where), len(self.part.ids), self.clock.cpgs_read
        read = self.part.numbers([column for name in cpgs for column in self.columns_of.get(name, [])])
        for name in cpgs:
            values = np.full(n, np.nan)
            if columns := self.columns_of.get(name):
                values = mean_of([next(read)[1] for _ in columns])
                self._check_scale(columns[0], values, check)
            absent = np.isnan(values)
            self.add(name, values, absent)
            self.empty &= absent
            if absent.any():
                self.missing += absent & (name in clock.counted)
                self.missing_weight += absent * clock.anchor_weight.get(name, 0.0)
                self.missing_context += absent * clock.context_weight.get(name, 0.0)
            if self.imputation is not None:
                self.imputation.add(values, absent)
            if (k := clock.anchor_place.get(name)) is not None:
                deviation = (values - clock.anchor.mean[k]) / clock.anchor.scale[k]
                self.distance += np.where(absent, 0.0, deviation * deviation)
                self.measured += ~absent
        check.verdict(n, len(cpgs))
        if self.imputation is not None:
            self._add_conditional_means(self.imputation)

    def add(self, name: str, values: NDArray[np.float64], absent: NDArray[np.bool_]) -> None:
        """Add a feature to the models; missing values are first imputed by its training median or mean."""
        clock = self.clock
        for key, k in clock.terms.get(name, []):
            clock.linear[key].add(k, self.totals[key], values)
        if self.imputed is not None and (self.imputation is None or is_pc(name)) and absent.any():
            clock.covariance.add(name, self.imputed, absent)

    @property
    def mostly_imputed(self) -> NDArray[np.bool_]:
        """Return which samples exceed the limits of missing features."""
        return np.maximum(self.missing_weight, self.missing_context) > MOST_MISSING_WEIGHT + 1e-9

    def _add_conditional_means(self, imputation: Imputation) -> None:
        """Replace the unconditional means of missing CpGs by their conditional means: add the differences."""
        imputation.solve()
        clock = self.clock
        for name, absent, shift in imputation.shifts():
            shift = np.where(absent, shift, 0.0)
            for key, k in clock.terms.get(name, []):
                model = clock.linear[key]
                self.totals[key] += np.multiply.outer(model.weight[k] / model.scale[k], shift)

    def imputed_years(self) -> NDArray[np.float64]:
        """Return the standard deviation, in years, of the missing features' total contribution; NaN if unknown."""
        # Slope of the inverse age transform, in years: constant above 20 years, exponential below.
        slope = (ADULT_AGE + 1) * np.exp(np.minimum(self.totals[ANCHOR], 0.0))
        if self.imputed is None:
            return np.full(len(slope), np.nan)
        if self.imputation is None:
            return self.clock.covariance.years(self.imputed, slope)
        return np.sqrt(np.maximum(self.imputation.variance(slope, self.imputed[-3:]), 0.0))

    def _check_scale(self, name: str, values: NDArray[np.float64], check: ValueCheck) -> None:
        low, high = np.fmin.reduce(values, initial=0.5), np.fmax.reduce(values, initial=0.5)
        if low >= -SLACK and high <= 1 + SLACK:
            check.n += len(values)
            return
        check.convert(values[None], [name], self.part.ids)
        if np.isinf(low) or np.isinf(high):
            check.verdict(len(values), 1)
        with np.errstate(invalid="ignore"):
            self.outside |= (values < -SLACK) | (values > 1 + SLACK)


def mean_of(columns: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the mean of the available replicates; NaN if all are missing."""
    if len(columns) == 1:
        return columns[0]
    total, count = np.zeros((2, len(columns[0])))
    for values in columns:
        absent = np.isnan(values)
        total += np.where(absent, 0.0, values)
        count += ~absent
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


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
        places = clock.terms.items() if clock else ()
        self._median = {name: clock.linear[key].median[k] for name, ((key, k), *_) in places if key != COMPUTED}

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
        scale = scale_of((values[None] for _, values in part.numbers(self.scaled_by)), len(part.ids))
        known = self.projects and "project_id" in part.names
        found: Rows = {"project_id": part.metadata("project_id")} if known else {}
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
