"""Series matrices of the Gene Expression Omnibus (GEO): samples and their characteristics, and values as a stream.

GEOparse, which its field uses, reads SOFT files, whole and into memory, and no series matrices; a series of a thousand
450K arrays is 2 GB compressed. So the few lines of the format are read here, and the values by Arrow, block by block.
"""

from __future__ import annotations

import csv
import gzip
import logging
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from heteroage.errors import HeteroAgeError, listed
from heteroage.files import atomic_path
from heteroage.tables.source import ahead

log = logging.getLogger(__name__)

ACCESSION = re.compile(r"(GSE\d+)(-GPL\d+)?")
BLOCK = 16 << 20  # bytes of text that Arrow takes at a time
GROUP = 1 << 23  # values of a row group: 32 MB
MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]
BEGIN, END = "!series_matrix_table_begin", "!series_matrix_table_end"
# Of characteristics: what stands for "not known".
UNKNOWN = {
    "",
    "na",
    "n/a",
    "nan",
    "none",
    "null",
    "unknown",
    "not available",
    "not applicable",
    "missing",
    "-",
    "--",
    ".",
}
YEARS = {"": 1.0, "y": 1.0, "mo": 1 / 12, "w": 7 / 365.25, "d": 1 / 365.25}
AGE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*-?\s*([a-z]*)\.?(?:\s*old)?")
UNITS = {
    **dict.fromkeys(("", "y", "yr", "yrs", "year", "years", "yo"), "y"),
    **dict.fromkeys(("m", "mo", "mos", "mth", "month", "months"), "mo"),
    **dict.fromkeys(("w", "wk", "wks", "week", "weeks"), "w"),
    **dict.fromkeys(("d", "day", "days"), "d"),
}
METADATA = ("Age", "Sex", "Tissue", "Is_Healthy", "donor_id")


@dataclass(frozen=True)
class Mapped:
    """How a series' characteristics become metadata.

    characteristics : {ours: names of characteristics that may hold it, the first that a sample has counts}
    healthy : values of Is_Healthy's characteristic that mean true; any other means false
    given : {ours: one value for all samples}, for what the series does not say
    """

    characteristics: Mapping[str, Sequence[str]]
    healthy: Sequence[str]
    given: Mapping[str, object] = field(default_factory=dict)


def matrix_url(base_url: str, series: str) -> str:
    """Where GEO keeps the series matrix of `GSE40279`, or of one platform, `GSE41037-GPL8490`."""
    accession = ACCESSION.fullmatch(series)[1]
    folder = f"{accession[:-3] if len(accession) > 6 else 'GSE'}nnn"
    return f"{base_url.rstrip('/')}/{folder}/{accession}/matrix/{series}_series_matrix.txt.gz"


def read_samples(path: str | Path) -> dict[str, list[str]]:
    """Read a series matrix' lines on samples.

    Returns
    -------
    {line's name without `!Sample_`: a value per sample}; of names that come several times (characteristics), the
    second is called `characteristics_ch1 2`, and so on
    """
    lines: dict[str, list[str]] = {}
    with _open(path) as stream:
        for line in _head(stream, path):
            if line.startswith("!Sample_") and line != "!Sample_":
                name, *values = next(csv.reader([line.removeprefix("!Sample_")], delimiter="\t"))
                count = sum(other == name or other.startswith(f"{name} ") for other in lines)
                lines[f"{name} {count + 1}" if count else name] = [value.strip() for value in values]
    if not lines.get("geo_accession"):
        raise HeteroAgeError(f"{path} is no series matrix: it has no line !Sample_geo_accession. Check the file.")
    return lines


