"""CSV and TSV files of samples, plain or gzipped, read in parts (see `master_table`), either orientation."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa

from heteroage.clock.columns import TEXT, Wanted, check_ids, missing_ids, to_numbers, to_text
from heteroage.clock.master_table import InMemory, Part, Table, check_once, column_of, reading
from heteroage.errors import HeteroAgeError
from heteroage.labels import MISSING

BLOCK = 16 * 2**20  # bytes that are parsed at a time, at least
PART_ROWS = 4096  # samples of a part, at least
MOST_HEADER = 256 * 2**20  # bytes of a line; a longer one is no table
LOOK = 50  # first rows that say whether CpGs stand in rows


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
