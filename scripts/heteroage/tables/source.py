"""Common interface of all file formats: column names, rows in batches, and cells as numbers and text.

All formats have the same codes for missing values.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from heteroage.errors import FIRST
from heteroage.labels import SPELLINGS, clean, is_missing

T = TypeVar("T")
NUMBER_WITH_SIGN = re.compile(r"[<>~=]?\s*[-+]?[\d.,]*\d[\d.,]*\s*[%*]?")
# Text, also stored as bytes (by R and Spark) or as a view (by polars; PyArrow 16 and later).
TEXT_TYPES = re.compile(r"(?:large_)?(?:string|binary)(?:_view)?|fixed_size_binary\[\d+\]")
LOOK = 50  # number of first rows used to detect a column's type


@dataclass
class BadCells:
    """Cells that cannot be used: the first in order, each as (row, column, content), and their total number."""

    first: list[tuple] = field(default_factory=list)
    total: int = 0

    def add(self, cells: Sequence[tuple], total: int | None = None) -> None:
        """Add cells, or the first of `total` cells."""
        self.first = sorted([*self.first, *cells])[:FIRST]
        self.total += len(cells) if total is None else total


@dataclass
class Batch:
    """A batch of rows of a file.

    places : the rows' numbers in the file
    arrays : reads some columns, in the requested order
    matrix : reads columns as numbers at once, if the file contains a matrix; None for other columns
    """

    places: NDArray[np.int64]
    arrays: Callable[[Sequence[int]], list[pa.Array]]
    matrix: Callable[[Sequence[int]], NDArray[np.float64] | None] | None = None

    def text(self, column: int) -> list[str | None]:
        """Return a column as text, None for missing cells."""
        return texts_of(self.arrays([column])[0])

    def numbers(
        self, columns: Sequence[int], bad: BadCells, also: Collection[str] = (), start: int = 0
    ) -> NDArray[np.float64]:
        """Return columns as numbers (rows, columns), each column contiguous; missing as NaN.

        bad : gets the cells that are text, true and false, or dates: (row of the file, number of the requested column
            from `start`, text)
        also : further codes for missing values
        """
        if self.matrix is not None and (found := self.matrix(columns)) is not None:
            return found
        values, unread = np.empty((len(columns), len(self.places))), []
        for k, array in enumerate(self.arrays(columns)):
            values[k], texts = numbers_of(array, also)
            unread += [(int(self.places[row]), start + k, text) for row, text in texts.items()]
        bad.add(unread)
        return values.T


@dataclass
class Source:
    """Base class of all file formats.

    header : the columns' names, stripped, "" if a column has none
    n_rows : None if it is not known before the file was read
    index : the column that pandas wrote as a frame's index, if any
    at_once : columns read at a time, if reading more would take too much memory
    notes : skipped lines and rows: {step: number}
    kind : name of the format
    keep : what must stay open while the source is used, for instance temporary files
    """

    where: str
    header: list[str] = field(default_factory=list)
    n_rows: int | None = None
    index: int | None = None
    at_once: int | None = None
    notes: dict[str, int] = field(default_factory=dict)
    keep: list[object] = field(default_factory=list)
    kind = ""

    def numeric(self, column: int) -> bool:
        """Tell whether a column has a numeric type, so that it cannot contain names. Text files have no types."""
        return False

    def batches(
        self, text: Sequence[int], values: Sequence[int], rows: NDArray[np.bool_] | None = None
    ) -> Iterator[Batch]:
        """Yield the rows in batches; `text` and `values` are all columns that will be used.

        rows : the requested rows of the file; only after a first pass without it
        Raises HeteroAgeError: a file that is cut short or not built as a table.
        """
        raise NotImplementedError

    def texts(self, columns: Sequence[int]) -> list[list[str | None]]:
        """Return complete columns as text, in one pass over the file."""
        found: list[list[str | None]] = [[] for _ in columns]
        for batch in self.batches(columns, []):
            for cells, column in zip(found, columns, strict=True):
                cells += batch.text(column)
        return found

    def first(self, columns: Sequence[int]) -> list[list[str | None]]:
        """Return the first cells of some columns as text."""
        for batch in islice(self.batches(columns, []), 1):
            return [batch.text(k) for k in columns]
        return [[] for _ in columns]

    def textual(self, columns: Sequence[int]) -> set[int]:
        """Return the columns whose first cells are text and not numbers."""
        candidates = [k for k in columns if not self.numeric(k)]
        step = self.at_once or len(candidates) or 1
        groups = [candidates[start : start + step] for start in range(0, len(candidates), step)]
        firsts = ((k, cells[:LOOK]) for group in groups for k, cells in zip(group, self.first(group), strict=True))
        return {k for k, cells in firsts if any(cells) and not any(cell and _is_numeric(cell) for cell in cells)}


def _is_numeric(cell: str) -> bool:
    """Tell whether text is a number, also with a decimal comma, a sign or a unit: 0,5 and 50% are."""
    return number_of(cell.replace(",", ".")) is not None or NUMBER_WITH_SIGN.fullmatch(cell) is not None


def ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield `items`, and compute the next item in a thread while one is used."""
    end = object()
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, end)
        while (item := coming.result()) is not end:
            coming = pool.submit(next, items, end)
            yield item


