"""Cutting of whole lines into fields.

Arrow parses the numbers as one column with a field per line. This is faster than one column per sample or CpG, because
Arrow's work on each column of each block takes longer than that on the few values in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.csv as pv
from numpy.typing import NDArray

from heteroage.tables.source import floats_of

NEWLINE, BLANK, QUOTE, ZERO = b'\n "0'
BLOCK = 1 << 20  # bytes that Arrow parses at a time


class Fields:
    """The fields of whole lines.

    text : each field is followed by one character, a separator or a line end
    ends : (rows, columns), the positions of these characters
    """

    def __init__(self, text: bytes, ends: NDArray[np.int64]) -> None:
        self.text, self.ends = text, ends
        self._characters = np.frombuffer(text, np.uint8)

    def __len__(self) -> int:
        return len(self.ends)

    def rows(self, which: NDArray[np.bool_]) -> Fields:
        """Return some rows."""
        if which.all():
            return self
        stops = self.ends[:, -1] + 1
        lengths = np.diff(stops, prepend=0)
        starts, lengths = (stops - lengths)[which], lengths[which]
        text = b"".join([self.text[a : a + n] for a, n in zip(starts.tolist(), lengths.tolist(), strict=True)])
        return Fields(text, self.ends[which] - (starts - (np.cumsum(lengths) - lengths))[:, np.newaxis])

    def filled(self, separator: bytes) -> Fields:
        """Return the rows that are not blank. (Excel writes rows with only separators.)"""
        stops = self.ends[:, -1] + 1
        starts = stops - np.diff(stops, prepend=0)
        kept = np.ones(len(self), bool)
        for row in np.flatnonzero((self.ends[:, 0] == starts) | (self._characters[starts] == BLANK)):
            kept[row] = bool(self.text[starts[row] : stops[row]].strip(separator + b' "\t\n'))
        return self.rows(kept)

    def cells(self, column: int) -> pa.Array:
        """Return a column as text, not stripped. Raises UnicodeDecodeError if it is not UTF-8."""
        starts, lengths = self._extents(np.array([column]))
        text = self._characters[_within(starts, lengths)].tobytes()
        text.decode("utf-8")
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        return pa.StringArray.from_buffers(len(lengths), pa.py_buffer(offsets), pa.py_buffer(text))

    def numbers(self, columns: NDArray[np.int64], null: Sequence[str], point: str) -> NDArray[np.float64] | None:
        """Return some columns as numbers (rows, columns), missing as NaN; None if a cell is not a number.

        columns : rising
        null : what stands for a missing value
        point : the decimal point
        """
        others = np.ones(self.ends.shape[1], bool)
        others[columns] = False
        if 2 * len(columns) < len(others):
            return _parsed(self._only(columns), (len(self), len(columns)), null, point)
        table = _parsed(self._without(np.flatnonzero(others)), self.ends.shape, null, point)
        return table if table is None else chosen(table, columns)

    def _extents(self, columns: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the starts and lengths of the fields of some columns, row by row."""
        stops = self.ends[:, columns]
        starts = self.ends[:, columns - 1] + 1
        if len(columns) and columns[0] == 0:
            starts[:, 0] = np.concatenate([[0], self.ends[:-1, -1] + 1])
        return starts.ravel(), (stops - starts).ravel()

    def _only(self, columns: NDArray[np.int64]) -> pa.Buffer:
        """Return the fields of some columns, each followed by a line end."""
        starts, lengths = self._extents(columns)
        buffer, view = _allocated(int(lengths.sum()) + len(lengths))
        view[:] = self._characters[_within(starts, lengths + 1)]
        view[np.cumsum(lengths + 1) - 1] = NEWLINE
        return buffer

    def _without(self, others: NDArray[np.int64]) -> pa.Buffer:
        """Return all fields, each followed by a line end, with zeros in place of the columns `others`."""
        buffer, view = _allocated(len(self.text))
        view[:] = self._characters
        view[self.ends.ravel()] = NEWLINE
        view[_within(*self._extents(others))] = ZERO
        return buffer


def cut(text: bytes, separator: bytes, width: int) -> Fields | None:
    """Cut lines into fields.

    text : lines, each with a line end
    width : number of columns
    Returns None if a line has another number of fields, or if quotes enclose separators, line ends or quotes.
    """
    if b'"' in text:
        unquoted = _unquoted(text, separator)
        return None if unquoted is None else cut(unquoted, separator, width)
    characters = np.frombuffer(text, np.uint8)
    marks = characters == separator[0]
    line_ends = characters == NEWLINE
    n_rows = np.count_nonzero(line_ends)
    ends = np.flatnonzero(np.logical_or(marks, line_ends, out=marks))
    if len(ends) != n_rows * width:
        return None
    ends = ends.reshape(n_rows, width)
    return Fields(text, ends) if line_ends[ends[:, -1]].all() else None


def joined(cells: Iterable[str], width: int) -> Fields:
    """Make fields of cells, row by row."""
    encoded = [cell.encode() for cell in cells]
    ends = np.cumsum([len(cell) + 1 for cell in encoded]) - 1
    return Fields(b"\n".join(encoded) + b"\n", ends.reshape(-1, width))


def chosen(table: NDArray[np.float64], columns: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return some columns of a table, without a copy if they are neighbours."""
    if len(columns) and (np.diff(columns) == 1).all():
        return table[:, columns[0] : columns[-1] + 1]
    return table[:, columns]


def _unquoted(text: bytes, separator: bytes) -> bytes | None:
    """Remove the quotes around fields; None if they enclose separators, line ends or quotes."""
    characters = np.frombuffer(text, np.uint8)
    quotes = np.flatnonzero(characters == QUOTE)
    if len(quotes) % 2:
        return None
    # Before the first character is the last one (index -1), which is a line end.
    around = characters[np.concatenate([quotes[::2] - 1, quotes[1::2] + 1])]
    inside = b"".join(text.split(b'"')[1::2])
    if b"\n" in inside or separator in inside or not ((around == NEWLINE) | (around == separator[0])).all():
        return None
    return text.replace(b'"', b"")


def _parsed(buffer: pa.Buffer, shape: tuple[int, int], null: Sequence[str], point: str) -> NDArray[np.float64] | None:
    """Parse numbers, one per line; None if one of them is not a number.

    Arrow's own threads are not used. With several blocks of one column, pyarrow 26 failed in one of some 2,000
    calls: "a chunk failed converting for an unknown reason". The next lines are unpacked meanwhile in any case.
    """
    if not buffer.size:
        return np.empty(shape)
    try:
        column = pv.read_csv(
            pa.BufferReader(buffer),
            pv.ReadOptions(column_names=["x"], block_size=BLOCK, use_threads=False),
            pv.ParseOptions(delimiter="\x01", quote_char=False, ignore_empty_lines=False),
            pv.ConvertOptions(column_types={"x": pa.float64()}, null_values=null, decimal_point=point),
        ).column(0)
    except pa.ArrowInvalid:
        return None
    values = np.concatenate([floats_of(part) for part in column.chunks])
    return values.reshape(shape) if values.size == shape[0] * shape[1] else None  # a field holds a line end


def _within(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return all positions of some stretches."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))


def _allocated(size: int) -> tuple[pa.Buffer, NDArray[np.uint8]]:
    """Allocate Arrow's own memory, and return it with a view to write to.

    Arrow's threads may let go of what they read only while Python is ending, and a Python object that they hold then
    aborts the process (https://github.com/apache/arrow/issues/34314).
    """
    buffer = pa.allocate_buffer(size)
    return buffer, np.frombuffer(memoryview(buffer).cast("B"), np.uint8)
