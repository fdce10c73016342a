"""A block of samples of a table, with the values that a clock needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from heteroage.age import ADULT_AGE
from heteroage.clock.columns import ANCHOR, CORRECTION
from heteroage.clock.master_table import Part
from heteroage.clock.sums import Sums
from heteroage.errors import HeteroAgeError, listed
from heteroage.probes import is_pc, pc_number
from heteroage.tables import metadata
from heteroage.tables.ages import unit_in

if TYPE_CHECKING:
    from heteroage.clock.model import ClockModel

Rows = dict[str, Any]  # columns by name: lists of text, arrays of numbers


class Source:
    """A block of samples of a table. Sums over features are computed on first use."""

    def __init__(
        self,
        clock: ClockModel,
        part: Part,
        names: set[str],
        columns_of: Mapping[str, list[str]],
        labels: Mapping[str, str],
    ) -> None:
        self.clock, self.part, self.names, self.columns_of, self.labels = clock, part, names, columns_of, labels
        self.n = len(part.ids)
        self.usable = True

    @cached_property
    def sums(self) -> Sums:
        """All sums over CpGs and RF_PCs."""
        sums = Sums.start(self.clock, self.part).walk(self.columns_of)
        for name in sorted((name for name in self.clock.terms if is_pc(name)), key=pc_number):
            sums.add_pc(name, self._pc(name, sums))
        # Samples without any CpG get no prediction.
        for values in (*sums.totals.values(), *sums.pcs.values()):
            values[sums.empty] = np.nan
        self.usable = not sums.mostly_imputed.all()
        return sums

    def pc(self, name: str) -> NDArray[np.float64]:
        """Return an RF_PC: the table's column if it exists, otherwise computed from the clock's loadings."""
        return self.numbers(name) if name in self.names else self._pc(name, self.sums)

    def _pc(self, name: str, sums: Sums) -> NDArray[np.float64]:
        if name in self.names:
            return self.numbers(name)
        return sums.pcs.get(name, np.full(self.n, np.nan))

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return one numeric column; infinite values are rejected."""
        values = next(self.part.numbers([name]))[1]
        infinite = [self.part.ids[k] for k in np.flatnonzero(np.isinf(values))]
        if infinite:
            raise HeteroAgeError(
                f"column {name} of {self.part.where} has infinite values ({listed(infinite)}). Correct them."
            )
        return values

    def corrections(self) -> Rows:
        """Return the correction of each hallmark, in years."""
        return {f"{name}{CORRECTION}": self.sums.totals[name] for name in self.clock.experts}

    def identity(self) -> Rows:
        """Return sample_id, Tissue and Sex ("unknown" if absent), and Age if the table has it."""
        conventions = self.clock.conventions
        label = self.labels.get("Age", "Age")
        staged = ANCHOR in self.names or any(name.endswith(CORRECTION) for name in self.names)
        if staged and unit_in(label) is None:
            conventions = replace(conventions, age_unit="years")  # an earlier stage wrote the table
        rows: Rows = {"sample_id": self.part.ids}
        for name in ("Tissue", "Sex"):
            rows[name] = self.part.text(name) if name in self.names else [None] * self.n
        rows["Tissue"] = metadata.tissues(rows["Tissue"], conventions)
        rows["Sex"] = metadata.check_sexes(rows["Sex"], self.part.where, conventions)
        if "Age" in self.names:
            years = metadata.ages(self.part.text("Age"), label, self.part.ids, self.part.where, conventions)
            rows["Age"] = np.array([np.nan if age is None else age for age in years])
        return rows

    def context(self) -> Rows:
        """Return the columns that a later stage needs: metadata, RF_PCs and the output of earlier stages."""
        rows = self.identity()
        pcs = {name for name in self.names if is_pc(name)} | set(self.sums.pcs)
        for name in sorted(pcs, key=pc_number):
            rows[name] = self.pc(name)
        for name in sorted(self.names):
            if name == ANCHOR or name.endswith(CORRECTION):
                rows[name] = self.numbers(name)
        return rows

    def imputed_years(self) -> NDArray[np.float64]:
        """Return the standard deviation, in years, of the missing features' total contribution; NaN if unknown."""
        # Slope of the inverse age transform, in years: constant above 20 years, exponential below.
        slope = (ADULT_AGE + 1) * np.exp(np.minimum(self.sums.totals[None], 0.0))
        return self.sums.imputed_years(slope)
