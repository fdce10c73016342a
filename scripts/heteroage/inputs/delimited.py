"""CSV and TSV, plain or gzipped, as a stream: lines are parsed block by block into a spool on disk."""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.errors import HeteroAgeError
from heteroage.inputs.grid import MISSING, BadCells, Block, Cell, Grid, Spool, ahead, as_number

TEXT, VALUE = 1, 2  # as line_parser has them, which takes a second to import
CHUNK = 4 << 20  # bytes of text parsed at a time: little enough to stay in the processor's cache
SMALL = 1 << 20  # bytes on disk below which compiled code is not worth its loading
PEEK = 50  # lines looked at to tell what a column holds
DELIMITERS = {",": "commas", "\t": "tabs", ";": "semicolons"}
GZIP = b"\x1f\x8b"
CUT_SHORT = "Is it cut short? Copy or download it again."


class DelimitedReader:
    """A delimited text file: its header at once, its rows on `load`."""

    format = "csv"

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._opened() as stream:
            lines = [line for line in (stream.readline() for _ in range(2)) if line.strip()]
            while (
                len(lines) > 1 and len(lines) <= PEEK and sum(map(len, lines)) < CHUNK and (more := stream.readline())
            ):
                lines.append(more)
        if not lines:
            raise HeteroAgeError(f"{path} is empty. Check how it was written.")
        header = self._decode(lines[0]).removeprefix("\ufeff").rstrip("\r\n")
        self.delimiter = max(DELIMITERS, key=header.count)
        self._peeked = [self._fields(self._decode(line)) for line in lines[1:]]
        self.header = self._fields(header)
        if self._peeked and len(self._peeked[0]) == len(self.header) + 1:
            self.header = ["", *self.header]  # R's write.table gives the row names no header

    def head(self, column: int) -> list[str]:
        """The first values of a column, as text."""
        return [row[column].strip() for row in self._peeked if len(row) > column]

    def load(self, text: Sequence[int], values: Sequence[int], by_columns: bool, scratch: Path) -> Grid:
        """Read the file once: columns `text` into a frame, `values` (rising) into a spool.

        Raises
        ------
        HeteroAgeError
            A line with too few or too many fields, text that is not UTF-8, a gzip stream cut short.
        """
        spool, bad = Spool(scratch, len(values)), BadCells()
        columns: list[list[str | None]] = [[] for _ in text]
        for texts, block in self._rows(text, values, bad):
            for column, fields in zip(columns, texts, strict=True):
                column += fields
            spool.append(block)

        def blocks() -> Iterator[Block]:
            bad.tell()  # only now: by then the caller knows the samples' names
            yield from spool.blocks(by_columns)

        frame = pd.DataFrame(dict(enumerate(columns)), dtype=object)
        return Grid(frame, spool.n_rows, len(values), blocks, None if by_columns else spool)

    def _rows(
        self, text: Sequence[int], values: Sequence[int], bad: BadCells
    ) -> Iterator[tuple[list[list[str | None]], NDArray[np.float32]]]:
        """Go through the file: (columns `text`, values) of some rows at a time."""
        kinds = np.zeros(len(self.header), np.int8)
        kinds[list(text)], kinds[list(values)] = TEXT, VALUE
        rank = np.argsort(np.argsort(text))  # texts are parsed in the file's order
        line, n_rows = 2, 0
        parse = parse_small if self.path.stat().st_size < SMALL else parse_large
        unpacked = ahead(self._chunks())
        for texts, block, odd, ragged, n_lines in ahead(parse(chunk, self.delimiter, kinds) for chunk in unpacked):
            if ragged:
                at, n_fields = ragged
                raise HeteroAgeError(
                    f"{self.path} has {n_fields} fields in line {line + at} and {len(self.header)} in its header "
                    f"(separated by {DELIMITERS[self.delimiter]}). {CUT_SHORT}"
                )
            for row, column, field in odd:
                number = as_number(field)
                if number is None:
                    bad.add(Cell(n_rows + row, column, field))
                else:
                    block[row, column] = number
            yield [[_text(self._decode(field)) for field in texts[source]] for source in rank], block
            n_rows += len(block)
            line += n_lines

    def _chunks(self) -> Iterator[memoryview]:
        """The rows as blocks of whole lines, each line ended. The memory of one is that of the next but one."""
        buffers, left = [bytearray(CHUNK), bytearray(CHUNK)], memoryview(b"")
        with self._opened() as stream:
            while not (line := stream.readline()).strip() and line:
                pass
            while True:
                if 2 * len(left) > len(buffers[0]):  # lines are long
                    buffers[0] = bytearray(4 * len(left))
                buffer = buffers[0]
                buffer[: len(left)] = left
                filled = len(left) + stream.readinto(memoryview(buffer)[len(left) :])
                if filled == len(left):
                    break
                cut = buffer.rfind(b"\n", 0, filled) + 1
                if cut:
                    yield memoryview(buffer)[:cut]
                left = memoryview(buffer)[cut:filled]
                buffers.reverse()
            if left.tobytes().strip():
                yield memoryview(left.tobytes() + b"\n")

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        """The file's bytes, unpacked if it is gzipped."""
        try:
            with self.path.open("rb") as raw:
                packed = raw.read(2) == GZIP
            if packed:
                from isal import igzip, isal_zlib

                broken: tuple[type[Exception], ...] = (EOFError, OSError, zlib.error, isal_zlib.error)
                stream = igzip.open(self.path, "rb")
            else:
                broken, stream = (OSError,), self.path.open("rb", buffering=1 << 20)
            with stream:
                yield stream
        except broken as error:
            kind = "as gzip" if packed else ""
            raise HeteroAgeError(f"cannot read {self.path} {kind}: {error}. {CUT_SHORT}") from error

    def _fields(self, line: str) -> list[str]:
        return next(csv.reader([line.rstrip("\r\n")], delimiter=self.delimiter), [])

    def _decode(self, line: bytes) -> str:
        return decode(line, self.path)


