"""CSV and TSV files, also gzipped, in blocks of whole lines.

Arrow parses the numbers as one column with a field per line. This is faster than one column per sample or CpG, because
Arrow's work on each column of each block takes longer than that on the few values in it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
from numpy.typing import NDArray

from heteroage.errors import HeteroAgeError
from heteroage.files import CUT_SHORT, opened
from heteroage.labels import SPELLINGS, clean, is_missing
from heteroage.tables.header import (
    MOST_HEADER,
    NEWLINE,
    QUOTE,
    SEPARATORS,
    decode,
    decoder,
    encoding_of,
    has_nul,
    read_header,
    whole_lines,
)
from heteroage.tables.source import Batch, Source, ahead, chosen, floats_of

ZERO = ord("0")
EMPTY = re.compile(rb"\n(?=\n)")  # an empty line; faster than bytes.find and bytes.split
PARSED_BYTES = 1 << 20  # bytes that Arrow parses at a time
BYTES_PER_BLOCK = 16 << 20  # bytes of text per block
PEEK = 1 << 18  # bytes read to find the header; more for longer lines


class TextSource(Source):
    """A delimited text file, or a part of one.

    begin : bytes and lines above the part
    end : how the line below the part begins
    ended : whether this line was found, after the file was read
    """

    kind = "csv"

    def __init__(
        self,
        path: Path,
        where: str,
        missing_values: Sequence[str] = (),
        begin: Sequence[int] = (0, 0),
        end: bytes = b"",
    ) -> None:
        super().__init__(where)
        self.path, self.ended, self._begin = path, False, begin
        self._null = [*SPELLINGS, *missing_values]
        with opened(path, where) as stream:
            stream.read(begin[0])
            head, text, more = b"", b"", b"-"
            while more and text.count(b"\n") < 3 and len(head) < MOST_HEADER:
                more = stream.read(max(PEEK, len(head)))
                head += more
                self._encoding = encoding_of(head)
                text = decoder(self._encoding)(head, False)
            whole = not more or not stream.peek(1)
        if end and (at := text.find(b"\n" + end)) >= 0:
            text, whole = text[: at + 1], True
        if not whole and b"\n" not in text:
            raise HeteroAgeError(f"{where} has no line end in {MOST_HEADER >> 20} MiB: it is not a table.")
        self._how = read_header(text, whole, where)
        self._separator = self._how.separator.encode()
        self._end = re.compile(b"\n" + (re.escape(end) if end else rb'"?\[\w')) if end or self._how.section else None
        by = re.escape(self._separator)
        self._blank = re.compile(rb'\n(?:[\t %s]|(?<=[%s\n])"[\t ]*"(?=[%s\n]))+(?=\n)' % (by, by, by))
        self.header = [clean(name) for name in self._how.names]
        notes = {"comment_lines": self._how.comments, "blank_rows": self._how.blank}
        self.notes = {step: found for step, found in notes.items() if found}

    def first(self, columns: Sequence[int]) -> list[list[str | None]]:
        """Return the first cells of some columns as text."""
        rows = [row for row in self._how.rows if len(row) == len(self.header)]
        return [[None if is_missing(row[k]) else clean(row[k]) for row in rows] for k in columns]

    def batches(
        self, text: Sequence[int], values: Sequence[int], rows: NDArray[np.bool_] | None = None
    ) -> Iterator[Batch]:
        """Yield batches of the file; see `Source.batches`."""
        columns, at, blank = np.unique(np.array(values, np.int64)), 0, 0
        for line, chunk in ahead(self._chunks()):
            fields, left_out = self._fields(chunk, line)
            blank += left_out
            places = np.arange(at, at + len(fields.ends))
            at += len(places)
            if rows is not None:
                fields, places = fields.rows(rows[places]), places[rows[places]]
            if len(places):
                yield self._batch(fields, places, columns)
            if rows is not None and not rows[at:].any():
                return  # the first pass has checked the remaining lines
        self.n_rows = at
        if blank:
            self.notes["blank_rows"] = self._how.blank + blank

    def _fields(self, chunk: bytes, line: int) -> tuple[Fields, int]:
        """Cut a chunk, whose first line has the number `line`, into fields.

        Returns the fields of the rows that are not blank, and the number of blank rows that are not empty lines. (Excel
        writes rows with only separators.)
        Raises HeteroAgeError: a row has too few or too many fields.
        """
        width = len(self.header)
        text, blank = self._blank.subn(b"", b"\n" + chunk + b"\n" * (not chunk.endswith(b"\n")))
        if (fields := cut(EMPTY.sub(b"", text)[1:], self._separator, width)) is not None:
            return fields, blank
        cells, before, blank = [], 0, 0  # cells are encoded, each with a line end
        rows = csv.reader(io.StringIO(decode(chunk, self.where)), delimiter=self._how.separator)
        for row in rows:
            if not any(cell.strip() for cell in row):
                blank += bool(row)
                row = []
            elif len(row) != width:
                advice = "Enclose cells that contain a separator in quotes, and delete titles above the header."
                advice = f"If it is a note, delete it. {CUT_SHORT}" if len(row) < width else advice
                raise HeteroAgeError(
                    f"{self.where} has {len(row)} fields in line {line + before} and {width} in its header "
                    f"(separated by {SEPARATORS[self._how.separator]}). {advice}"
                )
            cells += [f"{cell}\n".encode() for cell in row]
            before = rows.line_num
        ends = np.cumsum([len(cell) for cell in cells], dtype=np.int64).reshape(-1, width) - 1
        return Fields(b"".join(cells), ends), blank

    def _batch(self, fields: Fields, places: NDArray[np.int64], columns: NDArray[np.int64]) -> Batch:
        """Parse the numbers of a chunk in the given columns (increasing). Text is read from `fields` later."""
        comma = self._how.decimal_comma
        table = fields.numbers(columns, self._null, "," if comma else ".") if len(columns) else None
        numeric = set(columns.tolist()) if comma else set()

        def array(k: int) -> pa.Array:
            cells = fields.cells(k, self.where)
            return pc.replace_substring(cells, ",", ".") if k in numeric else cells

        def matrix(wanted: Sequence[int]) -> NDArray[np.float64] | None:
            # Without a table, a cell is not a number; the caller finds out which.
            return None if table is None else chosen(table, np.searchsorted(columns, wanted))

        return Batch(places, lambda wanted: [array(k) for k in wanted], matrix)

    def _chunks(self) -> Iterator[tuple[int, bytes]]:
        """Yield the rows in blocks of whole lines: (number of the first line, text)."""
        line, above, rest, self.ended = self._how.first + self._begin[1], self._how.size, b"", False
        decoded = decoder(self._encoding)
        with opened(self.path, self.where) as stream:
            stream.read(self._begin[0])
            block = b"-"
            while block and not self.ended:
                block = stream.read(BYTES_PER_BLOCK)
                text = decoded(block, not block)
                text, above = text[above:], max(0, above - len(text))
                if not block:  # \x1a is an end-of-file mark of MS-DOS
                    chunk = (rest + text).rstrip(b"\x1a")
                else:
                    chunk, rest = whole_lines(rest, text)
                if (nul := chunk.find(b"\0")) >= 0:
                    raise has_nul(self.where, f"the first is in line {line + chunk.count(NEWLINE, 0, nul)}")
                if self._end and (end := self._end.search(b"\n" + chunk)):
                    chunk, self.ended = chunk[: end.start()], True
                if self._how.collapse:
                    chunk = b"\n".join(b" ".join(row.split()) for row in chunk.split(b"\n"))
                if chunk:
                    yield line, chunk
                line += np.count_nonzero(np.frombuffer(chunk, np.uint8) == NEWLINE)  # bytes.count is slower


class Fields:
    """The fields of whole lines.

    text : each field is followed by one character, a separator or a line end
    ends : (rows, columns), the positions of these characters
    """

    def __init__(self, text: bytes, ends: NDArray[np.int64]) -> None:
        self.text, self.ends = text, ends
        self._characters = np.frombuffer(text, np.uint8)

    def rows(self, which: NDArray[np.bool_]) -> Fields:
        """Return some rows."""
        if which.all():
            return self
        stops = self.ends[:, -1] + 1
        lengths = np.diff(stops, prepend=0)
        starts, lengths = (stops - lengths)[which], lengths[which]
        text = b"".join([self.text[a : a + n] for a, n in zip(starts.tolist(), lengths.tolist(), strict=True)])
        return Fields(text, self.ends[which] - (starts - (np.cumsum(lengths) - lengths))[:, np.newaxis])

    def cells(self, column: int, where: str) -> pa.Array:
        """Return a column as text, not stripped. Raises HeteroAgeError if it is not UTF-8."""
        starts, lengths = self._extents(np.array([column]))
        text = self._characters[_within(starts, lengths)].tobytes()
        decode(text, where)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        return pa.StringArray.from_buffers(len(lengths), pa.py_buffer(offsets), pa.py_buffer(text))

    def numbers(self, columns: NDArray[np.int64], null: Sequence[str], point: str) -> NDArray[np.float64] | None:
        """Return some columns as numbers (rows, columns), missing as NaN; None if a cell is not a number.

        columns : increasing
        null : what stands for a missing value
        point : the decimal point
        """
        others = np.ones(self.ends.shape[1], bool)
        others[columns] = False
        few = 2 * len(columns) < len(others)
        starts, lengths = self._extents(columns if few else np.flatnonzero(others))
        # The buffer is Arrow's own memory. Arrow's threads may release it only when Python ends, and releasing a Python
        # object at that time aborts the process (https://github.com/apache/arrow/issues/34314).
        buffer = pa.allocate_buffer(int(lengths.sum()) + len(lengths) if few else len(self.text))
        view = np.frombuffer(memoryview(buffer).cast("B"), np.uint8)
        if few:  # these fields alone
            view[:] = self._characters[_within(starts, lengths + 1)]
            view[np.cumsum(lengths + 1) - 1] = NEWLINE
        else:  # all fields, with zeros in place of the other columns
            view[:] = self._characters
            view[self.ends.ravel()] = NEWLINE
            view[_within(starts, lengths)] = ZERO
        # Arrow's own threads are not used. With several blocks of one column, pyarrow 26 failed in one of some 2,000
        # calls: "a chunk failed converting for an unknown reason". The next lines are unpacked meanwhile in any case.
        if not buffer.size:
            return np.empty((len(self.ends), len(columns)))
        try:
            column = pv.read_csv(
                pa.BufferReader(buffer),
                pv.ReadOptions(column_names=["x"], block_size=PARSED_BYTES, use_threads=False),
                pv.ParseOptions(delimiter="\x01", quote_char=False, ignore_empty_lines=False),
                pv.ConvertOptions(column_types={"x": pa.float64()}, null_values=null, decimal_point=point),
            ).column(0)
        except pa.ArrowInvalid:
            return None
        values, width = np.concatenate([floats_of(part) for part in column.chunks]), len(columns if few else others)
        if values.size != len(self.ends) * width:  # a field holds a line end
            return None
        return values.reshape(-1, width) if few else chosen(values.reshape(-1, width), columns)

    def _extents(self, columns: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the starts and lengths of the fields of some columns, row by row."""
        stops = self.ends[:, columns]
        starts = self.ends[:, columns - 1] + 1
        if len(columns) and columns[0] == 0:
            starts[:, 0] = np.concatenate([[0], self.ends[:-1, -1] + 1])
        return starts.ravel(), (stops - starts).ravel()


