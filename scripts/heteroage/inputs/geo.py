"""Series matrices of the Gene Expression Omnibus (GEO): characteristics become metadata, values a Parquet table.

GEOparse reads SOFT files, completely into memory, and cannot read series matrices. A series of a thousand 450K arrays
has 2 GB compressed. So this module reads the header lines itself; the values are read as any other text.
"""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from heteroage.errors import HeteroAgeError, listed
from heteroage.files import atomic_path, opened
from heteroage.labels import is_missing
from heteroage.tables.ages import OUTSIDE, PRENATAL_AGE, UNREADABLE, is_age, is_prenatal, read_ages
from heteroage.tables.metadata import words_of
from heteroage.tables.source import BadCells
from heteroage.tables.text import TextSource

log = logging.getLogger(__name__)

GROUP = 1 << 23  # number of values per row group: 32 MB
METADATA = ("Age", "Sex", "Tissue", "Is_Healthy", "donor_id")
BEGIN, END = "!series_matrix_table_begin", "!series_matrix_table_end"


def read_samples(path: str | Path) -> dict[str, list[str]]:
    """Read the sample lines of a series matrix. Quoted values may contain line breaks.

    Returns {name of the line without `!Sample_`: one value per sample}; repeated names are numbered:
    `characteristics_ch1 2`.
    Raises HeteroAgeError: not a series matrix; the number of values in a line differs from the number of samples.
    """
    lines: dict[str, list[str]] = {}
    with opened(Path(path), str(path)) as stream:
        for line in re.split(r"\n(?=!)", "\n".join(_head(stream, path))):
            if line.startswith("!Sample_") and line != "!Sample_":
                first = line.partition("\n")[0]
                line = first if first.count('"') % 2 == 0 else line.replace("\n", " ")
                name, *values = next(csv.reader([line.removeprefix("!Sample_")], delimiter="\t", strict=False))
                count = sum(other == name or other.startswith(f"{name} ") for other in lines)
                lines[f"{name} {count + 1}" if count else name] = [" ".join(value.split()) for value in values]
    if not lines.get("geo_accession"):
        raise HeteroAgeError(f"{path} is not a series matrix: it has no line !Sample_geo_accession. Check the file.")
    n = len(lines["geo_accession"])
    used = ("characteristics_ch1", "source_name_ch1")
    odd = [(name.split(" ")[0], len(v)) for name, v in lines.items() if name.startswith(used) and len(v) != n]
    if odd:
        shown = listed(f"!Sample_{name} has {count}" for name, count in odd)
        raise HeteroAgeError(
            f"{path} has {n} samples, and lines with another number of values ({shown}), which cannot be "
            "assigned. Download the file again, or correct these lines."
        )
    return lines


@dataclass(frozen=True)
class Mapped:
    """Options for the conversion of a series' characteristics to metadata.

    characteristics : {our column: names of characteristics}; the first that a sample has is used
    healthy : values of the Is_Healthy characteristic that mean true; all others mean false
    given : {our column: one value for all samples}, for columns that the series does not contain
    age_unit : unit of ages without a unit; takes precedence over the unit in the characteristic's name
    missing_values, allow_prenatal : as in the config's `inputs`
    """

    characteristics: Mapping[str, Sequence[str]]
    healthy: Sequence[str]
    given: Mapping[str, object] = field(default_factory=dict)
    age_unit: str | None = None
    missing_values: Sequence[str] = ()
    allow_prenatal: bool = False


def map_samples(lines: Mapping[str, Sequence[str]], series: str, how: Mapped) -> pd.DataFrame:
    """Convert characteristics (`age: 67`, `gender: F`) to a sample sheet.

    Without a characteristic, Tissue is the sample's source name. Ages in other units (`3 months`, or in a
    characteristic `age_months`) are converted to years. Codes for missing values become empty.

    Returns a frame of `sample_id`, `project_id` (the series, without the platform), and the known METADATA columns.
    Raises HeteroAgeError: no characteristic for Age or Is_Healthy, and no value given for all; ages of which most
    cannot be read; gestational ages that the config does not allow.
    """
    ids = lines["geo_accession"]
    cells: list[dict[str, tuple[str, str]]] = [{} for _ in ids]
    for name, values in lines.items():
        if name.split(" ")[0] == "characteristics_ch1":
            for cell, value in zip(cells, values, strict=True):
                label, colon, text = value.partition(":")
                if colon:
                    cell.setdefault(_key(label), (label.strip(), text.strip()))
    sheet = pd.DataFrame({"sample_id": ids, "project_id": series.partition("-")[0]})
    for ours in METADATA:
        wanted = how.characteristics.get(ours, ())
        found = [_first(cell, ours, wanted) for cell in cells]
        if ours in how.given:
            sheet[ours] = how.given[ours]
        elif any(label for label, _ in found):
            sheet[ours] = _ages(found, ids, series, how) if ours == "Age" else _words(found, ours, how)
        elif ours == "Tissue":
            sheet[ours] = list(lines.get("source_name_ch1", [""] * len(ids)))
        elif ours in ("Age", "Is_Healthy"):
            known = dict.fromkeys(label for cell in cells for label, _ in cell.values())
            raise HeteroAgeError(
                f"{series} has no characteristic for {ours} (it has {listed(known)}; looked for {listed(wanted)}). Add "
                f"its name to geo.characteristics.{ours}, or one value for all samples to geo.series.{series}.{ours}."
            )
    return sheet