def decode(text: bytes, path: Path) -> str:
    """Decode UTF-8, or say where it is something else."""
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        sample = text[max(error.start - 20, 0) : error.start + 10]
        raise HeteroAgeError(
            f"{path} is not UTF-8 text (byte {error.start}, near {sample!r}). Save it as UTF-8, for instance with "
            f"iconv -f latin1 -t utf-8."
        ) from error


Parsed = tuple[list[list[bytes]], NDArray[np.float32], list[tuple[int, int, str]], tuple[int, int] | None, int]


def parse_small(chunk: memoryview, delimiter: str, kinds: NDArray[np.int8]) -> Parsed:
    """Parse lines in plain Python.

    Parameters
    ----------
    chunk : whole lines, each one ended
    kinds : for each column TEXT, VALUE or 0

    Returns
    -------
    the text columns, the values (lines, columns), fields that are no plain number as (line, column, text), and
    (line, number of fields) of the first line of another length than `kinds`, or None, and how many lines there are,
    empty ones counted
    """
    text_at, value_at = np.flatnonzero(kinds == TEXT), np.flatnonzero(kinds == VALUE)
    lines = str(chunk, "utf-8", "surrogateescape")
    rows = [row for row in csv.reader(io.StringIO(lines), delimiter=delimiter) if row]
    for at, row in enumerate(rows):
        if len(row) != len(kinds):
            return [], np.empty((0, 0), np.float32), [], (at, len(row)), 0
    fields = [[row[k] for k in value_at] for row in rows]
    odd = [(r, c, field) for r, row in enumerate(fields) for c, field in enumerate(row) if not _plain(field)]
    for r, c, _ in odd:
        fields[r][c] = "nan"
    values = np.array(fields, dtype=np.float64).reshape(len(rows), len(value_at)).astype(np.float32)
    texts = [[row[k].encode("utf-8", "surrogateescape") for row in rows] for k in text_at]
    return texts, values, odd, None, lines.count("\n")


def parse_large(chunk: memoryview, delimiter: str, kinds: NDArray[np.int8]) -> Parsed:
    """Parse lines with compiled code; as `parse_small`."""
    from heteroage.inputs.line_parser import count_lines, parse_lines

    buffer = np.frombuffer(chunk, np.uint8)
    n_lines = count_lines(buffer)
    values = np.empty((n_lines, int((kinds == VALUE).sum())), np.float32)
    spans = np.empty((n_lines, int((kinds == TEXT).sum()), 2), np.int64)
    odd = np.empty((1 << 16, 4), np.int64)
    lines, n_odd, ragged = parse_lines(buffer, ord(delimiter), kinds, values, spans, odd)
    if ragged >= 0:
        line = str(chunk[ragged:].tobytes().split(b"\n", 1)[0], "utf-8", "replace")
        return [], values, [], (lines, len(next(csv.reader([line.rstrip("\r")], delimiter=delimiter)))), 0
    if n_odd > len(odd):
        odd = np.empty((n_odd, 4), np.int64)
        parse_lines(buffer, ord(delimiter), kinds, values, spans, odd)
    fields = [(r, c, _unquoted(chunk[a:b].tobytes()).decode("utf-8", "replace")) for r, c, a, b in odd[:n_odd].tolist()]
    texts = [[_unquoted(chunk[a:b].tobytes()) for a, b in spans[:lines, k].tolist()] for k in range(spans.shape[1])]
    return texts, values[:lines], fields, None, n_lines


def _plain(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return "_" not in field and np.isfinite(float(field))


def _unquoted(field: bytes) -> bytes:
    return field[1:-1].replace(b'""', b'"') if field[:1] == b'"' and field[-1:] == b'"' and len(field) > 1 else field


def _text(field: str) -> str | None:
    field = field.strip()
    return None if field in MISSING else field