def map_samples(lines: Mapping[str, Sequence[str]], series: str, how: Mapped) -> pd.DataFrame:
    """Turn characteristics (`age: 67`, `gender: F`) into a sample sheet.

    Tissue is the sample's source name where no characteristic has it. Ages with a unit (`3 months`, or of a
    characteristic `age (months)`) become years. What stands for "not known" is left empty.

    Returns
    -------
    frame of `sample_id`, `project_id` (the series, without a platform), and METADATA as far as known

    Raises
    ------
    HeteroAgeError
        No characteristic for Age or Is_Healthy, and no value given for all.
    """
    ids = lines["geo_accession"]
    cells = [{} for _ in ids]
    for name, values in lines.items():
        if name.split(" ")[0] == "characteristics_ch1":
            for cell, value in zip(cells, values, strict=False):
                key, colon, text = value.partition(":")
                if colon:
                    cell.setdefault(_plain(key), (key.strip(), text.strip()))
    known = list(dict.fromkeys(label for cell in cells for label, _ in cell.values()))
    sheet = pd.DataFrame({"sample_id": ids, "project_id": ACCESSION.fullmatch(series)[1]})
    for ours in METADATA:
        wanted = [_plain(name) for name in how.characteristics.get(ours, ())]
        found = [next((cell[name] for name in wanted if name in cell), ("", "")) for cell in cells]
        texts = ["" if _plain(text) in UNKNOWN else text for _, text in found]
        if ours in how.given:
            sheet[ours] = how.given[ours]
        elif any(label for label, _ in found):
            sheet[ours] = _converted(ours, texts, [label for label, _ in found], ids, series, how.healthy)
        elif ours == "Tissue":
            sheet[ours] = list(lines.get("source_name_ch1", [""] * len(ids)))
        elif ours in ("Age", "Is_Healthy"):
            raise HeteroAgeError(
                f"{series} has no characteristic for {ours} (it has {listed(known)}; looked for {listed(wanted)}). Add "
                f"its name to geo.characteristics.{ours}, or one value for all samples to geo.series.{series}.{ours}."
            )
    return sheet


def write_values(path: str | Path, table: str | Path) -> tuple[int, int]:
    """Copy a series matrix' values to a Parquet table, CpGs in rows (`cpg`, then a float32 column per sample).

    Goes through the file once, with a few blocks in memory, however large it is.

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


def _converted(
    ours: str, texts: list[str], labels: list[str], ids: Sequence[str], series: str, healthy: Sequence[str]
) -> list[object]:
    if ours == "Age":
        ages = [parse_age(text, label) for text, label in zip(texts, labels, strict=True)]
        strange = [f"{t!r} of {i}" for t, a, i in zip(texts, ages, ids, strict=True) if t and a is None]
        if strange:
            log.warning("%s: ages that cannot be read are left empty (%s)", series, listed(strange))
        return ages
    if ours == "Is_Healthy":
        means_true = {_plain(value) for value in healthy}
        return [None if not text else _plain(text) in means_true for text in texts]
    return texts


def parse_age(text: str, label: str = "") -> float | None:
    """Return an age in years: `67`, `67 years`, `3 months`, or `3` of a characteristic labelled `age (months)`."""
    found = AGE.fullmatch(text.strip().lower())
    if not found:
        return None
    inside = re.search(r"\(([a-z]+)\)", label.lower())
    unit = UNITS.get(found[2] or (inside[1] if inside and inside[1] in UNITS else ""))
    return None if unit is None else round(float(found[1]) * YEARS[unit], 6)


def _plain(text: str) -> str:
    return " ".join(text.lower().split())


@contextmanager
def _open(path: str | Path) -> Iterator[BinaryIO]:
    try:
        with gzip.open(path, "rb") as stream:
            yield stream
    except (EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError) as error:
        raise HeteroAgeError(f"cannot read {path}: {error}. Remove it and run again.") from error


def _head(stream: BinaryIO, path: str | Path) -> Iterator[str]:
    """Go through the lines above the table of values."""
    for line in stream:
        text = line.decode("utf-8", errors="replace").rstrip("\r\n")
        if text == BEGIN:
            return
        yield text
    raise HeteroAgeError(f"{path} is no series matrix: it has no line {BEGIN}. Check the file.")


def _blocks(stream: BinaryIO, columns: Sequence[str], schema: pa.Schema, path: str | Path) -> Iterator[pa.RecordBatch]:
    """Parse the table of values block by block, to its end."""
    conventions = pa.csv.ReadOptions(column_names=list(columns), block_size=BLOCK, use_threads=False)
    parsing = pa.csv.ParseOptions(delimiter="\t")
    converting = pa.csv.ConvertOptions(column_types=schema, null_values=MISSING, strings_can_be_null=False)
    rest, count, ended = b"", 0, False
    for text in ahead(chain(iter(partial(stream.read, BLOCK), b""), [b"\n"])):
        if ended:
            continue  # to the end of the file, for its checksum
        lines, newline, rest = (rest + text).rpartition(b"\n")
        lines, end, _ = (lines + newline).partition(END.encode())
        ended = bool(end)
        if not lines.strip():
            continue
        # A copy in memory of Arrow's own: its threads may let go of what they read only while Python is ending, and a
        # Python object that they hold then makes the process abort (https://github.com/apache/arrow/issues/34314).
        buffer = pa.allocate_buffer(len(lines))
        memoryview(buffer).cast("B")[:] = lines
        try:
            table = pa.csv.read_csv(pa.BufferReader(buffer), conventions, parsing, converting)
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
