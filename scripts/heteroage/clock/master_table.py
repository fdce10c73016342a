"""Tables to predict, read a part at a time and only the columns that are used: CSV, Parquet, Feather, frames.

Samples stand in rows, in one table or in several that are joined on `sample_id`; or CpGs stand in rows, one
column a sample (`read_cpgs_in_rows`). Nothing here decides by a part's size what a cell is, so that a sample's
numbers do not depend on the rows that are read with it.
"""

from __future__ import annotations

import csv
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from heteroage.clock.columns import TEXT, Cells, SeenIds, Wanted, check_ids, missing_ids, to_numbers, to_text
from heteroage.errors import HeteroAgeError, listed
from heteroage.labels import sex_of, tissue_of

if TYPE_CHECKING:
    import pandas as pd

GROUP = 32  # columns read at a time
ROWS = 65_536  # samples of a part of a frame; files have their own parts
NORMALISED = {"Tissue": tissue_of, "Sex": sex_of}


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Put what a reader says of a broken file into words for the user."""
    try:
        yield
    except (pa.ArrowException, OSError, EOFError, UnicodeError, ValueError, csv.Error, zlib.error) as error:
        said = " ".join(str(error).split())
        raise HeteroAgeError(
            f"cannot read {path}: {said[:300]}{'...' if len(said) > 300 else ''}. Give a whole CSV (.csv, .csv.gz, "
            ".tsv; UTF-8), Parquet (.parquet) or Feather (.feather) file."
        ) from error


@dataclass(frozen=True)
class Part:
    """Some samples of a table, in its order; their columns are read when asked for."""

    ids: list[str]
    get: Callable[[Sequence[str]], Mapping[str, Cells]]

    def numbers(self, names: Sequence[str]) -> Iterator[tuple[str, NDArray[np.float64]]]:
        """Each column as float64, missing as NaN, in the order of `names`."""
        for start in range(0, len(names), GROUP):
            group = names[start : start + GROUP]
            raw = self.get(group)
            for name in group:
                yield name, to_numbers(raw[name], name, self.ids)

    def text(self, name: str) -> list[str | None]:
        """A column as text, missing as None."""
        return to_text(self.get([name])[name])


class Table(Protocol):
    """A table open for reading: where it is from, the names of its columns that may be used, its samples if known."""

    where: str
    names: list[str]
    n_rows: int | None

    def parts(self, columns: Sequence[str]) -> Iterator[Part]:
        """Walk over the samples; `columns` are all that will be asked for."""


@dataclass(frozen=True)
class InMemory:
    """Columns by name, all of the same length."""

    where: str
    columns: Mapping[str, Cells]
    n_rows: int

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return list(self.columns)

    def parts(self, columns: Sequence[str]) -> Iterator[Part]:
        """Slices of at most ROWS samples."""
        ids = check_ids(to_text(self.columns["sample_id"]), self.where)
        for start in range(0, self.n_rows, ROWS):
            rows = slice(start, start + ROWS)
            yield Part(ids[rows], lambda names, rows=rows: {name: self.columns[name][rows] for name in names})


def from_frame(frame: pd.DataFrame, wanted: Wanted) -> InMemory:
    """A pandas frame, with samples in rows (sample_id a column or the index's name) or CpGs in rows."""
    where = "the table"
    names = [str(name) for name in frame.columns]
    if "sample_id" not in names:
        labels = [str(label) for label in frame.index]
        if frame.index.name == "sample_id":
            frame = frame.reset_index()
            names = [str(name) for name in frame.columns]
        elif wanted.among(labels):
            kept = set(wanted.among(labels))
            check_once([label for label in labels if label in kept], where)
            rows = {label: frame.iloc[k].to_numpy() for k, label in enumerate(labels) if label in kept}
            return InMemory(where, {"sample_id": np.array(names, dtype=object), **rows}, len(names))
        else:
            raise missing_ids(names, where)
    kept = set(wanted.among(names))
    check_once([name for name in names if name in kept], where)
    columns = {name: frame.iloc[:, k].array for k, name in enumerate(names) if name in kept}
    return InMemory(where, columns, len(frame))


def open_tables(paths: Sequence[str | Path], wanted: Wanted) -> Table:
    """Open a table, or join several: they must hold the same samples, and agree where columns stand in more than one.

    Raises
    ------
    HeteroAgeError
        A file that cannot be read as a table; tables of other samples.
    """
    from heteroage.clock.readers import open_file

    tables = [open_file(Path(path), wanted) for path in paths]
    return tables[0] if len(tables) == 1 else Joined.of(tables)


@dataclass(frozen=True)
class Joined:
    """A table that is walked over, and others in memory that add columns to its samples."""

    first: Table
    others: list[InMemory]
    rows: list[dict[str, int]]  # of each other table: where each sample stands

    @classmethod
    def of(cls, tables: Sequence[Table]) -> Joined:
        """Join the tables; the order of samples is the first's."""
        first = tables[0]
        ids = ids_of(first)
        others, rows = [], []
        for table in tables[1:]:
            loaded = load(table)
            place = {one: k for k, one in enumerate(check_ids(to_text(loaded.columns["sample_id"]), table.where))}
            if len(place) < loaded.n_rows:
                SeenIds(table.where).add(to_text(loaded.columns["sample_id"]))
            if set(place) != set(ids):
                differ = sorted(set(place) ^ set(ids))
                raise HeteroAgeError(
                    f"{table.where} does not hold the samples of {first.where}; they differ in {listed(differ)}."
                )
            others.append(loaded)
            rows.append(place)
        return cls(first, others, rows)

    @property
    def where(self) -> str:
        """The first table's place."""
        return self.first.where

    @property
    def n_rows(self) -> int | None:
        """The samples, if known."""
        return self.first.n_rows

    @property
    def names(self) -> list[str]:
        """Every column's name, once."""
        return list(dict.fromkeys(name for table in (self.first, *self.others) for name in table.names))

    def parts(self, columns: Sequence[str]) -> Iterator[Part]:
        """The first table's parts, with the others' columns."""
        for part in self.first.parts([name for name in columns if name in set(self.first.names)]):
            yield Part(part.ids, lambda names, part=part: self._get(part, names))

    def _get(self, part: Part, names: Sequence[str]) -> dict[str, Cells]:
        own = [name for name in names if name in set(self.first.names)]
        found: dict[str, Cells] = dict(part.get(own)) if own else {}
        for other, rows in zip(self.others, self.rows, strict=True):
            at = np.array([rows[one] for one in part.ids], dtype=np.int64)
            for name in names:
                if name == "sample_id" or name not in other.columns:
                    continue
                new = other.columns[name].take(at)
                if name in found and not _same(name, found[name], new, part.ids):
                    raise HeteroAgeError(
                        f"columns of {other.where} differ from those of {self.first.where} (1: {name})."
                    )
                found.setdefault(name, new)
        return found


def _same(name: str, one: Cells, other: Cells, ids: Sequence[str]) -> bool:
    """Whether two columns say the same: 45 and 45.0, female and F do."""
    if name in NORMALISED:
        return [NORMALISED[name](cell) for cell in to_text(one)] == [NORMALISED[name](cell) for cell in to_text(other)]
    return np.array_equal(to_numbers(one, name, ids), to_numbers(other, name, ids), equal_nan=True)


def ids_of(table: Table) -> list[str]:
    """All samples' ids."""
    return [one for part in table.parts(["sample_id"]) for one in part.ids]


def load(table: Table) -> InMemory:
    """Read the columns that may be used into memory."""
    names = table.names
    read: dict[str, list] = {name: [] for name in names}
    for part in table.parts(names):
        for name, raw in part.get(names).items():
            read[name].append(np.array(to_text(raw), dtype=object) if name in TEXT else to_numbers(raw, name, part.ids))
    columns = {name: np.concatenate(pieces) if pieces else np.zeros(0) for name, pieces in read.items()}
    return InMemory(table.where, columns, len(columns["sample_id"]))


def check_once(names: Sequence[str], where: str) -> None:
    """Raise where a column's name stands twice."""
    if len(set(names)) < len(names):
        seen: set[str] = set()
        twice = sorted({name for name in names if name in seen or seen.add(name)})
        raise HeteroAgeError(f"columns stand twice in {where} ({listed(twice)}). Keep one of each.")


def column_of(table: pa.Table | pa.RecordBatch, name: str) -> Cells:
    """One column as a whole Arrow array."""
    column = table.column(name)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
