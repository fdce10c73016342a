"""An opened table of methylation values, or a sample sheet: sample ids, metadata, and values in blocks.

Training and prediction read tables only through this module. `layout.py` detects whether samples are rows or columns.
Values are returned as (CpGs, samples). Cells of metadata are returned as text, which `metadata.py` interprets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from heteroage.errors import HeteroAgeError, listed
from heteroage.tables import metadata
from heteroage.tables.layout import (
    CPGS_IN_ROWS,
    DETECT,
    IsCpg,
    columns_of,
    find_layout,
    no_ids,
    no_rows,
    unnamed_columns,
)
from heteroage.tables.metadata import Cells, Conventions, column_key, find_columns, sample_ids
from heteroage.tables.source import BadCells, Batch, Source, ahead, number_of

SLIDES = ("sentrix_id", "sentrixbarcode_a", "sentrix_barcode", "slide", "beadchip")
POSITIONS = ("sentrix_position", "sentrixposition_a", "array")


@dataclass
class Block:
    """Values of some features and samples; `features` and `samples` are positions in the requested lists."""

    features: NDArray[np.int64]
    samples: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass
class Table:
    """Samples and CpGs of an opened file, in either orientation.

    is_cpg : whether a name is that of a CpG
    orientation : as stated, or detected
    Raises HeteroAgeError: CpGs are in neither rows nor columns, or in both; no sample ids.
    """

    source: Source
    is_cpg: IsCpg
    conventions: Conventions
    orientation: str = DETECT

    def __post_init__(self) -> None:
        self.layout = find_layout(self.source, self.is_cpg, self.conventions, self.orientation)

    @property
    def where(self) -> str:
        """Name of the table in messages."""
        return self.source.where

    @property
    def cpgs_in_rows(self) -> bool:
        """Whether CpGs are rows and samples are columns."""
        return self.layout.orientation == CPGS_IN_ROWS

    @cached_property
    def names(self) -> list[str]:
        """Names of features and metadata: names of columns, or of rows ("" without a name)."""
        if not self.cpgs_in_rows:
            return self.source.header
        return [name or "" for name in self.source.texts([self.layout.label])[0]]

    @cached_property
    def ids(self) -> list[str]:
        """The samples' ids, in the file's order.

        Raises HeteroAgeError: no samples; one without an id; a repeated id.
        """
        cells = self.layout.ids if self.cpgs_in_rows else self._described[self.layout.label]
        if not cells:
            raise no_rows(self.where)
        return sample_ids(cells, self.where)

    @cached_property
    def _described(self) -> dict[int, list[str | None]]:
        """Cells of the ids and of all metadata, with samples in rows: read together, in one pass over the file."""
        places = sorted({self.layout.label, *self.layout.metadata.values()})
        return dict(zip(places, self.source.texts(places), strict=True))

    @cached_property
    def metadata(self) -> dict[str, int]:
        """Positions of sample_id and the metadata: {our name: position in `names`}."""
        if not self.cpgs_in_rows:
            return self.layout.metadata
        others = [k for k, name in enumerate(self.names) if name and not self.is_cpg(name)]
        found = columns_of(self.names, others, self.conventions, self.where)
        return {name: k for name, k in found.items() if name != "sample_id"}

    @cached_property
    def columns(self) -> dict[str, tuple[str, list[str | None]]]:
        """The metadata: {our name: (the table's name, its cells as text)}, without the ids."""
        ours = {name: k for name, k in self.metadata.items() if name != "sample_id"}
        cells = self.texts(list(ours.values()))
        return {name: (self.names[k], column) for (name, k), column in zip(ours.items(), cells, strict=True)}

    def texts(self, places: Sequence[int]) -> list[list[str | None]]:
        """Return some metadata as text, in the order of samples, None for missing cells."""
        if not self.cpgs_in_rows:
            return [self._described[place] for place in places]
        found, samples = {}, self.layout.samples
        for batch in self.source.batches(samples, [], self._rows(places)) if places else ():
            columns = [batch.text(k) for k in samples]
            found |= {place: [column[at] for column in columns] for at, place in enumerate(batch.places.tolist())}
        return [found[place] for place in places]

    def blocks(self, places: Sequence[int]) -> Iterator[Block]:
        """Yield the values of some of `names` in one pass, in the file's order: some rows, as many columns as fit.

        Raises HeteroAgeError: text among the numbers; the message names sample and CpG.
        """
        wanted, rows, bad = np.array(places, np.int64), None, BadCells()
        columns = self.layout.samples if self.cpgs_in_rows else list(places)
        if self.cpgs_in_rows:
            rank = np.empty(len(self.names), np.int64)
            rank[wanted] = np.arange(len(wanted))
            rows = self._rows(places)
        width = self.source.at_once or len(columns) or 1
        for batch in ahead(self.source.batches([], columns, None if rows is None or rows.all() else rows)):
            for start in range(0, len(columns), width):
                values = self._numbers(batch, columns[start : start + width], bad, start)
                across = np.arange(start, start + len(values))
                if bad.total:
                    continue
                if self.cpgs_in_rows:
                    yield Block(rank[batch.places], across, values.T)
                else:
                    yield Block(across, batch.places, values)
        self._check(bad, places)

    def parts(self, text: Sequence[int], places: Sequence[int]) -> Iterator[Part]:
        """Yield blocks of samples in one pass; `text` and `places` are all columns that will be used."""
        if self.cpgs_in_rows:
            whole = np.empty((len(places), len(self.ids)))
            for block in self.blocks(places):
                whole[np.ix_(block.features, block.samples)] = block.values
            row_of = {place: k for k, place in enumerate(places)}
            words = dict(zip(text, self.texts(text), strict=True))
            yield Part(self.ids, words.__getitem__, lambda wanted: whole[[row_of[k] for k in wanted]])
            return

        def numbers(batch: Batch, wanted: Sequence[int]) -> NDArray[np.float64]:
            bad = BadCells()
            values = self._numbers(batch, wanted, bad)
            self._check(bad, wanted)
            return values

        label, seen = self.layout.label, set()
        for batch in self.source.batches(sorted({label, *text}), list(places)):
            ids = sample_ids(batch.text(label), self.where)
            if not seen.isdisjoint(ids):
                sample_ids([*seen, *ids], self.where)  # raises the error for repeated ids
            seen.update(ids)
            yield Part(ids, batch.text, partial(numbers, batch))

    def _numbers(self, batch: Batch, columns: Sequence[int], bad: BadCells, start: int = 0) -> NDArray[np.float64]:
        """Read columns of a batch as numbers (columns, rows). The user's codes are missing values."""
        words = self.conventions.missing_values
        values = batch.numbers(columns, bad, words, start).T
        codes = [number for word in words if (number := number_of(word)) is not None]
        return np.where(np.isin(values, codes), np.nan, values) if codes else values

    def _check(self, bad: BadCells, places: Sequence[int]) -> None:
        """Reject text among numbers; in `bad` are rows of the file, and positions in `places` or among the samples."""
        if not bad.total:
            return
        shown = []
        for row, column, text in bad.first:
            sample, cpg = (column, row) if self.cpgs_in_rows else (row, places[column])
            shown.append(f"{text!r} at sample {self.ids[sample]}, {self.names[cpg]}")
        raise HeteroAgeError(
            f"{self.where} has text in place of numbers ({listed(shown, bad.total)}). Leave unknown values "
            "empty, or name their code in missing_values."
        )

    def _rows(self, places: Sequence[int]) -> NDArray[np.bool_]:
        rows = np.zeros(len(self.names), bool)
        rows[list(places)] = True
        return rows


@dataclass
class Part:
    """A block of samples of a table, in table order.

    text(place) : one of the table's `names` as text
    numbers(places) : several of them as float64 (names, samples), missing as NaN
    """

    ids: list[str]
    text: Callable[[int], list[str | None]]
    numbers: Callable[[Sequence[int]], NDArray[np.float64]]


@dataclass(frozen=True)
class Sheet:
    """A sample sheet: a table with only metadata, one row per sample.

    columns : {our name: (the sheet's name, its cells as text)}
    named : whether the column of ids was found by its name
    left_out : the other columns
    """

    source: Source
    conventions: Conventions
    ids: list[str]
    columns: dict[str, tuple[str, list[str | None]]]
    named: bool
    left_out: list[str]

    @property
    def where(self) -> str:
        """Name of the sheet in messages."""
        return self.source.where


def sheet_of(source: Source, known: Collection[str], conventions: Conventions) -> Sheet:
    """Read the metadata columns of an opened sample sheet as text.

    known : ids of the tables of values, which decide between several possible columns of ids
    Raises HeteroAgeError: no rows, no column of ids, rows without an id, or several of one id.
    """
    header, where = source.header, source.where
    columns = source.texts(range(len(header)))
    if not columns or not columns[0]:
        raise no_rows(where)
    ours = find_columns(header, conventions, where)
    forms = possible_ids(header, ours.get("sample_id"), columns, known)
    forms = forms or [columns[k] for k in unnamed_columns(source) if any(columns[k])]
    if not forms:
        raise HeteroAgeError(f"{no_ids(where, header)} The header must be the first row.")
    found = {name: (header[k], columns[k]) for name, k in ours.items() if name != "sample_id"}
    ids = sample_ids(forms[0], where)
    used = {*ours.values(), *(k for k, name in enumerate(header) if column_key(name) in SLIDES + POSITIONS)}
    others = [k for k in range(len(header)) if k not in used and metadata.names(_file_names(columns[k])) != ids]
    left_out = [header[k] or f"column {k + 1} (no name{'' if any(columns[k]) else ', empty'})" for k in others]
    return Sheet(source, conventions, ids, found, "sample_id" in ours, left_out)


def possible_ids(
    header: Sequence[str], column: int | None, columns: Sequence[Cells], known: Collection[str]
) -> list[Cells]:
    """Return the possible ids of a sheet's samples, those with the most `known` ids first.

    These are the `column` of ids, slide and position in Illumina's sheets, file names, and other columns that name all
    samples.
    """
    keys = [column_key(name) for name in header]
    forms: list[Cells] = [] if column is None else [columns[column]]
    slide = next((k for k, key in enumerate(keys) if key in SLIDES), None)
    place = next((k for k, key in enumerate(keys) if key in POSITIONS), None)
    if slide is not None and place is not None:
        pairs = zip(metadata.names(columns[slide]), metadata.names(columns[place]), strict=True)
        forms.append([None if one is None or other is None else f"{one}_{other}" for one, other in pairs])
    for k, cells in enumerate(columns):
        files = _file_names(cells)
        # Any other column that names every sample; numbers may do so by chance.
        if k == column or (known and set(known) <= set(files) and not all(map(str.isdigit, known))):
            forms.append(files)
    return sorted(forms, key=lambda form: -sum(name in known for name in metadata.names(form)))


def _file_names(cells: Cells) -> list[str | None]:
    return [None if cell is None else re.split(r"[/\\]", cell.strip())[-1] for cell in cells]
