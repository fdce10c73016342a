"""CSV and TSV files, also gzipped, in blocks of whole lines. `fields.py` cuts the lines; Arrow parses the numbers."""

from __future__ import annotations

import codecs
import csv
import io
import re
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from heteroage.errors import HeteroAgeError
from heteroage.labels import clean
from heteroage.tables.fields import NEWLINE, QUOTE, Fields, chosen, cut, joined
from heteroage.tables.header import BOM, MOST_HEADER, SEPARATORS, decode, encoding_of, has_nul, read_header
from heteroage.tables.source import CUT_SHORT, SPELLINGS, Batch, Source, ahead, is_missing

CHUNK = 16 << 20  # bytes of text per block
TOO_MANY = "Enclose cells that contain a separator in quotes, and delete titles above the header."
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
        missing_values: Collection[str] = (),
        begin: tuple[int, int] = (0, 0),
        end: bytes = b"",
    ) -> None:
        super().__init__(where)
        self.path, self.ended, self._begin = path, False, begin
        self._null = [*SPELLINGS, *missing_values]
        with opened(path, where) as stream:
            stream.read(begin[0])
            head = more = stream.read(PEEK)
            self._encoding = encoding_of(head)
            text = _decoder(self._encoding)(head, False)
            while more and text.count(b"\n") < 3 and len(head) < MOST_HEADER:
                more = stream.read(max(PEEK, len(head)))
                head += more
                text = _decoder(self._encoding)(head, False)
            whole = not more or not stream.peek(1)
        if end and (at := text.find(b"\n" + end)) >= 0:
            text, whole = text[: at + 1], True
        if not whole and b"\n" not in text:
            raise HeteroAgeError(f"{where} has no line end in {MOST_HEADER >> 20} MiB: it is not a table.")
        self._how = read_header(text, whole, where)
        self._separator = self._how.separator.encode()
        self._end = re.compile(b"\n" + (re.escape(end) if end else rb'"?\[\w')) if end or self._how.section else None
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
            fields = self._fields(chunk, line)
            filled = fields.filled(self._separator)
            blank += len(fields) - len(filled)
            places = np.arange(at, at + len(filled))
            at += len(filled)
            if rows is not None:
                filled, places = filled.rows(rows[places]), places[rows[places]]
            if len(places):
                yield self._batch(filled, places, columns)
            if rows is not None and not rows[at:].any():
                return  # the first pass has checked the remaining lines
        self.n_rows = at
        if blank:
            self.notes["blank_rows"] = self._how.blank + blank

    def _fields(self, chunk: bytes, line: int) -> Fields:
        """Cut a chunk, whose first line has the number `line`, into fields.

        Raises HeteroAgeError: a row has too few or too many fields.
        """
        width, full = len(self.header), chunk if chunk.endswith(b"\n") else chunk + b"\n"
        if width > 1 and (fields := cut(full, self._separator, width)) is not None:
            return fields
        full = b"".join(row + b"\n" for row in full.split(b"\n") if row)
        if (fields := cut(full, self._separator, width)) is not None:
            return fields
        cells, before = [], 0
        rows = csv.reader(io.StringIO(decode(chunk, self.where)), delimiter=self._how.separator)
        for row in rows:
            if not any(cell.strip() for cell in row):
                row = [""] * width if row else []  # a blank row may have any number of fields
            elif len(row) != width:
                advice = f"If it is a note, delete it. {CUT_SHORT}" if len(row) < width else TOO_MANY
                raise HeteroAgeError(
                    f"{self.where} has {len(row)} fields in line {line + before} and {width} in its header "
                    f"(separated by {SEPARATORS[self._how.separator]}). {advice}"
                )
            cells += row
            before = rows.line_num
        return joined(cells, width)

    def _batch(self, fields: Fields, places: NDArray[np.int64], columns: NDArray[np.int64]) -> Batch:
        """Parse the numbers of a chunk in the given columns (rising). Text is read from `fields` later."""
        comma = self._how.decimal_comma
        table = fields.numbers(columns, self._null, "," if comma else ".") if len(columns) else None
        numeric = set(columns.tolist()) if comma else set()

        def array(k: int) -> pa.Array:
            try:
                cells = fields.cells(k)
            except UnicodeDecodeError as error:
                decode(error.object, self.where)
                raise
            return pc.replace_substring(cells, ",", ".") if k in numeric else cells

        def matrix(wanted: Sequence[int]) -> NDArray[np.float64] | None:
            # Without a table, a cell is not a number; the caller finds out which.
            return None if table is None else chosen(table, np.searchsorted(columns, wanted))

        return Batch(places, lambda wanted: [array(k) for k in wanted], matrix)

    def _chunks(self) -> Iterator[tuple[int, bytes]]:
        """Yield the rows in blocks of whole lines: (number of the first line, text)."""
        line, above, rest, self.ended = self._how.first + self._begin[1], self._how.size, b"", False
        decoded = _decoder(self._encoding)
        with opened(self.path, self.where) as stream:
            stream.read(self._begin[0])
            block = b"-"
            while block and not self.ended:
                block = stream.read(CHUNK)
                text = decoded(block, not block)
                text, above = text[above:], max(0, above - len(text))
                if not block:  # \x1a is an end-of-file mark of MS-DOS
                    chunk = (rest + text).rstrip(b"\x1a")
                else:
                    chunk, rest = _whole_lines(rest, text)
                if (nul := chunk.find(b"\0")) >= 0:
                    above_it = chunk.count(b"\n", 0, nul)
                    raise has_nul(self.where, f"the first is in line {line + above_it}")
                if self._end and (end := self._end.search(b"\n" + chunk)):
                    chunk, self.ended = chunk[: end.start()], True
                if self._how.collapse:
                    chunk = b"\n".join(b" ".join(row.split()) for row in chunk.split(b"\n"))
                if chunk:
                    yield line, chunk
                line += np.count_nonzero(np.frombuffer(chunk, np.uint8) == NEWLINE)  # bytes.count is slower


