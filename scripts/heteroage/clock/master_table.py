"""Tables to predict: one table, or several joined on `sample_id`, with columns renamed to the clock's features.

The package `tables` reads them, as in training. Tables are read in parts (blocks of samples). The type of a cell never
depends on the other rows of its part, so a sample's numbers do not depend on the rows that are read with it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heteroage.clock.artifacts import is_staged
from heteroage.errors import HeteroAgeError, listed
from heteroage.inputs.conversion import gather
from heteroage.probes import is_pc, is_probe, plain_name, split_modality
from heteroage.tables.ages import unit_in
from heteroage.tables.layout import check_cpg_names, check_left_out, holds_values, no_rows
from heteroage.tables.metadata import (
    Conventions,
    agreed,
    differing,
    known_values,
    mangled_by_r,
    no_common_samples,
)
from heteroage.tables.opening import open_source
from heteroage.tables.table import Part, Sheet, Table, sheet_of

log = logging.getLogger(__name__)
# Read as text; parsed by tables/metadata.py.
READ_AS_TEXT = ("sample_id", "Tissue", "Sex", "Age", "project_id")
COLUMNS_PER_READ = 32  # number of columns read at a time


class Wanted:
    """The columns that a clock can use: its features (or `every` CpG), metadata, output of earlier stages."""

    def __init__(self, features: Iterable[str], every: bool = False) -> None:
        self.features, self.every = frozenset(features), every
        self._by_plain_name = {plain_name(name): name for name in sorted(self.features)}
        self.probes = frozenset(name.split("_", 1)[0] for name in self.features)
        modalities = {split_modality(name)[1] for name in self.features if not is_pc(name)}
        self.modality = modalities.pop() if len(modalities) == 1 else None

    def among(self, names: Iterable[str]) -> list[str]:
        """Return the usable columns among `names`. Fast for a million names, because most are rejected early."""
        if self.every:
            return [name for name in names if self.is_value(name)]
        probes, features, positions = self.probes, self.features, any(name[:2] != "cg" for name in self.features)
        return [
            name
            for name in names
            if name in features
            or (
                ((probe := name.split("_", 1)[0]) in probes or not probe.isalnum() or (positions and name[:2] != "cg"))
                and self.feature(name)
            )
            or is_staged(name)
            or is_pc(name)
        ]

    def feature(self, name: str) -> str | None:
        """Return the feature of a column: same name, EPICv2 replicate, or name without the clock's only suffix."""
        plain = plain_name(name)
        if plain not in self._by_plain_name and self.modality and split_modality(plain)[1] is None:
            plain = f"{plain}_{self.modality}"
        return self._by_plain_name.get(plain)

    def columns_of(self, names: Iterable[str]) -> dict[str, list[str]]:
        """Return the columns of each feature among `names`, sorted. Several columns are replicates to be averaged."""
        found: dict[str, list[str]] = {}
        for name in names:
            if feature := self.feature(name):
                found.setdefault(feature, []).append(name)
        return {feature: sorted(own) for feature, own in found.items()}

    def is_cpg(self, name: str) -> bool:
        """Tell whether a name is a CpG name, used by the clock or not."""
        return name in self.features or is_probe(name)

    def is_value(self, name: str) -> bool:
        """Tell whether a column contains numbers: a CpG, an RF_PC, or output of an earlier stage."""
        return self.is_cpg(name) or is_staged(name) or is_pc(name)


@dataclass(frozen=True)
class Joined:
    """Columns of a joined table by name. `labels` are the table's own names of Tissue, Sex and Age."""

    where: str
    columns: dict[str, NDArray]
    labels: dict[str, str]


