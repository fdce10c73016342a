"""Tables to predict: one table, or several joined on `sample_id`, with columns renamed to the clock's features.

The package `tables` reads them, as in training. Tables are read in parts (blocks of samples). The type of a cell never
depends on the other rows of its part, so a sample's numbers do not depend on the rows that are read with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heteroage.clock.columns import TEXT, Wanted
from heteroage.errors import HeteroAgeError, listed
from heteroage.inputs.coverage import gather
from heteroage.labels import same_word, sex_of, tissue_of
from heteroage.tables.ages import read_ages
from heteroage.tables.layout import holds_values
from heteroage.tables.metadata import Conventions, mangled_by_r
from heteroage.tables.opening import Sheet, check_left_out, from_frame, open_source, sheet_of, table_of
from heteroage.tables.table import Part as AnyPart
from heteroage.tables.table import Table as AnyTable
from heteroage.tables.table import check_cpg_names

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)
GROUP = 32  # number of columns read at a time
NORMALISED = {"Tissue": tissue_of, "Sex": sex_of}


@dataclass(frozen=True)
class Part:
    """A block of samples of a table, in table order; columns are read on demand."""

    ids: list[str]
    where: str
    text: Callable[[str], list[str | None]]
    get: Callable[[Sequence[str]], NDArray[np.float64]]

    def numbers(self, names: Sequence[str]) -> Iterator[tuple[str, NDArray[np.float64]]]:
        """Yield each column as float64, missing as NaN, in the order of `names`."""
        for start in range(0, len(names), GROUP):
            group = names[start : start + GROUP]
            yield from zip(group, self.get(group), strict=True)


@dataclass(frozen=True)
class MasterTable:
    """A table with the column names of a clock.

    place : position of each column in the table
    labels : the table's own names of Tissue, Sex and Age
    """

    table: AnyTable
    place: dict[str, int]
    labels: dict[str, str]

    @classmethod
    def of(cls, table: AnyTable, wanted: Wanted) -> MasterTable:
        """Find the columns that a clock can use."""
        ours = {name: k for name, k in table.metadata.items() if name in TEXT}
        others = [(k, name) for k, name in enumerate(table.names) if name and k not in table.metadata.values()]
        kept = set(wanted.among([name for _, name in others]))
        found = [(k, name) for k, name in others if name in kept]
        check_cpg_names([name for _, name in found], table.where)
        place = ours | {name: k for k, name in found}
        if table.layout.left_out:
            log.warning("%s: columns that are not samples are dropped (%s)", table.where, listed(table.layout.left_out))
        for step, count in table.source.notes.items():
            log.warning("%s: %d %s left out", table.where, count, step.replace("_", " "))
        return cls(table, place, {name: table.names[k] for name, k in ours.items()})

    @property
    def where(self) -> str:
        """Name in messages."""
        return self.table.where

    @property
    def n_rows(self) -> int | None:
        """Number of samples, if known."""
        return len(self.table.ids) if self.table.cpgs_in_rows else self.table.source.n_rows

    @property
    def names(self) -> list[str]:
        """Every column's name."""
        return list(dict.fromkeys(("sample_id", *self.place)))

    def parts(self, columns: Sequence[str]) -> Iterator[Part]:
        """Iterate over blocks of samples."""
        chosen = [name for name in columns if name in self.place and name != "sample_id"]
        text = [self.place[name] for name in chosen if name in TEXT]
        values = [self.place[name] for name in chosen if name not in TEXT]
        for part in self.table.parts(text, values):
            yield Part(part.ids, self.where, partial(self._text, part), partial(self._numbers, part))

    def _text(self, part: AnyPart, name: str) -> list[str | None]:
        return part.text(self.place[name])

    def _numbers(self, part: AnyPart, names: Sequence[str]) -> NDArray[np.float64]:
        return part.numbers([self.place[name] for name in names])