def cut(text: bytes, separator: bytes, width: int) -> Fields | None:
    """Cut lines into fields, and remove quotes around them.

    text : lines, each with a line end
    width : number of columns
    Returns None if a line has another number of fields, or if quotes enclose separators, line ends or quotes.
    """
    characters = np.frombuffer(text, np.uint8)
    if b'"' in text:
        quotes, inside = np.flatnonzero(characters == QUOTE), b"".join(text.split(b'"')[1::2])
        if len(quotes) % 2 or b"\n" in inside or separator in inside:
            return None
        # Before the first character is the last one (index -1), which is a line end.
        around = characters[np.concatenate([quotes[::2] - 1, quotes[1::2] + 1])]
        if not ((around == NEWLINE) | (around == separator[0])).all():
            return None
        return cut(text.replace(b'"', b""), separator, width)
    marks = characters == separator[0]
    line_ends = characters == NEWLINE
    n_rows = np.count_nonzero(line_ends)
    ends = np.flatnonzero(np.logical_or(marks, line_ends, out=marks))
    if len(ends) != n_rows * width:
        return None
    ends = ends.reshape(n_rows, width)
    return Fields(text, ends) if line_ends[ends[:, -1]].all() else None


def _within(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return all positions of some stretches."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(int(lengths.sum()))
