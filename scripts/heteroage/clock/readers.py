"""Files of samples, opened for reading in parts (see `tables`): CSV, Parquet and Feather, either orientation."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import pyarrow as pa

from heteroage.clock.columns import TEXT, Cells, Wanted, check_ids, missing_ids, to_numbers, to_text
from heteroage.clock.master_table import InMemory, Part, Table, check_once, column_of
from heteroage.errors import HeteroAgeError
from heteroage.files import PARQUET
from heteroage.labels import MISSING

if TYPE_CHECKING:
    import pyarrow.parquet as pq

FEATHER = {".feather", ".arrow"}
BLOCK = 16 * 2**20  # bytes of a CSV that are parsed at a time, at least
PART_ROWS = 4096  # samples of a part of a CSV, at least
MOST_HEADER = 256 * 2**20  # bytes of a CSV's line; a longer one is no table
LOOK = 50  # first rows that say whether CpGs stand in rows
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


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Put what a reader says of a broken file into words for the user."""
    try:
        yield
    except (pa.ArrowException, OSError, EOFError, UnicodeError, ValueError, csv.Error, zlib.error) as error:
        said = " ".join(str(error).split())
        raise HeteroAgeError(
            f"cannot read {path}: {said[:300]}{'...' if len(said) > 300 else ''}. Give a whole CSV (.csv, .csv.gz, "
            ".tsv; UTF-8), Parquet (.parquet) or Feather (.feather) file."
        ) from error


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


@dataclass(frozen=True)
class CsvTable:
    """A CSV or TSV file with samples in rows; a part is some thousand rows."""

    path: Path
    names: list[str]
    delimiter: str
    block: int
    n_rows: int | None = field(default=None)

    @classmethod
    def open(cls, path: Path, wanted: Wanted) -> Table:
        """Read the first line, and some rows where it does not say which sample a row is."""
        with _lines(path) as stream:
            first = stream.readline(MOST_HEADER)
            if not first.strip():
                raise HeteroAgeError(f"{path} is empty. Give a table with a header and a row per sample.")
            if len(first) == MOST_HEADER:
                raise HeteroAgeError(f"{path} has no line end in {MOST_HEADER // 2**20} MiB: it is no CSV.")
            header = first.decode("utf-8-sig").rstrip("\r\n")
            delimiter = max(",\t;", key=header.count)
            every = _split(header, delimiter)
            if "sample_id" in every:
                names = wanted.among(every)
                check_once(names, str(path))
                return cls(path, names, delimiter, max(BLOCK, 8 * len(first)))
            return _csv_cpgs_in_rows(path, stream, every, delimiter, wanted)

    @property
    def where(self) -> str:
        """The path."""
        return str(self.path)

    def parts(self, columns: Sequence[str]) -> Iterator[Part]:
        """Blocks of rows, gathered until a part is worth its work."""
        names = [name for name in self.names if name in {"sample_id", *columns}]
        with reading(self.path):
            try:
                yield from self._parts(names, numbers_as_text=False)
            except pa.ArrowInvalid:
                self._find_text(names)
                raise

    def _parts(self, names: Sequence[str], numbers_as_text: bool) -> Iterator[Part]:
        waiting: list[pa.RecordBatch] = []
        for batch in self._batches(names, numbers_as_text):
            waiting.append(batch)
            if sum(one.num_rows for one in waiting) >= PART_ROWS:
                yield self._part(waiting)
                waiting = []
        if sum(one.num_rows for one in waiting):
            yield self._part(waiting)

    def _part(self, batches: list[pa.RecordBatch]) -> Part:
        table = pa.Table.from_batches(batches)
        ids = check_ids(to_text(column_of(table, "sample_id")), self.where)
        return Part(ids, lambda names: {name: column_of(table, name) for name in names})

    def _batches(self, names: Sequence[str], numbers_as_text: bool) -> Iterator[pa.RecordBatch]:
        import pyarrow.csv as pv

        kinds = {name: pa.string() if name in TEXT or numbers_as_text else pa.float64() for name in names}
        options = pv.ConvertOptions(
            include_columns=list(names), column_types=kinds, null_values=sorted(MISSING), strings_can_be_null=False
        )
        with pa.input_stream(str(self.path), compression="detect") as stream:
            yield from pv.open_csv(
                stream,
                read_options=pv.ReadOptions(block_size=self.block),
                parse_options=pv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True),
                convert_options=options,
            )

    def _find_text(self, names: Sequence[str]) -> None:
        """Raise for the first column that holds text where numbers belong, with the samples."""
        for part in self._parts(names, numbers_as_text=True):
            for name in names:
                if name not in TEXT:
                    to_numbers(part.get([name])[name], name, part.ids)


def _csv_cpgs_in_rows(path: Path, stream: IO[bytes], header: list[str], delimiter: str, wanted: Wanted) -> InMemory:
    """Read a CSV with CpGs in rows; rows that the clock does not use are passed by."""
    cut = delimiter.encode()
    rows: dict[str, list[str]] = {}
    for k, line in enumerate(stream):
        label = line.split(cut, 1)[0].strip(b' "\r\n').decode("utf-8", errors="replace")
        if wanted.among([label]):
            check_once([label] * (1 + (label in rows)), str(path))
            rows[label] = _split(line.decode("utf-8").rstrip("\r\n"), delimiter)[1:]
        if k == LOOK and not rows and not _is_probe(label):
            break
    if not rows:
        raise missing_ids(header, str(path))
    widths = {len(cells) for cells in rows.values()}
    # R's write.table leaves the corner out.
    samples = header if widths == {len(header)} else header[1:]
    if widths != {len(samples)}:
        raise HeteroAgeError(f"{path} has rows of different lengths ({sorted(widths)[:5]}). Mend or write it anew.")
    columns = {
        label: np.array(cells, dtype=object) if label in TEXT else to_numbers(cells, label, samples)
        for label, cells in rows.items()
    }
    return InMemory(str(path), {"sample_id": np.array(samples, dtype=object), **columns}, len(samples))


def _is_probe(label: str) -> bool:
    from heteroage.probes import PROBE, plain_name, split_modality

    return bool(PROBE.fullmatch(split_modality(plain_name(label))[0]))


def _split(line: str, delimiter: str) -> list[str]:
    if '"' not in line:
        return line.split(delimiter)
    csv.field_size_limit(MOST_HEADER)
    return next(csv.reader(io.StringIO(line), delimiter=delimiter))


@contextmanager
def _lines(path: Path) -> Iterator[IO[bytes]]:
    opened = gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # noqa: SIM115
    with opened as stream:
        yield stream
