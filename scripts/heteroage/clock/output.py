"""Predictions, written as they come: a CSV or Parquet file that stands under its name only when it is whole."""

from __future__ import annotations

import gzip
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from heteroage.errors import HeteroAgeError
from heteroage.files import PARQUET, atomic_path, is_stream

ROW_GROUP = 65_536  # samples of a Parquet file's row group
FEATHER = {".feather", ".arrow"}
SEPARATORS = {".csv": ",", ".tsv": "\t", "": ","}
ENDINGS = ".csv, .tsv (both also with .gz), .parquet, .feather"


def check_ending(path: Path) -> None:
    """Refuse a file name whose ending says a format that is not written. A name without an ending is a CSV."""
    if _kind(path) is None:
        raise HeteroAgeError(f"cannot write {path}: unknown ending {path.suffix}. Endings that are known: {ENDINGS}.")


def _kind(path: Path) -> str | None:
    """parquet, feather or a separator; None where the ending is not known."""
    if is_stream(path):
        return ","
    suffix = path.suffix.lower()
    if suffix in PARQUET or suffix in FEATHER:
        return "parquet" if suffix in PARQUET else "feather"
    return SEPARATORS.get(path.with_suffix("").suffix.lower() if suffix == ".gz" else suffix)


class RowWriter:
    """Writes parts of a table one after the other; a row's bytes in a CSV do not depend on the part it came in.

    path : the file to open
    final : the name that it will have, which says the format
    """

    def __init__(self, path: Path, final: Path) -> None:
        self.kind = _kind(final)
        self.rows = 0
        self._waiting: list[pa.Table] = []
        self._columnar: object | None = None
        self._to_disk = not is_stream(path)
        self._stream = _opened(path, self._to_disk)
        # Without a time or a name in the header: equal tables are equal bytes.
        zipped = final.suffix.lower() == ".gz" and self._to_disk
        self._text = gzip.GzipFile("", "wb", 6, self._stream, mtime=0) if zipped else self._stream

    def write(self, rows: Mapping[str, Sequence]) -> None:
        """Add a part: columns by name, lists of text or arrays of numbers, missing as None or NaN."""
        table = pa.Table.from_arrays([_column(cells) for cells in rows.values()], names=list(rows))
        if self.kind in ("parquet", "feather"):
            self._waiting.append(table)
            if sum(one.num_rows for one in self._waiting) >= ROW_GROUP:
                self._write_group()
        else:
            if not self.rows:
                self._text.write(_header(table.column_names, self.kind) + b"\n")
            self._text.write(_csv_lines(table, self.kind))
        self.rows += table.num_rows

    def close(self) -> None:
        """Write what waits and bring it to the disk."""
        if self._waiting:
            self._write_group()
        if self._columnar is not None:
            self._columnar.close()
        if self._text is not self._stream:
            self._text.close()
        self._stream.flush()
        if self._to_disk:
            os.fsync(self._stream.fileno())
        self._stream.close()

    def abandon(self) -> None:
        """Let go of the file."""
        with suppress(OSError):  # it is thrown away
            self._stream.close()

    def _write_group(self) -> None:
        table = pa.concat_tables(self._waiting)
        self._waiting = []
        if self._columnar is None:
            self._columnar = _columnar_writer(self.kind, self._stream, table.schema)
        self._columnar.write_table(table)


def _opened(path: Path, to_disk: bool) -> BinaryIO:
    """Open a file, or a stream to write behind what it holds already."""
    if to_disk:
        return path.open("wb")
    numbers = {"/dev/stdout": 1, "/dev/stderr": 2}
    if str(path) in numbers or str(path).startswith("/dev/fd/"):
        number = numbers.get(str(path)) or int(path.name)
        return os.fdopen(os.dup(number), "wb")
    return path.open("ab" if stat.S_ISREG(path.stat().st_mode) else "wb")


def _columnar_writer(kind: str, stream: BinaryIO, schema: pa.Schema) -> object:
    if kind == "feather":
        return pa.ipc.new_file(stream, schema)
    import pyarrow.parquet as pq

    return pq.ParquetWriter(stream, schema)


@contextmanager
def writing(paths: Sequence[Path]) -> Iterator[list[RowWriter]]:
    """Open a writer for each path; all take their names together, and only if the block ends without error.

    Raises
    ------
    HeteroAgeError
        No folder, no right to write, a full disk, an unknown ending: what stood there before still does. A pipe or a
        device has received what was written before the error.
    """
    for path in paths:
        check_ending(path)
    try:
        with ExitStack() as stack:
            places = [stack.enter_context(atomic_path(path)) for path in paths]
            writers = []
            try:
                for place, path in zip(places, paths, strict=True):
                    writers.append(RowWriter(place, path))
                yield writers
                for writer in writers:
                    writer.close()
            finally:
                for writer in writers:
                    writer.abandon()
    except OSError as error:
        names = ", ".join(map(str, paths))
        left = "Nothing was written; what stood there before still does."
        if any(map(is_stream, paths)):
            left = "What was written to a pipe or a device is not whole."
        raise HeteroAgeError(f"cannot write {names}: {error.strerror or error}. {left}") from error


def _column(cells: Sequence) -> pa.Array:
    """Numbers or text as an Arrow array, missing as null. `pa.array` would import pandas to look at its argument."""
    if isinstance(cells, np.ndarray):
        values, valid = np.ascontiguousarray(cells, dtype=np.float64), ~np.isnan(cells)
        buffers = [pa.py_buffer(values)]
        kind = pa.float64()
    else:
        encoded = [(cell or "").encode() for cell in cells]
        valid = np.array([cell is not None for cell in cells], dtype=bool)
        ends = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum([len(cell) for cell in encoded], out=ends[1:])
        buffers = [pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
        kind = pa.large_string()
    mask = None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
    column = pa.Array.from_buffers(kind, len(valid), [mask, *buffers])
    return column if kind == pa.float64() else pc.cast(column, pa.string())


def _header(names: Sequence[str], separator: str) -> bytes:
    return separator.join(_quoted(name, separator) for name in names).encode()


def _csv_lines(table: pa.Table, separator: str) -> bytes:
    """Rows as CSV: text quoted where it must be, numbers in the fewest digits that read back equal, missing empty."""
    columns = []
    for column in table.columns:
        text = pc.cast(column.combine_chunks(), pa.string())
        if pa.types.is_string(column.type):
            special = pc.match_substring_regex(text, f'["{separator}\r\n]')
            if pc.any(special).as_py():
                doubled = pc.replace_substring(text, '"', '""')
                text = pc.if_else(special, pc.binary_join_element_wise('"', doubled, '"', ""), text)
        columns.append(text)
    # With the separator as a column too: as a scalar, Arrow would import pandas to look at it.
    between = _column([separator] * table.num_rows)
    options = pc.JoinOptions("replace", "")
    lines = pc.call_function("binary_join_element_wise", [*columns, between], options)
    return b"".join(line.encode() + b"\n" for line in lines.to_pylist())


def _quoted(name: str, separator: str) -> str:
    return '"' + name.replace('"', '""') + '"' if set(name) & set(f'"{separator}\r\n') else name
