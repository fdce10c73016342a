"""Predictions, written as they come: a CSV or Parquet file that stands under its name only when it is whole."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from heteroage.errors import HeteroAgeError
from heteroage.files import PARQUET, atomic_path

ROW_GROUP = 65_536  # samples of a Parquet file's row group


class RowWriter:
    """Writes parts of a table one after the other; a row's bytes in a CSV do not depend on the part it came in."""

    def __init__(self, path: Path, as_parquet: bool) -> None:
        self.path, self.as_parquet = path, as_parquet
        self.rows = 0
        self._waiting: list[pa.Table] = []
        self._parquet: object | None = None
        self._stream = path.open("wb")

    def write(self, rows: Mapping[str, Sequence]) -> None:
        """Add a part: columns by name, lists of text or arrays of numbers, missing as None or NaN."""
        table = pa.Table.from_arrays([_column(cells) for cells in rows.values()], names=list(rows))
        if self.as_parquet:
            self._waiting.append(table)
            if sum(one.num_rows for one in self._waiting) >= ROW_GROUP:
                self._write_group()
        else:
            if not self.rows:
                self._stream.write(",".join(map(_quoted, table.column_names)).encode() + b"\n")
            self._stream.write(_csv_lines(table))
        self.rows += table.num_rows

    def close(self) -> None:
        """Write what waits and bring it to the disk."""
        if self.as_parquet and self._waiting:
            self._write_group()
        if self._parquet is not None:
            self._parquet.close()
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()

    def abandon(self) -> None:
        """Let go of the file."""
        with suppress(OSError):  # what could not be written is thrown away anyhow
            self._stream.close()

    def _write_group(self) -> None:
        import pyarrow.parquet as pq

        table = pa.concat_tables(self._waiting)
        self._waiting = []
        if self._parquet is None:
            self._parquet = pq.ParquetWriter(self._stream, table.schema)
        self._parquet.write_table(table)


@contextmanager
def writing(paths: Sequence[Path]) -> Iterator[list[RowWriter]]:
    """Open a writer for each path; all take their names together, and only if the block ends without error.

    Raises
    ------
    HeteroAgeError
        No folder, no right to write, a full disk: what stood there before still does.
    """
    try:
        with ExitStack() as stack:
            places = [stack.enter_context(atomic_path(path)) for path in paths]
            writers = [RowWriter(place, path.suffix in PARQUET) for place, path in zip(places, paths, strict=True)]
            try:
                yield writers
                for writer in writers:
                    writer.close()
            finally:
                for writer in writers:
                    writer.abandon()
    except OSError as error:
        names = ", ".join(map(str, paths))
        raise HeteroAgeError(
            f"cannot write {names}: {error.strerror or error}. Nothing was written; what stood there before still does."
        ) from error


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


def _csv_lines(table: pa.Table) -> bytes:
    """Rows as CSV: text quoted where it must be, numbers in the fewest digits that read back equal, missing empty."""
    columns = []
    for column in table.columns:
        text = pc.cast(column.combine_chunks(), pa.string())
        if pa.types.is_string(column.type):
            special = pc.match_substring_regex(text, '[",\r\n]')
            if pc.any(special).as_py():
                doubled = pc.replace_substring(text, '"', '""')
                text = pc.if_else(special, pc.binary_join_element_wise('"', doubled, '"', ""), text)
        columns.append(text)
    # With the separator as a column too: as a scalar, Arrow would import pandas to look at it.
    comma = _column([","] * table.num_rows)
    options = pc.JoinOptions("replace", "")
    lines = pc.call_function("binary_join_element_wise", [*columns, comma], options)
    return b"".join(line.encode() + b"\n" for line in lines.to_pylist())


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if set(name) & set('",\r\n') else name