def _whole_lines(rest: bytes, block: bytes) -> tuple[bytes, bytes]:
    """Join two pieces of text, and divide them after the last line end that is not in quotes."""
    if b'"' in rest or b'"' in block:
        rest, block = b"", rest + block
    end = block.rfind(b"\n") + 1
    if b'"' in block and len(block) < MOST_HEADER and block.count(b'"', 0, end) % 2:
        characters = np.frombuffer(block, np.uint8)
        lines, quotes = (np.flatnonzero(characters == character) for character in (NEWLINE, QUOTE))
        outside = lines[np.searchsorted(quotes, lines) % 2 == 0]
        end = int(outside[-1]) + 1 if len(outside) else 0
    if not end:
        return b"", rest + block
    return b"".join((rest, memoryview(block)[:end])), block[end:]


def _decoder(encoding: str) -> Callable[[bytes, bool], bytes]:
    """Return a function that converts blocks of a file to UTF-8 with \\n as line ends, without the byte-order mark."""
    decoder = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)("replace")
    mark, held = BOM, b""

    def decoded(block: bytes, final: bool) -> bytes:
        nonlocal mark, held
        if decoder is not None:
            block = decoder.decode(block, final).encode()
        block, mark, held = held + block.removeprefix(mark), b"", b""
        if b"\r" not in block:
            return block
        if block.endswith(b"\r") and not final:  # its \n may be in the next block
            block, held = block[:-1], b"\r"
        return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    return decoded


@contextmanager
def opened(path: Path, where: str) -> Iterator[BinaryIO]:
    """Open a file's bytes, unpacked if it is gzip.

    Raises HeteroAgeError: no such file, a file that cannot be read, or a gzip stream that is cut short.
    """
    if path.is_dir():
        raise HeteroAgeError(f"{where} is a folder, not a table. Give the file in it.")
    if not path.exists():
        raise HeteroAgeError(f"no file {path}. Check the path; relative paths start at the working directory.")
    packed = False
    broken: tuple[type[Exception], ...] = (EOFError, OSError, zlib.error)
    try:
        packed = is_gzip(path)
        if packed:
            try:
                from isal import igzip as gzip
                from isal import isal_zlib

                broken = (*broken, isal_zlib.error)
            except ImportError:  # half as fast
                import gzip
            stream = gzip.open(path, "rb")  # noqa: SIM115
        else:
            stream = path.open("rb", buffering=1 << 20)
        with stream:
            yield stream
    except broken as error:
        what = " as gzip" if packed else ""
        raise HeteroAgeError(f"cannot read {where}{what}: {error}. {CUT_SHORT}") from error


def is_gzip(path: Path) -> bool:
    """Tell whether a file is gzipped."""
    with path.open("rb") as raw:
        return raw.read(2) == b"\x1f\x8b"
