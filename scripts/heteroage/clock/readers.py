"""Files of samples, opened by their ending; of these Parquet and Feather, either orientation (see `master_table`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from heteroage.clock.columns import Cells, Wanted, check_ids, missing_ids, to_numbers, to_text
from heteroage.clock.csv_table import CsvTable
from heteroage.clock.master_table import InMemory, Part, Table, check_once, column_of, reading
from heteroage.errors import HeteroAgeError
from heteroage.files import PARQUET

if TYPE_CHECKING:
    import pyarrow.parquet as pq

FEATHER = {".feather", ".arrow"}
INDEX = "__index_level_0__"  # what pandas calls a frame's unnamed index in a file


def open_file(path: Path, wanted: Wanted) -> Table:
    """Open a table by the file's ending: Parquet, Feather, else CSV or TSV (plain or gzip).

    Raises
    ------
    HeteroAgeError
        No such file, not that format, or no column that says which sample a row is.
    """
    if not path.is_file():
        raise HeteroAgeError(f"no file {path}. Check the path; relative paths start at the working directory.")
    with reading(path):
        if path.suffix in PARQUET:
            return _orient(ParquetTable.open(path, wanted), wanted)
        if path.suffix in FEATHER:
            return _orient(FeatherTable.open(path, wanted), wanted)
        return CsvTable.open(path, wanted)


@dataclass(frozen=True)
class ParquetTable:
    """A Parquet file; a part is a row group, read some columns at a time."""

    path: Path
    file: pq.ParquetFile
    names: list[str]
    every: list[str]
    n_rows: int

    @classmethod
    def open(cls, path: Path, wanted: Wanted) -> ParquetTable:
        """Read the file's footer."""
        import pyarrow.parquet as pq

        file = pq.ParquetFile(path)
        every = file.schema_arrow.names
        return cls(path, file, wanted.among(every), every, file.metadata.num_rows)

    @property
    def where(self) -> str:
        """The path."""
        return str(self.path)

    def column(self, name: str) -> pa.Array:
        """A whole column."""
        return column_of(self.file.read(columns=[name]), name)

    def whole(self, names: Sequence[str]) -> pa.Table:
        """Some columns of all rows."""
        return self.file.read(columns=list(names))

    def parts(self, columns: Sequence[str]) -> Iterator[Part]:
        """Row groups."""
        for group in range(self.file.num_row_groups):
            if self.file.metadata.row_group(group).num_rows:

                def get(names: Sequence[str], group: int = group) -> dict[str, Cells]:
                    with reading(self.path):
                        table = self.file.read_row_group(group, columns=list(names))
                        return {name: column_of(table, name) for name in names}

                yield Part(check_ids(to_text(get(["sample_id"])["sample_id"]), self.where), get)


@dataclass(frozen=True)
class FeatherTable:
    """A Feather (Arrow IPC) file, mapped into memory; a part is a record batch."""

    path: Path
    names: list[str]
    every: list[str]
    n_rows: int | None = None

    @classmethod
    def open(cls, path: Path, wanted: Wanted) -> FeatherTable:
        """Read the schema."""
        with pa.memory_map(str(path)) as source:
            every = pa.ipc.open_file(source).schema.names
        return cls(path, wanted.among(every), every)

    @property
    def where(self) -> str:
        """The path."""
        return str(self.path)

    def _open(self, names: Sequence[str]) -> pa.ipc.RecordBatchFileReader:
        place = {name: k for k, name in enumerate(self.every)}
        options = pa.ipc.IpcReadOptions(included_fields=sorted(place[name] for name in names))
        return pa.ipc.open_file(pa.memory_map(str(self.path)), options=options)

    def column(self, name: str) -> pa.Array:
        """A whole column."""
        return column_of(self.whole([name]), name)

    def whole(self, names: Sequence[str]) -> pa.Table:
        """Some columns of all rows."""
        return self._open(names).read_all()

    def parts(self, columns: Sequence[str]) -> Iterator[Part]:
        """Record batches."""
        with reading(self.path):
            reader = self._open(list({"sample_id", *columns}))
            for k in range(reader.num_record_batches):
                batch = reader.get_batch(k)
                if batch.num_rows:
                    batch.validate(full=True)
                    ids = check_ids(to_text(column_of(batch, "sample_id")), self.where)
                    yield Part(ids, lambda names, batch=batch: {name: column_of(batch, name) for name in names})


def _orient(table: ParquetTable | FeatherTable, wanted: Wanted) -> Table:
    """The table, or its samples where CpGs stand in rows: the first column of text names CpGs."""
    if "sample_id" in table.names:
        check_once(table.names, table.where)
        return table
    text = [name for name in (INDEX, *table.every[:1]) if name in table.every and _is_text(table.column(name).type)]
    labels = to_text(table.column(text[0])) if text else []
    kept = set(wanted.among([label for label in labels if label]))
    if not kept:
        raise missing_ids([name for name in table.every if name != INDEX], table.where)
    check_once([label for label in labels if label in kept], table.where)
    rows = np.array([k for k, label in enumerate(labels) if label in kept])
    samples = [name for name in table.every if name not in (text[0], INDEX)]
    values: list[pa.Array] = []
    for start in range(0, len(samples), 64):
        part = table.whole(samples[start : start + 64])
        values += [column_of(part, name).take(pa.array(rows)) for name in samples[start : start + 64]]
    if all(_is_text(column.type) for column in values):
        cells = np.array([to_text(column) for column in values], dtype=object)
    else:
        cells = np.array([to_numbers(c, s, [labels[k] for k in rows]) for c, s in zip(values, samples, strict=True)])
    columns = {labels[k]: np.ascontiguousarray(cells[:, i]) for i, k in enumerate(rows)}
    return InMemory(table.where, {"sample_id": np.array(samples, dtype=object), **columns}, len(samples))


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
