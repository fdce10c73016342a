"""Series matrices of the Gene Expression Omnibus (GEO): samples and their characteristics, and values as a stream.

GEOparse reads SOFT files, completely into memory, and cannot read series matrices. A series of a thousand 450K arrays
has 2 GB compressed. So this module reads the header lines itself, and the values with Arrow, block by block.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from heteroage.errors import HeteroAgeError, listed
from heteroage.files import atomic_path
from heteroage.tables.source import ahead

ACCESSION = re.compile(r"(GSE\d+)(-GPL\d+)?")
BLOCK = 16 << 20  # bytes of text per Arrow block
GROUP = 1 << 23  # number of values per row group: 32 MB
MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]
BEGIN, END = "!series_matrix_table_begin", "!series_matrix_table_end"


def matrix_url(base_url: str, series: str) -> str:
    """Return the URL of the series matrix of `GSE40279`, or of one platform, `GSE41037-GPL8490`."""
    accession = ACCESSION.fullmatch(series)[1]
    folder = f"{accession[:-3] if len(accession) > 6 else 'GSE'}nnn"
    return f"{base_url.rstrip('/')}/{folder}/{accession}/matrix/{series}_series_matrix.txt.gz"


def read_samples(path: str | Path) -> dict[str, list[str]]:
    """Read the sample lines of a series matrix. Quoted values may contain line breaks.

    Returns
    -------
    {name of the line without `!Sample_`: one value per sample}; repeated names (characteristics) are numbered:
    `characteristics_ch1 2`, and so on

    Raises
    ------
    HeteroAgeError
        Not a series matrix; the number of values in a line differs from the number of samples.
    """
    lines: dict[str, list[str]] = {}
    with _open(path) as stream:
        for line in _whole_lines(_head(stream, path)):
            if line.startswith("!Sample_") and line != "!Sample_":
                name, *values = next(csv.reader([line.removeprefix("!Sample_")], delimiter="\t", strict=False))
                count = sum(other == name or other.startswith(f"{name} ") for other in lines)
                lines[f"{name} {count + 1}" if count else name] = [" ".join(value.split()) for value in values]
    if not lines.get("geo_accession"):
        raise HeteroAgeError(f"{path} is not a series matrix: it has no line !Sample_geo_accession. Check the file.")
    n = len(lines["geo_accession"])
    used = ("characteristics_ch1", "source_name_ch1")
    odd = [
        f"!Sample_{name.split(' ')[0]} has {len(v)}"
        for name, v in lines.items()
        if name.startswith(used) and len(v) != n
    ]
    if odd:
        raise HeteroAgeError(
            f"{path} has {n} samples, and lines with another number of values ({listed(odd)}): nobody can tell whose "
            "they are. Download the file again, or correct these lines."
        )
    return lines


def _whole_lines(lines: Iterator[str]) -> Iterator[str]:
    """Join sample lines that were split by line breaks within quotes."""
    waiting = ""
    for line in lines:
        if waiting and line.startswith("!"):
            yield waiting
            waiting = ""
        if waiting or (line.startswith("!Sample_") and line.count('"') % 2):
            waiting = f"{waiting} {line}" if waiting else line
            if waiting.count('"') % 2 == 0:
                yield waiting
                waiting = ""
        else:
            yield line
    if waiting:
        yield waiting


def write_values(path: str | Path, table: str | Path) -> tuple[int, int]:
    """Copy a series matrix' values to a Parquet table, CpGs in rows (`cpg`, then a float32 column per sample).

    The file is read in one pass, with a few blocks in memory.

    Returns
    -------
    numbers of CpGs and of samples

    Raises
    ------
    HeteroAgeError
        No values, text among them, or a file that ends early.
    """
    with _open(path) as stream:
        for _ in _head(stream, path):
            pass
        header = next(csv.reader([stream.readline().decode("utf-8")], delimiter="\t"), [])
        if len(header) < 2:
            raise HeteroAgeError(f"{path} has no table of values. Check the file.")
        columns = ["cpg", *(name.strip() for name in header[1:])]
        schema = pa.schema([("cpg", pa.string()), *((name, pa.float32()) for name in columns[1:])])
        count = 0
        with atomic_path(table) as beside, pq.ParquetWriter(beside, schema, use_dictionary=False) as writer:
            for group in _groups(_blocks(stream, columns, schema, path), max(1, GROUP // len(columns))):
                writer.write_table(group)
                count += len(group)
            if not count:
                raise HeteroAgeError(
                    f"{path} has samples and no values: the series' authors left them in supplementary files. Download "
                    "those and give them as inputs.beta."
                )
    return count, len(columns) - 1


@contextmanager
def _open(path: str | Path) -> Iterator[BinaryIO]:
    try:
        with Path(path).open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if packed else Path(path).open("rb") as stream:
            yield stream
    except (FileNotFoundError, IsADirectoryError) as error:
        raise HeteroAgeError(f"no file {path}. Check the path.") from error
    except (EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError) as error:
        raise HeteroAgeError(f"cannot read {path}: {error}. Remove it and run again.") from error


def _head(stream: BinaryIO, path: str | Path) -> Iterator[str]:
    """Yield the lines above the table of values."""
    for line in stream:
        text = line.decode("utf-8", errors="replace").rstrip("\r\n")
        if text == BEGIN:
            return
        yield text
    raise HeteroAgeError(f"{path} is not a series matrix: it has no line {BEGIN}. Check the file.")


def _blocks(stream: BinaryIO, columns: Sequence[str], schema: pa.Schema, path: str | Path) -> Iterator[pa.RecordBatch]:
    """Parse the table of values block by block, to its end."""
    reading = pa.csv.ReadOptions(column_names=list(columns), block_size=BLOCK, use_threads=False)
    parsing = pa.csv.ParseOptions(delimiter="\t")
    converting = pa.csv.ConvertOptions(column_types=schema, null_values=MISSING, strings_can_be_null=False)
    rest, count, ended = b"", 0, False
    for text in ahead(chain(iter(partial(stream.read, BLOCK), b""), [b"\n"])):
        if ended:
            continue  # read to the end of the file, to verify its checksum
        lines, newline, rest = (rest + text).rpartition(b"\n")
        lines, end, _ = (lines + newline).partition(END.encode())
        ended = bool(end)
        if not lines.strip():
            continue
        # Copy into Arrow's own memory. Its threads may release their input only at interpreter exit, and releasing a
        # Python object then aborts the process (https://github.com/apache/arrow/issues/34314).
        buffer = pa.allocate_buffer(len(lines))
        memoryview(buffer).cast("B")[:] = lines
        try:
            table = pa.csv.read_csv(pa.BufferReader(buffer), reading, parsing, converting)
        except pa.ArrowInvalid as error:
            raise HeteroAgeError(f"cannot read the values of {path}: {error}. Check the file.") from error
        count += len(table)
        yield from table.to_batches()
    if not ended:
        raise HeteroAgeError(f"{path} ends early: {count} rows and no {END}. Remove it and run again.")


def _groups(blocks: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Join blocks to tables of at least `rows` rows (the last may be shorter)."""
    waiting: list[pa.RecordBatch] = []
    for block in blocks:
        waiting.append(block)
        if sum(map(len, waiting)) >= rows:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)