def number_of(cell: object, also: Collection[str] = ()) -> float | None:
    """Return a text cell as a number: NaN if it is missing, None if it is not a number, as true and dates."""
    if not isinstance(cell, str):
        return np.nan if cell is None else None
    cell = clean(cell)
    if is_missing(cell, also):
        return np.nan
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def text_of(cell: object) -> str | None:
    """Return a cell as stripped text, None if it is missing. Whole floats lose their `.0`."""
    pandas = sys.modules.get("pandas")
    if cell is None or (pandas is not None and cell is pandas.NA) or cell != cell:
        return None
    if isinstance(cell, float | np.floating) and float(cell).is_integer() and abs(cell) < 2**53:
        cell = int(cell)
    text = clean(str(cell))
    return None if is_missing(text) else text


def numbers_of(column: pa.Array, also: Collection[str] = ()) -> tuple[NDArray[np.float64], dict[int, str]]:
    """Return an Arrow column as float64, missing as NaN, and the cells that are not numbers: {row: text}."""
    column = _plain(column)
    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return floats_of(column if kind == pa.float64() else pc.cast(column, pa.float64(), safe=False)), {}
    if is_text(kind):
        stripped = pc.utf8_trim_whitespace(column)
        known = pc.invert(pc.is_in(stripped, pa.array([*SPELLINGS, *also], stripped.type)))
        try:
            return floats_of(pc.cast(pc.if_else(known, stripped, pa.scalar(None, stripped.type)), pa.float64())), {}
        except pa.ArrowInvalid:
            pass  # a cell is not recognised by Arrow: another spelling of a number or missing value, or text
    cells = column.to_pylist()
    parsed = [number_of(cell, also) for cell in cells]
    return np.array(parsed, np.float64), {row: str(cells[row]) for row, number in enumerate(parsed) if number is None}


def texts_of(column: pa.Array) -> list[str | None]:
    """Return an Arrow column as stripped text, None for missing cells."""
    column = _plain(column)
    if pa.types.is_null(column.type):
        return [None] * len(column)
    if pa.types.is_nested(getattr(column.type, "storage_type", column.type)):  # also pandas' intervals
        return [None if cell is None else str(cell) for cell in column.to_pylist()]
    if pa.types.is_integer(column.type):
        column = pc.cast(column, pa.string())
    cells = column.to_pylist()
    known = {cell: text_of(cell) for cell in set(cells)}
    return [known[cell] for cell in cells]


def floats_of(array: pa.Array) -> NDArray[np.float64]:
    """Return an Arrow array of float64, missing as NaN; read-only. (Arrow's own `to_numpy` would import pandas.)"""
    rows = slice(array.offset, array.offset + len(array))
    mask, data = array.buffers()
    values = np.frombuffer(data or b"", dtype=np.float64)[rows]
    if array.null_count:
        valid = np.unpackbits(np.frombuffer(mask, dtype=np.uint8), bitorder="little")[rows]
        values = np.where(valid, values, np.nan)
    return values


def chosen(table: NDArray[np.float64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return some columns of a table, without a copy if they are neighbours."""
    if len(columns) and (np.diff(columns) == 1).all():
        return table[:, columns[0] : columns[-1] + 1]
    return table[:, columns]


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a column of this type holds text."""
    return TEXT_TYPES.fullmatch(str(kind.value_type if pa.types.is_dictionary(kind) else kind)) is not None


def _plain(column: pa.Array) -> pa.Array:
    """Return a column without a dictionary, and text in a form that Arrow's functions accept."""
    if pa.types.is_dictionary(column.type):
        return _plain(column.dictionary).take(column.indices)
    try:
        return column.cast(pa.large_string()) if is_text(column.type) else column
    except pa.ArrowInvalid:  # bytes that are not text
        return column