@dataclass(frozen=True)
class MasterTable:
    """A table with the column names of a clock, read in blocks, and columns of other tables that are joined with it.

    place : position of each column in the table
    others : columns of the other tables
    rows : position of each sample in these columns
    """

    table: Table
    place: dict[str, int]
    others: Sequence[Joined] = ()
    rows: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, table: Table, wanted: Wanted) -> MasterTable:
        """Find the columns that a clock can use."""
        ours = {name: k for name, k in table.metadata.items() if name in READ_AS_TEXT}
        others = [(k, name) for k, name in enumerate(table.names) if name and k not in table.metadata.values()]
        kept = set(wanted.among([name for _, name in others]))
        found = [(k, name) for k, name in others if name in kept]
        check_cpg_names([name for _, name in found], table.where)
        if table.layout.left_out:
            log.warning("%s: columns that are not samples are dropped (%s)", table.where, listed(table.layout.left_out))
        for step, count in table.source.notes.items():
            log.warning("%s: %d %s left out", table.where, count, step.replace("_", " "))
        return cls(table, ours | {name: k for k, name in found})

    def join(self, tables: Sequence[MasterTable], sheets: Sequence[Sheet]) -> MasterTable:
        """Join tables of values with the same samples, and sample sheets, which may contain more samples."""
        rows = {sample: k for k, sample in enumerate(self.table.ids)}
        others = []
        for one in (*(table.table for table in tables), *sheets):
            place = {sample: k for k, sample in enumerate(one.ids)}
            at, found = [place[sample] for sample in rows], one.columns.items()
            text = {name: np.array(cells, dtype=object)[at] for name, (_, cells) in found if name in READ_AS_TEXT}
            others.append(Joined(one.where, text, {name: label for name, (label, _) in found}))
        for table, joined in zip(tables, others, strict=False):  # the sheets have no numbers
            numbers = {name: np.empty(len(rows)) for name in table.place if name not in READ_AS_TEXT}
            for part in table.parts(list(numbers)):
                at = [rows[sample] for sample in part.ids]
                for name, values in part.numbers(list(numbers)):
                    numbers[name][at] = values
            joined.columns.update(numbers)
        return replace(self, others=others, rows=rows)

    @property
    def where(self) -> str:
        """Name in messages: that of the first table."""
        return self.table.where

    @property
    def n_rows(self) -> int | None:
        """Number of samples, if known."""
        return len(self.table.ids) if self.table.cpgs_in_rows else self.table.source.n_rows

    @property
    def names(self) -> list[str]:
        """Every column's name, once."""
        return list(dict.fromkeys(("sample_id", *self.place, *(name for one in self.others for name in one.columns))))

    def parts(self, columns: Sequence[str]) -> Iterator[NamedPart]:
        """Iterate over blocks of samples; `columns` are all columns that will be used.

        Raises HeteroAgeError: the table has no samples.
        """
        chosen = [name for name in columns if name in self.place and name != "sample_id"]
        text = [self.place[name] for name in chosen if name in READ_AS_TEXT]
        values = [self.place[name] for name in chosen if name not in READ_AS_TEXT]
        names = frozenset(self.names)
        part = None
        for part in self.table.parts(text, values):
            yield NamedPart(self, part, names)
        if part is None:
            raise no_rows(self.where)


