"""An opened table of methylation values or metadata: sample ids, metadata, and values in blocks.

Training and prediction read through this module alone. Which of rows and columns are the samples is found out
(`layout.py`); from here on values are (CpGs, samples). What a metadata column means is not decided here: its cells are
text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from heteroage.errors import HeteroAgeError, listed
from heteroage.probes import split_modality
from heteroage.tables.layout import CPGS_IN_ROWS, IsCpg, Layout, columns_of, no_rows
from heteroage.tables.metadata import Conventions, sample_ids
from heteroage.tables.source import BadCells, Batch, Source, ahead, number_of

STRIP_BYTES = 256 << 20  # size of the values that are joined


@dataclass
class Block:
    """Values of some features and samples; `features` and `samples` are positions in the requested lists."""

    features: NDArray[np.int64]
    samples: NDArray[np.int64]
    values: NDArray[np.floating]


@dataclass
class Table:
    """An opened table.

    names : columns in the file's order; if CpGs are rows, the names of the rows
    """

    source: Source
    layout: Layout
    is_cpg: IsCpg
    conventions: Conventions

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
        if self.cpgs_in_rows:
            return sample_ids(self.layout.ids, self.where)
        cells = self._described[self.layout.label]
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
        """Yield the values of some of `names` in one pass, in the file's order, as float32 or float64.

        Raises HeteroAgeError: text where numbers belong: names sample and CpG.
        """
        bad = BadCells()
        for block in _strips(self._as_read(places, bad), len(self.ids)):
            if not bad.total:
                yield block
        self._check(bad, places)

    def _as_read(self, places: Sequence[int], bad: BadCells) -> Iterator[Block]:
        """Yield values in the blocks in which the file is read: some rows, and as many columns as fit into memory."""
        places, rows = np.array(places, np.int64), None
        columns = self.layout.samples if self.cpgs_in_rows else places.tolist()
        if self.cpgs_in_rows:
            rank = np.empty(len(self.names), np.int64)
            rank[places] = np.arange(len(places))
            rows = self._rows(places)
        width = self.source.at_once or len(columns) or 1
        for batch in ahead(self.source.batches([], columns, None if rows is None or rows.all() else rows)):
            for start in range(0, len(columns), width):
                values = self._numbers(batch, columns[start : start + width], bad, start)
                across = np.arange(start, start + len(values))
                if self.cpgs_in_rows:
                    yield Block(rank[batch.places], across, values.T)
                else:
                    yield Block(across, batch.places, values)

    def parts(self, text: Sequence[int], places: Sequence[int]) -> Iterator[Part]:
        """Yield blocks of samples in one pass; `text` and `places` are all columns that will be used."""
        if self.cpgs_in_rows:
            yield self._as_part(text, places)
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

    def _as_part(self, text: Sequence[int], places: Sequence[int]) -> Part:
        values, bad = np.empty((len(places), len(self.ids))), BadCells()
        for block in self._as_read(places, bad):
            values[np.ix_(block.features, block.samples)] = block.values
        self._check(bad, places)
        row_of = {place: k for k, place in enumerate(places)}
        words = dict(zip(text, self.texts(text), strict=True))
        return Part(self.ids, words.__getitem__, lambda wanted: values[[row_of[k] for k in wanted]])

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


def _strips(blocks: Iterator[Block], n_samples: int) -> Iterator[Block]:
    """Join blocks of few samples: a wide strip is written faster to the store, where samples are columns."""
    waiting: list[Block] = []
    for block in blocks:
        if waiting and not np.array_equal(block.features, waiting[0].features):
            yield _joined(waiting)
        if len(block.samples) * 4 >= n_samples and not waiting:
            yield block
            continue
        block.values = block.values.astype(np.float32)
        waiting.append(block)
        if sum(block.values.nbytes for block in waiting) >= STRIP_BYTES:
            yield _joined(waiting)
    if waiting:
        yield _joined(waiting)


def _joined(blocks: list[Block]) -> Block:
    """Join blocks of the same features, and empty the list, to release the memory of each."""
    features, samples = blocks[0].features, np.concatenate([block.samples for block in blocks])
    values, at = np.empty((len(samples), len(features)), np.float32), 0
    while blocks:
        part = blocks.pop(0).values
        values[at : at + part.shape[1]] = part.T
        at += part.shape[1]
    return Block(features, samples, values.T)


def check_cpg_names(names: Sequence[str], where: str) -> None:
    """Reject repeated CpGs. Replicates of one probe (EPICv2) are not repeats; they are averaged."""
    if len(set(names)) < len(names):
        same = sorted(name for name, count in Counter(names).items() if count > 1)
        raise HeteroAgeError(f"{where} has CpGs of the same name ({listed(same)}). Keep one of each.")
    known = set(names)
    twice = sorted(name for name in names if (split := split_modality(name))[1] and split[0] in known)
    if twice:
        suffix = f"_{split_modality(twice[0])[1]}"
        raise HeteroAgeError(f"{where} has CpGs both with and without the suffix {suffix} ({listed(twice)}). Keep one.")
