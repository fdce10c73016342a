"""Parquet and Feather files, read in blocks of columns and rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from heteroage.errors import HeteroAgeError
from heteroage.tables import kinds
from heteroage.tables.source import Batch, Source, is_text

READ_BYTES = 64 << 20  # bytes of columns read at a time, so that memory is reused
# Limits of the footer (bytes and items). pyarrow's default limits reject 450,000 columns.
FOOTER = {"thrift_string_size_limit": 2**31 - 1, "thrift_container_size_limit": 2**31 - 1}
UNNAMED = "__index_level_0__"  # pandas' name of an index without a name


class ColumnarSource(Source):
    """Base class for Parquet and Feather: a schema, and parts that are read by column numbers."""

    def __init__(self, where: str, schema: pa.Schema, heights: Sequence[int]) -> None:
        super().__init__(where, n_rows=sum(heights))
        self._schema, self._heights = schema, heights
        with reading(where):
            self.header = ["" if name == UNNAMED else name.strip() for name in schema.names]
            self.index = _index_column(schema)
        self.at_once = max(1, READ_BYTES // (8 * max(1, *heights, 1)))

    def numeric(self, column: int) -> bool:
        """Tell whether a column's type is not text."""
        return not is_text(self._schema.field(column).type)

    def read(self, part: int, columns: Sequence[int]) -> pa.Table:
        """Some columns (rising) of a part of the file."""
        raise NotImplementedError

    def batches(
        self, text: Sequence[int], values: Sequence[int], rows: NDArray[np.bool_] | None = None
    ) -> Iterator[Batch]:
        """Yield the file's parts; see `Source.batches`."""
        at = 0
        for part, height in enumerate(self._heights):
            places = np.arange(at, at + height)
            kept = None if rows is None or rows[places].all() else pa.array(np.flatnonzero(rows[places]))
            at += height
            if kept is not None:
                places = places[np.asarray(kept)]
            if len(places):
                yield Batch(places, lambda wanted, part=part, kept=kept: self._arrays(part, wanted, kept))

    def _arrays(self, part: int, wanted: Sequence[int], kept: pa.Array | None) -> list[pa.Array]:
        rising = sorted(set(wanted))
        with reading(self.where):
            table = self.read(part, rising)
            columns = [column.combine_chunks() for column in table.columns]
            if kept is not None:
                columns = [column.take(kept) for column in columns]
        place = dict(zip(rising, columns, strict=True))
        return [place[k] for k in wanted]


class ParquetSource(ColumnarSource):
    """A Parquet file; a part is a row group."""

    kind = kinds.PARQUET

    def __init__(self, path: Path, where: str) -> None:
        import pyarrow.parquet as pq

        with reading(where):
            # No read-ahead, because it would keep a whole row group in memory, which may be the whole file.
            self._file = pq.ParquetFile(path, pre_buffer=False, **FOOTER)
            schema, metadata = self._file.schema_arrow, self._file.metadata
        # A column of lists or records is stored as several columns of the file.
        self._first = list(accumulate((_leaves(field.type) for field in schema), initial=0))
        super().__init__(where, schema, [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)])

    def read(self, part: int, columns: Sequence[int]) -> pa.Table:
        """Some columns (rising) of a row group."""
        leaves = [leaf for k in columns for leaf in range(self._first[k], self._first[k + 1])]
        # pyarrow has no public method to read columns by number, and its method by name treats dots as paths.
        return self._file.reader.read_row_groups([part], column_indices=leaves, use_threads=True)


class FeatherSource(ColumnarSource):
    """A Feather file (version 2: Arrow's own format), mapped into memory; a part is a record batch."""

    kind = kinds.FEATHER

    def __init__(self, path: Path, where: str) -> None:
        self._path = path
        with reading(where):
            schema = pa.ipc.open_file(pa.memory_map(str(path))).schema
            small = pa.ipc.open_file(pa.memory_map(str(path)), options=pa.ipc.IpcReadOptions(included_fields=[0]))
            heights = [small.get_batch(k).num_rows for k in range(small.num_record_batches)]
        super().__init__(where, schema, heights)

    def read(self, part: int, columns: Sequence[int]) -> pa.Table:
        """Some columns (rising) of a record batch."""
        options = pa.ipc.IpcReadOptions(included_fields=list(columns))
        batch = pa.ipc.open_file(pa.memory_map(str(self._path)), options=options).get_batch(part)
        batch.validate(full=True)
        return pa.Table.from_batches([batch])


def _leaves(kind: pa.DataType) -> int:
    """Return the number of Parquet columns in which a column of the schema is stored."""
    return sum(_leaves(kind.field(k).type) for k in range(kind.num_fields)) if pa.types.is_nested(kind) else 1


def _index_column(schema: pa.Schema) -> int | None:
    """Return the column in which pandas stored a frame's index, if it is one column."""
    try:
        index = json.loads((schema.metadata or {}).get(b"pandas", b"{}")).get("index_columns", [])
    except (ValueError, AttributeError):
        return None
    names = [name for name in index if isinstance(name, str) and schema.names.count(name) == 1]
    return schema.names.index(names[0]) if len(names) == 1 == len(index) else None


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Convert Arrow's errors for damaged files to messages for the user."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:300].rstrip(".")
        raise HeteroAgeError(f"cannot read {where}: {reason}. {kinds.CUT_SHORT}") from error