def _first(cell: Mapping[str, tuple[str, str]], ours: str, wanted: Sequence[str]) -> tuple[str, str]:
    """Return a sample's characteristic (label, text): the first of the wanted names; for Age also names with a unit."""
    found = [cell[_key(name)] for name in wanted if _key(name) in cell]
    if ours == "Age" and any(map(is_age, wanted)):
        found += [own for own in cell.values() if is_age(own[0])]
    return found[0] if found else ("", "")


def _words(found: Sequence[tuple[str, str]], ours: str, how: Mapped) -> list[object]:
    """Return texts, empty if missing; for Is_Healthy true, false or None."""
    texts = ["" if is_missing(text, how.missing_values) else text for _, text in found]
    if ours != "Is_Healthy":
        return texts
    means_true = {_key(word) for value in how.healthy for word in words_of(value)}
    # The config's words take precedence over codes for missing values, because a disease may be `none`.
    return [
        True if label and _key(raw) in means_true else None if not text else False
        for (label, raw), text in zip(found, texts, strict=True)
    ]


def _ages(found: Sequence[tuple[str, str]], ids: Sequence[str], series: str, how: Mapped) -> list[object]:
    """Convert ages to years. A small number of unreadable ages is set to missing and listed in the log."""
    ages: list[object] = [None] * len(ids)
    problems: dict[str, list[str]] = {UNREADABLE: [], PRENATAL_AGE: [], OUTSIDE: []}
    labels = list(dict.fromkeys(label for label, _ in found if label))
    for label in labels:
        rows = [k for k, (own, _) in enumerate(found) if own == label]
        unit = None if is_prenatal(label) else how.age_unit
        read = read_ages([found[k][1] for k in rows], label, unit, how.allow_prenatal, how.missing_values)
        for k, (age, problem) in zip(rows, read, strict=True):
            ages[k] = age
            if problem:
                problems[problem].append(f"{found[k][1]!r} of {ids[k]}")
    most, prenatal = sum(not is_missing(text, how.missing_values) for _, text in found) / 2, problems[PRENATAL_AGE]
    if (any(map(is_prenatal, labels)) and prenatal) or len(prenatal) > most:
        raise HeteroAgeError(
            f"{series} has ages from before birth, under {listed(labels)} ({listed(prenatal)}). Set "
            "inputs.allow_prenatal: true to take them as ages below 0, or name another characteristic in "
            "geo.characteristics.Age."
        )
    strange = list(chain.from_iterable(problems.values()))
    if len(strange) > most:
        raise HeteroAgeError(
            f"{series} has ages that cannot be read, under {listed(labels)} ({listed(strange)}). Name another "
            f"characteristic in geo.characteristics.Age, or the unit in geo.series.{series}.age_unit."
        )
    if strange:
        log.warning("%s: ages that cannot be used are left empty (%s)", series, listed(strange))
    return ages


def _key(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+|[^\w\s]", text.casefold())).strip(". ")


def write_values(path: str | Path, table: str | Path) -> tuple[int, int]:
    """Copy a series matrix' values to a Parquet table, CpGs in rows (`cpg`, then a float32 column per sample).

    Returns the numbers of CpGs and of samples.
    Raises HeteroAgeError: no values, text among them, or a file that ends early.
    """
    with opened(Path(path), str(path)) as stream:
        lines = len(list(_head(stream, path))) + 1
        begin = stream.tell(), lines
    source = TextSource(Path(path), str(path), begin=begin, end=END.encode())
    samples = range(1, len(source.header))
    if not samples:
        raise HeteroAgeError(f"{path} has no table of values. Check the file.")
    schema = pa.schema([("cpg", pa.string()), *((source.header[k], pa.float32()) for k in samples)])
    waiting: list[pa.RecordBatch] = []
    with atomic_path(table) as beside, pq.ParquetWriter(beside, schema, use_dictionary=False) as writer:
        for batch in source.batches([0], samples):
            bad = BadCells()
            values = np.ascontiguousarray(batch.numbers(samples, bad).T, np.float32)
            if bad.total:
                cells = listed((f"{text!r} of {source.header[k + 1]}" for _, k, text in bad.first), bad.total)
                raise HeteroAgeError(f"cannot read the values of {source.where}: text ({cells}). Check the file.")
            waiting.append(pa.RecordBatch.from_arrays([*batch.arrays([0]), *map(pa.array, values)], schema=schema))
            if sum(map(len, waiting)) >= GROUP // len(schema):
                writer.write_table(pa.Table.from_batches(waiting))
                waiting = []
        if waiting:
            writer.write_table(pa.Table.from_batches(waiting))
        if not source.ended:
            raise HeteroAgeError(f"{path} ends early: {source.n_rows} rows and no {END}. Remove it and run again.")
        if not source.n_rows:
            raise HeteroAgeError(
                f"{path} has samples and no values: the series' authors left them in supplementary files. Download "
                "those and give them as inputs.beta."
            )
    return source.n_rows, len(samples)


def _head(stream: BinaryIO, path: str | Path) -> Iterator[str]:
    """Yield the lines above the table of values."""
    for line in stream:
        text = line.decode("utf-8", errors="replace").rstrip("\r\n")
        if text == BEGIN:
            return
        yield text
    raise HeteroAgeError(f"{path} is not a series matrix: it has no line {BEGIN}. Check the file.")
