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

from heteroage.errors import FIRST, HeteroAgeError, listed
from heteroage.probes import split_modality
from heteroage.tables.layout import CPGS_IN_ROWS, IsCpg, Layout, columns_of, no_rows
from heteroage.tables.metadata import Conventions, sample_ids
from heteroage.tables.source import Batch, Source, UnreadableCells, ahead, number_of

STRIP_BYTES = 512 << 20  # maximum size of values that are collected before they are yielded


@dataclass
class Block:
    """Values of some features and samples; `features` and `samples` are positions in the requested lists."""

    features: NDArray[np.int64]
    samples: NDArray[np.int64]
    values: NDArray[np.float64]


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
    def _codes(self) -> list[float]:
        """The user's numeric codes for missing values."""
        numbers = [number_of(word) for word in self.conventions.missing_values]
        return [number for number in numbers if number is not None and number == number]

    def texts(self, places: Sequence[int]) -> list[list[str | None]]:
        """Return some metadata as text, in the order of samples, None for missing cells."""
        if not places:
            return []
        if not self.cpgs_in_rows:
            found = [self._described[place] for place in places]
        else:
            rows, samples = self._rows(places), self.layout.samples
            found = [[] for _ in places]
            for batch in self.source.batches(samples, [], rows):
                columns = [batch.text(k) for k in samples]
                for at, place in enumerate(batch.places.tolist()):
                    found[list(places).index(place)] = [column[at] for column in columns]
        return found

    def blocks(self, places: Sequence[int]) -> Iterator[Block]:
        """Yield the values of some of `names` in one pass, in the file's order.

        Raises HeteroAgeError: text where numbers belong: names sample and CpG.
        """
        bad = UnreadableCells([], 0)
        for block in (self._cpg_rows if self.cpgs_in_rows else self._sample_rows)(places, bad):
            if not bad.total:
                block.values = self._without_codes(block.values)
                yield block
        if bad.total:
            raise self._text_error(bad, places)

    def parts(self, text: Sequence[int], places: Sequence[int]) -> Iterator[Part]:
        """Yield blocks of samples in one pass; `text` and `places` are all columns that will be used."""
        if self.cpgs_in_rows:
            yield self._as_part(text, places)
            return
        label, seen = self.layout.label, set()
        for batch in self.source.batches(sorted({label, *text}), list(places)):
            ids = sample_ids(batch.text(label), self.where)
            if not seen.isdisjoint(ids):
                sample_ids([*seen, *ids], self.where)  # raises the error for repeated ids
            seen.update(ids)
            yield Part(ids, batch.text, partial(self._numbers, batch))

    def _text_error(self, bad: UnreadableCells, places: Sequence[int]) -> HeteroAgeError:
        """Return the error for text in numeric cells, given by the file's row and the position in `places`."""
        shown = []
        for row, column, text in bad.cells[:FIRST]:
            if self.cpgs_in_rows:
                sample, cpg = self.ids[column], self.names[row]
            else:
                sample, cpg = self.ids[row], self.names[places[column]]
            shown.append(f"{text!r} at sample {sample}, {cpg}")
        return HeteroAgeError(
            f"{self.where} has text in place of numbers ({listed(shown, bad.total)}). Leave unknown values "
            "empty, or name their code in missing_values."
        )

    def _rows(self, places: Sequence[int]) -> NDArray[np.bool_]:
        rows = np.zeros(len(self.names), bool)
        rows[list(places)] = True
        return rows

    def _read(
        self, batch: Batch, columns: Sequence[int], start: int, bad: UnreadableCells
    ) -> NDArray[np.float64] | None:
        """Read columns as numbers. Text is added to `bad`, its columns counted from `start`."""
        try:
            return batch.numbers(columns, self.conventions.missing_values)
        except UnreadableCells as problem:
            bad.cells += [(row, column + start, text) for row, column, text in problem.cells]
            bad.total += problem.total
            return None

    def _without_codes(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(np.isin(values, self._codes), np.nan, values) if self._codes else values

    def _sample_rows(self, places: Sequence[int], bad: UnreadableCells) -> Iterator[Block]:
        """Samples in rows: yield groups of columns of each batch; a few samples of wide text are collected first."""
        places, width = list(places), self.source.at_once or len(places) or 1
        waiting: list[Block] = []
        for batch in ahead(self.source.batches([], places)):
            for start in range(0, len(places), width):
                values = self._read(batch, places[start : start + width], start, bad)
                if values is None:
                    continue
                features = np.arange(start, start + values.shape[1])
                if len(batch) * 4 >= len(self.ids) or len(features) < len(places):
                    yield Block(features, batch.places, values.T)
                    continue
                waiting.append(Block(features, batch.places, values.astype(np.float32)))
                if sum(block.values.nbytes for block in waiting) >= STRIP_BYTES:
                    yield _joined(waiting)
                    waiting = []
        if waiting:
            yield _joined(waiting)

    def _cpg_rows(self, places: Sequence[int], bad: UnreadableCells) -> Iterator[Block]:
        """CpGs in rows: yield some rows of all samples, or blocks of samples if columns are read one by one."""
        rows, samples = self._rows(places), self.layout.samples
        rank = np.full(len(rows), -1)
        rank[list(places)] = np.arange(len(places))
        few = self.source.at_once or len(samples)
        for batch in ahead(self.source.batches([], samples, None if rows.all() else rows)):
            width = max(few, min(len(samples), STRIP_BYTES // (8 * max(1, len(batch)))))
            for first in range(0, len(samples), width):
                own = samples[first : first + width]
                strip = np.empty((len(batch), len(own))) if few < len(own) else None
                for k in range(0, len(own), few):
                    values = self._read(batch, own[k : k + few], first + k, bad)
                    if strip is None:
                        strip = values
                    elif values is not None:
                        strip[:, k : k + few] = values
                if not bad.total:
                    yield Block(rank[batch.places], np.arange(first, first + len(own)), strip)

    def _as_part(self, text: Sequence[int], places: Sequence[int]) -> Part:
        values = np.empty((len(places), len(self.ids)))
        for block in self.blocks(places):
            values[np.ix_(block.features, block.samples)] = block.values
        row_of = {place: k for k, place in enumerate(places)}
        words = dict(zip(text, self.texts(text), strict=True)) if text else {}
        return Part(self.ids, words.__getitem__, lambda wanted: values[[row_of[k] for k in wanted]])

    def _numbers(self, batch: Batch, places: Sequence[int]) -> NDArray[np.float64]:
        bad = UnreadableCells([], 0)
        values = self._read(batch, places, 0, bad)
        if values is None:
            raise self._text_error(bad, places)
        return self._without_codes(values.T)


@dataclass
class Part:
    """A block of samples of a table, in table order.

    text(place) : one of the table's `names` as text
    numbers(places) : several of them as float64 (names, samples), missing as NaN
    """

    ids: list[str]
    text: Callable[[int], list[str | None]]
    numbers: Callable[[Sequence[int]], NDArray[np.float64]]


def _joined(blocks: Sequence[Block]) -> Block:
    """Join samples that were read one by one; the input is (samples, features), the output is transposed."""
    values = np.concatenate([block.values for block in blocks])
    return Block(blocks[0].features, np.concatenate([block.samples for block in blocks]), values.T)


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