@dataclass(frozen=True)
class Joined:
    """A table that is read in blocks, joined with columns of other tables.

    rows : position of each sample in the columns of `others`
    others : name in messages, columns, and own names of Tissue, Sex and Age of each
    """

    first: MasterTable
    rows: dict[str, int]
    others: list[tuple[str, dict[str, Sequence], dict[str, str]]]
    labels: dict[str, str]

    @classmethod
    def of(cls, tables: Sequence[MasterTable], sheets: Sequence[Sheet]) -> Joined:
        """Join tables of values with the same samples, and sample sheets, which may contain more samples."""
        first, labels = tables[0], {}
        rows = {one: k for k, one in enumerate(first.table.ids)}
        others: list[tuple[str, dict[str, Sequence], dict[str, str]]] = []
        for table in tables[1:]:
            own = {name: [None] * len(rows) if name in TEXT else np.empty(len(rows)) for name in table.place}
            for part in table.parts(table.names):
                at = [rows[one] for one in part.ids]
                for name in own:
                    if name in TEXT:
                        for row, cell in zip(at, part.text(name), strict=True):
                            own[name][row] = cell
                for name, values in part.numbers([name for name in own if name not in TEXT]):
                    own[name][at] = values
            others.append((table.where, own, table.labels))
            labels = table.labels | labels
        for sheet in sheets:
            place = {one: k for k, one in enumerate(sheet.ids)}
            at = [place[one] for one in rows]
            own = {name: [c[k] for k in at] for name, (_, c) in sheet.columns.items() if name in TEXT}
            theirs = {name: label for name, (label, _) in sheet.columns.items()}
            others.append((sheet.where, own, theirs))
            labels = theirs | labels
        return cls(first, rows, others, labels | first.labels)

    @property
    def where(self) -> str:
        """Name in messages: that of the first table."""
        return self.first.where

    @property
    def n_rows(self) -> int | None:
        """Number of samples, if known."""
        return self.first.n_rows

    @property
    def names(self) -> list[str]:
        """Every column's name, once."""
        return list(dict.fromkeys((*self.first.names, *(name for _, own, _ in self.others for name in own))))

    def parts(self, columns: Sequence[str]) -> Iterator[Part]:
        """Iterate over blocks of the first table, with the columns of the others."""
        for part in self.first.parts([name for name in columns if name in self.first.place]):
            yield Part(part.ids, self.where, partial(self._text, part), partial(self._numbers, part))

    def _text(self, part: Part, name: str) -> list[str | None]:
        at = [self.rows[one] for one in part.ids]
        found = [(self.where, part.text(name), self.first.labels)] if name in self.first.place else []
        found += [(where, [own[name][k] for k in at], labels) for where, own, labels in self.others if name in own]
        cells = [(where, own) for where, own, _ in found]
        if name != "Age" or len(found) == 1:
            return _agreed(name, cells, part.ids)
        # Each table may have its own unit, which the column's name gives.
        _agreed(name, [(where, self._years(own, labels[name])) for where, own, labels in found], part.ids)
        return cells[0][1]

    def _years(self, cells: Sequence[str | None], label: str) -> list[float | None]:
        how = self.first.table.conventions
        years = read_ages(cells, label, how.age_unit, how.allow_prenatal, how.missing_values).years
        return [None if age is None else round(age, 6) for age in years]

    def _numbers(self, part: Part, names: Sequence[str]) -> NDArray[np.float64]:
        at = np.array([self.rows[one] for one in part.ids], dtype=np.int64)
        own = dict(part.numbers([name for name in names if name in self.first.place]))
        found = []
        for name in names:
            several = [(self.where, own[name])] if name in own else []
            several += [(where, columns[name][at]) for where, columns, _ in self.others if name in columns]
            found.append(_agreed(name, several, part.ids))
        return np.array(found).reshape(len(names), len(at))


Table = MasterTable | Joined


def _agreed(name: str, several: list[tuple[str, Sequence]], ids: Sequence[str]) -> Sequence:
    """Return the first of several columns of one name, and check that all agree (45 equals 45.0, female equals F)."""
    first, cells = several[0]
    same = NORMALISED.get(name, lambda cell: cell)
    for where, others in several[1:]:
        if differ := [
            f"{one}: {a} and {b}"
            for one, a, b in zip(ids, cells, others, strict=True)
            if same(a) != same(b) and not (a != a and b != b) and not (a and b and same_word(str(a), str(b)))
        ]:
            raise HeteroAgeError(
                f"samples whose {name} in {where} differs from that in {first} ({listed(differ)}). "
                "Correct one of the tables."
            )
    return cells


def _check_samples(rows: Collection[str], ids: Sequence[str], where: str, first: str, more: bool) -> None:
    absent, alone = sorted(set(rows) - set(ids)), sorted(set(ids) - set(rows))
    renamed = mangled_by_r(absent, alone) or mangled_by_r(alone, absent)
    if len(absent) == len(rows):
        raise HeteroAgeError(
            f"{where} has no sample ({listed(alone)}) that {first} has ({listed(absent)}). Use the same "
            f"sample_ids in both, or name their column in inputs.columns (--columns).{renamed}"
        )
    for own, here, there in ((absent, where, first), (() if more else alone, first, where)):
        if own:
            raise HeteroAgeError(
                f"{here} does not have samples of {there} ({listed(own)}). Add them, or use the same sample_ids. "
                f"Delete columns that are not samples.{renamed}"
            )
    if alone:
        log.warning("%s: samples that are not in %s are dropped (%s)", where, first, listed(alone))


def of_frame(frame: pd.DataFrame, wanted: Wanted, conventions: Conventions | None = None) -> MasterTable:
    """Wrap a pandas frame with samples in rows or CpGs in rows."""
    return MasterTable.of(from_frame(frame, wanted.is_cpg, conventions), wanted)


def open_tables(paths: Sequence[str | Path], wanted: Wanted, conventions: Conventions | None = None) -> Table:
    """Open a table, or join several on sample_id. Shared columns must agree. Coverage files together are one table.

    Tables of values must contain the same samples. Additional samples in sample sheets are ignored.

    Raises HeteroAgeError: a file is not a readable table; the tables contain different samples; shared columns
    disagree.
    """
    tables, sheets = open_each(paths, wanted, conventions or Conventions())
    return tables[0] if len(tables) == 1 and not sheets else Joined.of(tables, sheets)


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
        (valued if holds_values(source, wanted.is_value, wanted.is_cpg) else others).append(source)
    if not valued:
        valued, others = others, []
    tables = [MasterTable.of(table_of(source, wanted.is_cpg, conventions), wanted) for source in valued]
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