class NamedPart:
    """A block of samples of a table, in table order. Columns are read on demand; `names` are all names of the table."""

    def __init__(self, table: MasterTable, part: Part, names: frozenset[str]) -> None:
        self.table, self.part, self.names = table, part, names
        self.ids, self.where, self.conventions = part.ids, table.where, table.table.conventions
        self._at = np.array([table.rows[one] for one in part.ids] if table.others else [], dtype=np.int64)

    def _joined(self, name: str) -> list[tuple[Joined, NDArray]]:
        """Return this column from all joined tables that have it, for these samples."""
        return [(one, one.columns[name][self._at]) for one in self.table.others if name in one.columns]

    def metadata(self, name: str) -> list:
        """Return Tissue, Sex, Age (years) or project_id of each sample, None if unknown. Several tables must agree."""
        place, read = self.table.place, []
        found = [(one.where, cells.tolist(), one.labels[name], one.columns) for one, cells in self._joined(name)]
        if name in place:
            label = self.table.table.names[place[name]]
            found.insert(0, (self.where, self.part.text(place[name]), label, place))
        for where, cells, label, names in found:
            # Output of an earlier stage has years.
            staged = unit_in(label) is None and any(map(is_staged, names))
            how = replace(self.conventions, age_unit="years") if staged else self.conventions
            read.append((where, known_values(name, cells, label, self.ids, where, how)))
        known, rounded = agreed(name, read, self.ids)
        if rounded:
            log.warning("ages are taken from the table with more digits (%s)", listed(rounded))
        return [known.get(one) for one in self.ids]

    def numbers(self, names: Sequence[str]) -> Iterator[tuple[str, NDArray[np.float64]]]:
        """Yield each column as float64, missing as NaN, in the order of `names`."""
        for start in range(0, len(names), COLUMNS_PER_READ):
            group, place = names[start : start + COLUMNS_PER_READ], self.table.place
            own = [name for name in group if name in place]
            ours = dict(zip(own, self.part.numbers([place[name] for name in own]), strict=True))
            for name in group:
                several = [(self.where, ours[name])] if name in ours else []
                several += [(one.where, values) for one, values in self._joined(name)]
                first, values = several[0]
                for where, given in several[1:]:
                    at = np.flatnonzero((values != given) & ~(np.isnan(values) & np.isnan(given)))
                    if len(at):
                        pairs = [f"{self.ids[k]}: {values[k]} and {given[k]}" for k in at]
                        raise differing(name, where, first, pairs)
                yield name, values


def _check_samples(rows: Collection[str], ids: Sequence[str], where: str, first: str, more: bool) -> None:
    absent, alone = sorted(set(rows) - set(ids)), sorted(set(ids) - set(rows))
    if len(absent) == len(rows):
        raise no_common_samples(where, alone, first, absent)
    for own, here, there in ((absent, where, first), (() if more else alone, first, where)):
        if own:
            raise HeteroAgeError(
                f"{here} does not have samples of {there} ({listed(own)}). Add them, or use the same sample_ids. "
                f"Delete columns that are not samples.{mangled_by_r(alone, absent)}"
            )
    if alone:
        log.warning("%s: samples that are not in %s are dropped (%s)", where, first, listed(alone))


def open_tables(paths: Sequence[str | Path], wanted: Wanted, conventions: Conventions | None = None) -> MasterTable:
    """Open a table, or join several on sample_id. Shared columns must agree. All coverage files form one table.

    Tables of values must contain the same samples. Additional samples in sample sheets are ignored.

    Raises HeteroAgeError: a file is not a readable table; the tables contain different samples; shared columns
    disagree.
    """
    tables, sheets = open_each(paths, wanted, conventions or Conventions())
    return tables[0].join(tables[1:], sheets) if len(tables) > 1 or sheets else tables[0]


def open_each(
    paths: Sequence[str | Path], wanted: Wanted, conventions: Conventions, called: str = "{}"
) -> tuple[list[MasterTable], list[Sheet]]:
    """Open tables of values and sample sheets, as `open_tables`; `called` names a table in messages ({}: path)."""
    valued, others = [], []
    read, calls = gather(paths, wanted.features, conventions.least_coverage)
    for path in read:
        where = called.format("standard input" if str(path) == "-" else path)
        if calls is not None and path == calls.name:
            where = called.format("the table of the coverage files")
        source = open_source(path, where, conventions.missing_values)
        if calls is not None:
            source.keep.append(calls)
        alone = len(read) == 1  # a single table is predicted, or refused, in any case
        (valued if alone or holds_values(source, wanted.is_value, wanted.is_cpg) else others).append(source)
    if not valued:
        valued, others = others, []
    tables = [MasterTable.of(Table(source, wanted.is_cpg, conventions), wanted) for source in valued]
    if len(paths) == 1:
        return tables, []
    first, known = tables[0].where, set(tables[0].table.ids)
    sheets = [sheet_of(source, known, conventions) for source in others]
    for table in tables[1:]:
        _check_samples(known, table.table.ids, table.where, first, more=False)
    for sheet in sheets:
        for table in tables:
            check_left_out(set(sheet.ids) - known, sheet.where, table.table.layout.left_out, table.where)
        _check_samples(known, sheet.ids, sheet.where, first, more=True)
    return tables, sheets
