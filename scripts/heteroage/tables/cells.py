"""Conversion of cells to numbers and text, with the same codes for missing values in all file formats."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from heteroage.errors import FIRST
from heteroage.labels import SPELLINGS, is_missing


class UnreadableCells(Exception):  # noqa: N818, it is caught and reported by sample and CpG
    """Cells that are not numbers: the first ones as (row, column, text), and how many there are."""

    def __init__(self, cells: Sequence[tuple[int, int, str]], total: int) -> None:
        super().__init__(cells, total)
        self.cells, self.total = list(cells[:FIRST]), total


def number_of(cell: object, also: Collection[str] = ()) -> float | None:
    """Return a cell as a number: NaN if it is missing, None if it is not a number."""
    if cell is None or cell is _pandas_na() or cell != cell:
        return np.nan
    if isinstance(cell, bool | np.bool_ | bytes):
        return None
    if isinstance(cell, str):
        cell = cell.strip()
        if is_missing(cell, also):
            return np.nan
        if "_" in cell:
            return None
    try:
        return float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None


def text_of(cell: object) -> str | None:
    """Return a cell as stripped text, None if it is missing. Whole floats lose their `.0`."""
    if cell is None or cell is _pandas_na() or cell != cell:
        return None
    if isinstance(cell, float | np.floating) and float(cell).is_integer() and abs(cell) < 2**53:
        cell = int(cell)
    text = str(cell).strip()
    return None if is_missing(text) else text


def matrix_of(columns: Sequence[pa.Array], also: Collection[str] = ()) -> NDArray[np.float64]:
    """Return Arrow columns as (rows, columns) of float64, each column's values beside each other, missing as NaN.

    Raises UnreadableCells: text, true and false, dates.
    """
    n_rows = len(columns[0]) if columns else 0
    values = np.empty((len(columns), n_rows))
    bad: list[tuple[int, int, str]] = []
    for k, column in enumerate(columns):
        try:
            values[k] = numbers_of(column, also)
        except UnreadableCells as problem:
            bad += [(row, k, text) for row, _, text in problem.cells]
            bad += [(0, k, "")] * (problem.total - len(problem.cells))
    if bad:
        shown = sorted((cell for cell in bad if cell[2]), key=lambda cell: cell[:2])
        raise UnreadableCells(shown, len(bad))
    return values.T


def numbers_of(column: pa.Array, also: Collection[str] = ()) -> NDArray[np.float64]:
    """Return an Arrow column as float64, missing as NaN.

    Raises UnreadableCells: text, true and false, dates: with column 0.
    """
    column = _plain(column)
    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return floats_of(column if kind == pa.float64() else pc.cast(column, pa.float64(), safe=False))
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    if is_text(kind):
        stripped = pc.utf8_trim_whitespace(column)
        known = pc.invert(pc.is_in(stripped, pa.array([*SPELLINGS, *also], stripped.type)))
        try:
            return floats_of(pc.cast(pc.if_else(known, stripped, pa.scalar(None, stripped.type)), pa.float64()))
        except pa.ArrowInvalid:
            pass  # a cell is not recognised by Arrow: another spelling of a number or missing value, or text
    cells = column.to_pylist()
    parsed = [number_of(cell, also) for cell in cells]
    bad = [(row, 0, str(cells[row])) for row, number in enumerate(parsed) if number is None]
    if bad:
        raise UnreadableCells(bad, len(bad))
    return np.array(parsed, dtype=np.float64)


def texts_of(column: pa.Array) -> list[str | None]:
    """Return an Arrow column as stripped text, None for missing cells."""
    column = _plain(column)
    if pa.types.is_null(column.type):
        return [None] * len(column)
    if pa.types.is_nested(column.type):
        return [None if cell is None else str(cell) for cell in column.to_pylist()]
    if pa.types.is_integer(column.type):
        column = pc.cast(column, pa.string())
    known: dict[object, str | None] = {}
    found = []
    for cell in column.to_pylist():
        if cell not in known:
            known[cell] = text_of(cell)
        found.append(known[cell])
    return found


def floats_of(array: pa.Array) -> NDArray[np.float64]:
    """Return an Arrow array of float64, missing as NaN; read-only. (Arrow's own `to_numpy` would import pandas.)"""
    rows = slice(array.offset, array.offset + len(array))
    mask, data = array.buffers()
    values = np.frombuffer(data or b"", dtype=np.float64)[rows]
    if array.null_count:
        valid = np.unpackbits(np.frombuffer(mask, dtype=np.uint8), bitorder="little")[rows]
        values = np.where(valid, values, np.nan)
    return values


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a column of this type holds text."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or _is_like_text(kind)


def _is_like_text(kind: pa.DataType) -> bool:
    """Tell whether text is stored as bytes (by R and Spark) or as a view (by polars)."""
    views = getattr(pa.types, "is_string_view", lambda kind: False)  # PyArrow 16 and later
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or views(kind)


def _plain(column: pa.Array) -> pa.Array:
    """Return a column without a dictionary, and text in a form that Arrow's functions accept."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        return column.cast(pa.large_string()) if _is_like_text(column.type) else column
    except pa.ArrowInvalid:  # bytes that are not text
        return column


def text_array(cells: Iterable[str | None]) -> pa.Array:
    """Return text as an Arrow array. (`pa.array` of a list would import pandas to look at it.)"""
    cells = list(cells)
    encoded = [(cell or "").encode() for cell in cells]
    ends = np.zeros(len(cells) + 1, dtype=np.int64)
    np.cumsum([len(cell) for cell in encoded], out=ends[1:])
    valid = np.array([cell is not None for cell in cells], dtype=bool)
    mask = None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
    buffers = [mask, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.large_string(), len(cells), buffers)


def _pandas_na() -> object:
    pandas = sys.modules.get("pandas")
    return pandas.NA if pandas else np.nan
