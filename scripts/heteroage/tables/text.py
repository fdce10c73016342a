"""CSV and TSV files: this module splits them into blocks of whole lines, which Arrow parses, and explains errors.

A table of very many columns (CpGs as columns) is given to Arrow as one column, a field a line: its work on each column
of each block would take longer than that on the values.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
from numpy.typing import NDArray

from heteroage.errors import HeteroAgeError
from heteroage.tables import kinds
from heteroage.tables.cells import SPELLINGS, floats_of, is_missing
from heteroage.tables.header import BOM, MOST_HEADER, SEPARATORS, decode, encoding_of, has_nul, read_header
from heteroage.tables.source import Batch, Source, ahead, is_all_text

CHUNK = 16 << 20  # bytes of text per block
PEEK = 1 << 18  # bytes read to find the header; more for longer lines
WIDE = 10_000  # with more columns, all fields are parsed as one column


class TextSource(Source):
    """A delimited text file."""

    kind = kinds.TEXT

    def __init__(self, path: Path, where: str, missing_values: Collection[str] = ()) -> None:
        super().__init__(where)
        self.path = path
        self._null = [*SPELLINGS, *missing_values]
        self._blank: dict[int, int] = {}  # number of rows with only separators, by the first line of their chunk
        self._counts: list[int] | None = None  # number of rows of each chunk, after counting
        with kinds.opened(path, where) as stream:
            head = stream.read(PEEK)
            self._encoding, self._bom = encoding_of(head), head.startswith(BOM)
            text, more = self._decoded(head), head
            while more and text.count(b"\n") < 3 and len(head) < MOST_HEADER:
                more = stream.read(max(PEEK, len(head)))
                head += more
                text = self._decoded(head)
            whole = not more or not stream.peek(1)
        if not whole and b"\n" not in text:
            raise HeteroAgeError(f"{where} has no line end in {MOST_HEADER >> 20} MiB: it is not a table.")
        self._how = read_header(text, whole, where)
        self._separator = self._how.separator.encode()
        self.header = [name.strip() for name in self._how.names]
        self.note("comment_lines", self._how.comments)
        self.note("blank_rows", self._how.blank)

    def numeric(self, column: int) -> bool:
        """Return False, because text files have no column types."""
        return False

    def first(self, columns: Sequence[int]) -> list[list[str | None]]:
        """Return the first cells of some columns as text."""
        rows = [row for row in self._how.rows if len(row) == len(self.header)]
        return [[None if is_missing(row[k]) else row[k].strip() for row in rows] for k in columns]

    def textual(self, columns: Sequence[int]) -> set[int]:
        """Return the columns whose first cells are text and not numbers."""
        return {k for k, cells in zip(columns, self.first(columns), strict=True) if is_all_text(cells)}

    def batches(
        self, text: Sequence[int], values: Sequence[int], rows: NDArray[np.bool_] | None = None
    ) -> Iterator[Batch]:
        """Yield batches of the file; see `Source.batches`."""
        parse, counts, at = self._parse_wide if len(values) >= WIDE else self._parse, [], 0
        for k, (line, chunk) in enumerate(ahead(self._chunks())):
            if rows is None:
                batch = parse(chunk, text, values, at, line)
                counts.append(len(batch))
            else:
                kept = rows[at : at + self._counts[k]]
                if kept.all():
                    batch = parse(chunk, text, values, at, line)
                else:
                    batch = parse(self._chosen(chunk, kept), text, values, at, line) if kept.any() else None
                    if batch is not None:
                        batch.places = at + np.flatnonzero(kept)
                counts.append(len(kept))
            at += counts[-1]
            if batch is not None and len(batch):
                yield batch
        self._counts, self.n_rows = counts, at

    def _parse(self, chunk: bytes, text: Sequence[int], values: Sequence[int], start: int, line: int) -> Batch:
        """Parse some columns of whole lines."""
        names = [str(k) for k in range(len(self.header))]
        chosen = sorted({*text, *values}) or [0]
        comma = self._how.decimal_comma

        def read(numbers: pa.DataType) -> pa.Table:
            kinds_of = dict.fromkeys((names[k] for k in values), numbers)
            return pv.read_csv(
                _buffer(chunk),
                pv.ReadOptions(column_names=names, block_size=len(chunk) + 1),
                pv.ParseOptions(delimiter=self._how.separator, newlines_in_values=True),
                pv.ConvertOptions(
                    include_columns=[names[k] for k in chosen],
                    column_types=dict.fromkeys((names[k] for k in chosen), pa.string()) | kinds_of,
                    null_values=self._null,
                    strings_can_be_null=False,
                    decimal_point="," if comma else ".",
                ),
            )

        try:
            table = read(pa.float64())
        except pa.ArrowInvalid as error:
            self._explain(chunk, line, error)
            table = read(pa.string())  # a cell is not a number; the caller finds out which
        place = {k: j for j, k in enumerate(chosen)}

        numbers = set(values) if comma else set()

        def array(k: int) -> pa.Array:
            column = table.column(place[k]).combine_chunks()
            return pc.replace_substring(column, ",", ".") if k in numbers and column.type == pa.string() else column

        def arrays(wanted: Sequence[int]) -> list[pa.Array]:
            return [array(k) for k in wanted]

        return Batch(np.arange(start, start + table.num_rows), arrays)

    def _parse_wide(self, chunk: bytes, text: Sequence[int], values: Sequence[int], start: int, line: int) -> Batch:
        """Parse lines of very many numbers."""
        batch = self._parse(chunk, text, [], start, line)
        width = len(self.header)
        others = np.setdiff1d(np.arange(width), values)
        options = pv.ConvertOptions(
            column_types={"x": pa.float64()},
            null_values=self._null,
            decimal_point="," if self._how.decimal_comma else ".",
        )
        try:
            fields = b"".join(self._a_field_a_line(row, others) for row in chunk.split(b"\n") if row.strip())
            column = pv.read_csv(
                _buffer(fields),
                pv.ReadOptions(column_names=["x"], block_size=CHUNK),
                pv.ParseOptions(delimiter="\x01", ignore_empty_lines=False),
                options,
            ).column(0)
            table = np.concatenate([floats_of(part) for part in column.chunks]).reshape(len(batch), width)
        except (pa.ArrowInvalid, ValueError):  # a cell is not a number
            return self._parse(chunk, text, values, start, line)
        batch.matrix = lambda wanted: table[:, wanted]
        return batch

    def _a_field_a_line(self, row: bytes, others: NDArray[np.int64]) -> bytes:
        """Rewrite a row with one field per line; fields that are not requested are replaced by a number.

        Raises ValueError where the row has too few or too many fields.
        """
        if b'"' in row:
            fields = next(csv.reader([decode(row, self.where)], delimiter=self._how.separator))
            if len(fields) != len(self.header):
                raise ValueError
            for k in others:
                fields[k] = "0"
            return "\n".join(fields).encode() + b"\n"
        at = np.flatnonzero(np.frombuffer(row, np.uint8) == self._separator[0])
        if len(at) + 1 != len(self.header):
            raise ValueError
        bounds, line = np.concatenate([[-1], at, [len(row)]]), bytearray(row)
        for k in others:
            a, b = bounds[k] + 1, bounds[k + 1]
            line[a:b] = b"0" * (b - a)
        return bytes(line).replace(self._separator, b"\n") + b"\n"

    def _chunks(self) -> Iterator[tuple[int, bytes]]:
        """Yield the rows in blocks of whole lines: (number of the first line, text)."""
        line, above, ended, rest = self._how.first, self._how.size, False, b""
        decoded = _decoder(self._encoding)
        with kinds.opened(self.path, self.where) as stream:
            if self._bom:
                stream.read(len(BOM))
            while not ended:
                block = stream.read(CHUNK)
                ended = not block
                block = decoded(block, ended)
                block, above = block[above:], max(0, above - len(block))
                rest = rest + block if rest else block
                if ended:
                    rest = rest.rstrip(b"\x1a")  # end-of-file mark of MS-DOS
                cut = len(rest) if ended else self._cut(rest)
                if not cut:
                    continue
                chunk, rest = rest[:cut], rest[cut:]
                n_lines = chunk.count(b"\n")
                if (nul := chunk.find(b"\0")) >= 0:
                    above_it = chunk.count(b"\n", 0, nul)
                    raise has_nul(self.where, f"the first is in line {line + above_it}")
                if self._how.section and (end := re.search(rb'(?m)^"?\[\w', chunk)):
                    chunk, ended = chunk[: end.start()], True
                chunk = self._cleaned(chunk, line)
                if chunk.strip():
                    yield line, chunk
                line += n_lines

    @staticmethod
    def _cut(text: bytes) -> int:
        """Return the end of the last complete line, outside of quotes."""
        cut = text.rfind(b"\n") + 1
        while cut and text.count(b'"', 0, cut) % 2:
            cut = text.rfind(b"\n", 0, cut - 1) + 1
        return cut

    def _cleaned(self, chunk: bytes, line: int) -> bytes:
        """Drop rows with only separators (as written by Excel), and replace several blanks by one."""
        separator = self._separator
        if separator == b" ":
            if self._how.collapse or chunk[:1] == b" " or b"\n " in chunk or b" \n" in chunk:
                chunk = b"\n".join(b" ".join(row.split()) for row in chunk.split(b"\n"))
            return chunk
        # Searching a pattern is faster than searching bytes that end with the separator.
        starts = rb'(?:%b| |"")' % re.escape(separator)
        if not (re.match(starts, chunk) or re.search(rb"\n" + starts, chunk)):
            return chunk
        lines = chunk.split(b"\n")
        blank = {k for k, row in enumerate(lines) if row and not row.strip(separator + b' "\t')}
        if blank:
            self._blank[line] = len(blank)
            self.notes["blank_rows"] = self._how.blank + sum(self._blank.values())
        # The row is replaced by an empty line, which is skipped, so that later lines keep their numbers.
        return b"\n".join(b"" if k in blank else row for k, row in enumerate(lines)) if blank else chunk

    def _chosen(self, chunk: bytes, kept: NDArray[np.bool_]) -> bytes:
        """Select some rows of a chunk."""
        lines = [row for row in chunk.split(b"\n") if row.strip()]
        if len(lines) == len(kept):
            return b"\n".join(itertools.compress(lines, kept)) + b"\n"
        rows = [row for row in self._rows(chunk) if row]
        out = io.StringIO()
        csv.writer(out, delimiter=self._how.separator).writerows(itertools.compress(rows, kept))
        return out.getvalue().encode()

    def _rows(self, chunk: bytes) -> Iterator[list[str]]:
        return csv.reader(io.StringIO(decode(chunk, self.where)), delimiter=self._how.separator)

    def _explain(self, chunk: bytes, line: int, error: Exception) -> None:
        """Raise an error for the first line with a wrong number of fields, if there is one."""
        rows, before = self._rows(chunk), 0
        for row in rows:
            if row and len(row) != len(self.header):
                raise HeteroAgeError(
                    f"{self.where} has {len(row)} fields in line {line + before} and {len(self.header)} in its header "
                    f"(separated by {SEPARATORS[self._how.separator]}). {kinds.CUT_SHORT}"
                ) from error
            before = rows.line_num

    def _decoded(self, head: bytes) -> bytes:
        return _decoder(self._encoding)(head.removeprefix(BOM) if self._bom else head, False)


def _decoder(encoding: str) -> Callable[[bytes, bool], bytes]:
    """Return a function that converts blocks of a file to UTF-8 with \\n as line ends, without the byte-order mark."""
    decoder = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)("replace")
    held = b""

    def decoded(block: bytes, final: bool) -> bytes:
        nonlocal held
        if decoder is not None:
            block = decoder.decode(block, final).removeprefix("\ufeff").encode()
        block, held = held + block, b""
        if b"\r" not in block:
            return block
        if block.endswith(b"\r") and not final:  # its \n may be in the next block
            block, held = block[:-1], b"\r"
        return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    return decoded


def _buffer(text: bytes) -> pa.BufferReader:
    """Copy text to Arrow's own memory.

    Arrow's threads may let go of what they read only while Python is ending, and a Python object that they hold then
    aborts the process (https://github.com/apache/arrow/issues/34314).
    """
    buffer = pa.allocate_buffer(len(text))
    memoryview(buffer).cast("B")[:] = text
    return pa.BufferReader(buffer)
