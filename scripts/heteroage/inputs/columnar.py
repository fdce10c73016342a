"""Parquet and Feather, read by groups of columns and batches of rows: never the whole file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from heteroage.errors import HeteroAgeError
from heteroage.inputs.grid import BLOCK_BYTES, BadCells, Block, Cell, Grid, UnreadableCells, as_number
from heteroage.inputs.scatter import scatter_for

WIDE = 4096  # short columns of a block
STRIP, STRIP_BYTES = 256, 512 << 20  # long columns of a block, and its size
AT_ONCE, READ_BYTES = 16, 64 << 20  # long columns read at a time: few, so that the memory for them is used again
PEEK = 50
# Of the footer, bytes and items: pyarrow's own limits refuse 450,000 columns.
FOOTER = {"thrift_string_size_limit": 2**31 - 1, "thrift_container_size_limit": 2**31 - 1}
UNNAMED_INDEX = "__index_level_0__"  # as pandas writes an index that has no name


class ColumnarReader:
    """What Parquet and Feather share; a subclass opens the file and goes through batches of some columns."""

    format: str

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path, self._schema = path, schema
        self._names = schema.names
        self.header = ["" if name == UNNAMED_INDEX else name for name in self._names]

    def batches(self, columns: Sequence[int], rows: int) -> Iterator[pa.RecordBatch]:
        """Some columns (rising), by batches of at most `rows` rows."""
        raise NotImplementedError

    def heights(self) -> list[int]:
        """Numbers of rows of the parts that the file can be read by."""
        raise NotImplementedError

    def read(self, parts: range, columns: Sequence[int]) -> pa.Table:
        """Some columns (rising) of some of the file's parts."""
        raise NotImplementedError

    def head(self, column: int) -> list[str]:
        """The first values of a column, as text; none where it holds numbers."""
        if not _is_text(self._schema.field(column).type):
            return []
        with _reading(self.path):
            first = next(self.batches([column], PEEK), None)
        return [] if first is None else [str(value) for value in first.column(0).to_pylist()[:PEEK]]

    def load(self, text: Sequence[int], values: Sequence[int], by_columns: bool, scratch: Path) -> Grid:
        """Columns `text` as a frame at once; columns `values` when their blocks are gone through."""
        with _reading(self.path):
            rising = sorted(text)
            batches = list(self.batches(rising, 1 << 20))
            schema = pa.schema([self._schema.field(k) for k in rising])
            frame = pa.Table.from_batches([_plain(b, schema) for b in batches], schema).to_pandas(ignore_metadata=True)
        frame = frame.set_axis(rising, axis=1)[list(text)].set_axis(range(len(text)), axis=1)
        return Grid(frame, len(frame), len(values), lambda: self._blocks(values, len(frame), by_columns))

    def _blocks(self, values: Sequence[int], n_rows: int, by_columns: bool) -> Iterator[Block]:
        bad = BadCells()

        def readable(batch: pa.RecordBatch, row: int, column: int) -> NDArray[np.float32] | None:
            try:
                return _as_float32(batch)
            except UnreadableCells as problem:
                bad.take(problem, row, column)
            return None

        with _reading(self.path):
            for block in self._short(values, n_rows, readable) if by_columns else self._long(values, readable):
                if not bad.total:
                    yield block
        bad.tell()

    def _short(self, values: Sequence[int], n_rows: int, readable: Readable) -> Iterator[Block]:
        """Blocks of some columns and, if they are not too long, all their rows."""
        width = max(1, min(WIDE, BLOCK_BYTES // (4 * max(n_rows, 1))))
        for start in range(0, len(values), width):
            columns = values[start : start + width]
            at = 0
            for batch in self.batches(columns, max(1, BLOCK_BYTES // (8 * len(columns)))):
                block = readable(batch, at, start)
                if block is not None:
                    yield slice(at, at + batch.num_rows), slice(start, start + len(columns)), block
                at += batch.num_rows

    def _long(self, values: Sequence[int], readable: Readable) -> Iterator[Block]:
        """Strips of columns, row by row in memory, each put together from a few columns at a time."""
        heights = self.heights()
        tallest = max(1, *heights, 1)
        width, few = (
            max(1, min(most, size // tallest)) for most, size in ((STRIP, STRIP_BYTES // 4), (AT_ONCE, READ_BYTES // 8))
        )
        place = scatter_for(sum(heights) * len(values))
        for start in range(0, len(values), width):
            columns = values[start : start + width]
            for parts, at, height in _runs(heights, max(tallest, STRIP_BYTES // (4 * width))):
                strip, rows = np.empty((height, len(columns)), np.float32), np.arange(height)
                for k in range(0, len(columns), few):
                    (batch,) = self.read(parts, columns[k : k + few]).combine_chunks().to_batches()
                    block = readable(batch, at, start + k)
                    if block is not None:
                        place(strip, rows, np.arange(k, k + block.shape[1]), block)
                yield slice(at, at + height), slice(start, start + len(columns)), strip


Readable = Callable[[pa.RecordBatch, int, int], NDArray[np.float32] | None]


def _runs(heights: Sequence[int], most: int) -> Iterator[tuple[range, int, int]]:
    """Consecutive parts that have at most `most` rows together: (parts, their first row, their rows)."""
    first = at = rows = 0
    for k, height in enumerate(heights):
        if rows and rows + height > most:
            yield range(first, k), at, rows
            first, at, rows = k, at + rows, 0
        rows += height
    if rows:
        yield range(first, len(heights)), at, rows


class ParquetReader(ColumnarReader):
    """A Parquet file."""

    format = "parquet"

    def __init__(self, path: Path) -> None:
        with _reading(path):
            # Reading ahead would hold a whole row group, which may be the whole file.
            self._file = pq.ParquetFile(path, pre_buffer=False, **FOOTER)
            super().__init__(path, self._file.schema_arrow)

    def batches(self, columns: Sequence[int], rows: int) -> Iterator[pa.RecordBatch]:
        """Some columns (rising), by batches of at most `rows` rows."""
        # pyarrow has no public way by numbers, and to the one by names, names with dots are paths.
        return self._file.reader.iter_batches(
            rows, range(self._file.num_row_groups), column_indices=list(columns), use_threads=True
        )

    def heights(self) -> list[int]:
        """Numbers of rows of the row groups."""
        metadata = self._file.metadata
        return [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)]

    def read(self, parts: range, columns: Sequence[int]) -> pa.Table:
        """Some columns (rising) of some row groups."""
        return self._file.reader.read_row_groups(list(parts), column_indices=list(columns), use_threads=True)


class FeatherReader(ColumnarReader):
    """A Feather file (version 2: Arrow's own format)."""

    format = "feather"

    def __init__(self, path: Path) -> None:
        with _reading(path):
            super().__init__(path, pa.ipc.open_file(pa.memory_map(str(path))).schema)

    def batches(self, columns: Sequence[int], rows: int) -> Iterator[pa.RecordBatch]:
        """Some columns (rising), by batches of at most `rows` rows."""
        file = self._open(columns)
        for k in range(file.num_record_batches):
            batch = file.get_batch(k)
            for start in range(0, batch.num_rows, rows):
                yield batch.slice(start, rows)

    def heights(self) -> list[int]:
        """Numbers of rows of the record batches."""
        file = self._open([0])
        return [file.get_batch(k).num_rows for k in range(file.num_record_batches)]

    def read(self, parts: range, columns: Sequence[int]) -> pa.Table:
        """Some columns (rising) of some record batches."""
        file = self._open(columns)
        return pa.Table.from_batches([file.get_batch(k) for k in parts], file.schema)

    def _open(self, columns: Sequence[int]) -> pa.ipc.RecordBatchFileReader:
        options = pa.ipc.IpcReadOptions(included_fields=list(columns))
        return pa.ipc.open_file(pa.memory_map(str(self.path)), options=options)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise HeteroAgeError(f"cannot read {path}: {reason}. Is it cut short? Copy or download it again.") from error


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _plain(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(batch.columns, schema=schema)


def _as_float32(batch: pa.RecordBatch) -> NDArray[np.float32]:
    """Return (rows, columns), each column's values beside each other in memory."""
    if all(pa.types.is_floating(kind) and kind != pa.float16() for kind in set(batch.schema.types)):
        return batch.to_tensor(null_to_nan=True, row_major=False).to_numpy().astype(np.float32)
    values = np.empty((batch.num_columns, batch.num_rows), np.float32)
    bad = BadCells()
    for k, column in enumerate(batch.columns):
        if _is_text(column.type):
            for row, field in enumerate(column.to_pylist()):
                number = np.nan if field is None else as_number(field)
                if number is None:
                    bad.add(Cell(row, k, field))
                else:
                    values[k, row] = number
        elif pa.types.is_temporal(column.type) or pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
            for row, field in enumerate(column.to_pylist()):
                if field is not None:
                    bad.add(Cell(row, k, str(field)))
        else:
            values[k] = pd.to_numeric(column.to_pandas(), errors="raise").astype(np.float64).to_numpy()
    bad.tell()
    return values.T
