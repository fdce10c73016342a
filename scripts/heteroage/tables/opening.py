"""Opening of tables: any kind of file, detected by its content; a pipe, standard input, or a pandas frame.

For unsupported formats, the message names the format and how to convert it. Excel workbooks are read as text.
"""

from __future__ import annotations

import csv
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from heteroage.errors import HeteroAgeError, listed
from heteroage.files import CUT_SHORT, is_coverage, is_gzip, opened
from heteroage.labels import clean
from heteroage.probes import is_probe
from heteroage.tables.formats import FrameSource, open_feather, open_h5ad, open_parquet, open_pickle, package
from heteroage.tables.layout import IsCpg
from heteroage.tables.metadata import Conventions
from heteroage.tables.source import Source
from heteroage.tables.table import Table
from heteroage.tables.text import TextSource

if TYPE_CHECKING:
    import pandas as pd

CALLS = (4, 6, 7)  # columns of Bismark's bedGraph, coverage and CpG report, which have no header
METHYLKIT = {"freqC", "numCs1"}  # columns of methylKit's calls
PARQUET, FEATHER, H5AD, XLSX, PICKLE, TEXT = "parquet", "feather", "h5ad", "xlsx", "pickle", "csv"
BINARY = {b"PAR1": PARQUET, b"ARROW1": FEATHER, b"\x89HDF\r\n\x1a\n": H5AD}
HEAD = 4096  # number of bytes that are examined
WORKSPACE = "In R: load it, then write.csv(as.data.frame(betas), 'betas.csv')."
RDS = "In R: write.csv(as.data.frame(readRDS(file)), 'betas.csv')."
MATRIX = (
    "For training, give it as inputs.geo: [{file: ...}] (config/README.md). For prediction, keep its table alone: grep "
    "-v '^!' matrix.txt > betas.tsv (zgrep if it ends in .gz)."
)
SERIES_MATRIX = "Download the series matrix and give it as inputs.geo (config/README.md)."
NO_PAGE = "The server sent a page instead: download the file again."

# Unsupported formats: first bytes, name, and what to do.
REFUSED = (
    (b"BZh", "is compressed with bzip2", "Unpack it (bunzip2), or compress it with gzip."),
    (b"\xfd7zXZ\x00", "is compressed with xz", "Unpack it (unxz), or compress it with gzip."),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd", "Unpack it (unzstd), or compress it with gzip."),
    (b"\x04\x22\x4d\x18", "is compressed with lz4", "Unpack it (unlz4), or compress it with gzip."),
    (b"\x1f\x9d", "is compressed with compress", "Unpack it (uncompress), or compress it with gzip."),
    (b"\x1f\x8b", "is gzipped twice", "Unpack it once (gunzip)."),
    (b"\xff\xff\xff\xff", "is an Arrow stream", "Write it as Feather or Parquet."),
    (b"7z\xbc\xaf\x27\x1c", "is a 7z archive", "Unpack it and give the table in it."),
    (b"Rar!", "is a rar archive", "Unpack it and give the table in it."),
    *((begins, "is an R workspace (.rda, .RData)", WORKSPACE) for begins in (b"RDX", b"RDA")),
    *((begins, "is an R object (.rds)", RDS) for begins in (b"X\n\x00\x00", b"A\n2\n", b"A\n3\n")),
    (b"IDAT", "is an IDAT file: raw intensities", "Compute beta values (minfi, SeSAMe, methylprep) and give those."),
    (b"\xd0\xcf\x11\xe0", "is an old Excel workbook (.xls)", "Save the sheet as CSV or .xlsx."),
    (b"FEA1", "is Feather version 1", "Write it as Parquet, or as Feather version 2."),
    (b"%PDF", "is a PDF", "Give the table in it as CSV."),
    (b"\x93NUMPY", "is a NumPy array, without names of samples and CpGs", "Give CSV or Parquet with both."),
    (b"BAM\x01", "is a BAM file: aligned reads", "Call methylation first (Bismark) and give a table of it."),
    (b"SQLite format 3\x00", "is a SQLite database", "Export the table as CSV."),
    (b"!series_", "is a GEO series matrix", MATRIX),
    (b"!sample_", "is a GEO series matrix", MATRIX),
    *((b"^" + what, "is a GEO SOFT file", SERIES_MATRIX) for what in (b"series", b"database", b"platform", b"sample")),
    *((b"<" + what, "is a web page, not a table", NO_PAGE) for what in (b"!", b"html", b"head", b"body", b"script")),
    (b"<?xml", "is XML, not a table", "Export the table as CSV."),
    (b"##fileformat=vcf", "is a VCF file: genotypes", "Give a table of methylation."),
    (b"/annex/objects/", "is a git-annex pointer, not the file", "Fetch the file itself: git annex get."),
    (b"version https://git-lfs", "is a Git LFS pointer, not the file", "Fetch the file itself: git lfs pull."),
)
# In the XML of an Excel sheet. A formula whose value is empty text has the type "str".
MERGED = re.compile(rb'<mergeCell ref="([A-Z]+(\d+):[A-Z]+(\d+))"')
NO_VALUE = re.compile(rb'<c r="([A-Z]+\d+)"(?![^>]*t="str")[^>]*><f[^>]*(?:/>|>[^<]*</f>)(?:<v ?/>|<v></v>)?</c>')


def open_source(path: str | Path, where: str, missing_values: Sequence[str] = (), allow_pickle: bool = False) -> Source:
    """Open a file by its content; `-` is standard input.

    Standard input and pipes are copied to a temporary file; gzipped files that are not text are unpacked to one.

    where : name of the file in messages
    missing_values : additional codes for missing values
    Raises HeteroAgeError: a file that cannot be read as a table.
    """
    path, copies = Path(path), []
    if is_coverage(path):
        raise _calls(where)
    if str(path) == "-":
        copies.append(_copied(sys.stdin.buffer))
    elif path.exists() and not (path.is_file() or path.is_dir()):
        with path.open("rb") as pipe:
            copies.append(_copied(pipe))
    path = Path(copies[0].name) if copies else path
    kind = _kind_of(path, where)
    if kind != TEXT and is_gzip(path):
        with opened(path, where) as stream:
            copies.append(_copied(stream))
        path = Path(copies[-1].name)
    source: Source
    if kind == TEXT:
        source = TextSource(path, where, missing_values)
        header = source.header
        if (len(header) in CALLS and is_probe(":".join(header[:2]))) or not METHYLKIT.isdisjoint(header):
            raise _calls(where)
    elif kind == XLSX:
        source = _open_workbook(path, where, missing_values)
    elif kind == PICKLE:
        source = open_pickle(path, where, allow_pickle)
    else:
        source = {PARQUET: open_parquet, FEATHER: open_feather, H5AD: open_h5ad}[kind](path, where)
    source.keep += copies
    return source


def from_frame(
    frame: pd.DataFrame, is_cpg: IsCpg, conventions: Conventions | None = None, where: str = "the table"
) -> Table:
    """Find samples and CpGs in a pandas frame."""
    return Table(FrameSource(frame, where), is_cpg, conventions or Conventions())


def _kind_of(path: Path, where: str) -> str:
    """Return a table's kind by its first bytes, also inside gzip."""
    with opened(path, where) as stream:
        head = stream.read(HEAD)
    if not head:
        raise HeteroAgeError(f"{where} is empty. Check how it was written.")
    if kind := next((kind for begins, kind in BINARY.items() if head.startswith(begins)), ""):
        return kind
    if head.startswith(b"PK\x03\x04"):
        if _is_workbook(path):
            return XLSX
        raise _refusal(where, "is a zip archive", "Unpack it and give the table in it, or compress it with gzip.")
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        return PICKLE
    if head[257:262] == b"ustar":
        raise _refusal(where, "is a tar archive", "Unpack it and give the table in it.")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for begins, what, advice in REFUSED:
        if head.startswith(begins) or (begins.islower() and text.startswith(begins)):
            raise _refusal(where, what, advice)
    if head[:1] in b"{" or text.startswith((b"[{", b"[[")):
        raise _refusal(where, "is JSON, not a table", "Give CSV or Parquet.")
    return TEXT


def _is_workbook(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.startswith("xl/") for name in archive.namelist())
    except (zipfile.BadZipFile, OSError):
        return False


def _copied(stream: BinaryIO) -> BinaryIO:
    copy = tempfile.NamedTemporaryFile()  # noqa: SIM115, lives as long as its table
    shutil.copyfileobj(stream, copy, 1 << 20)
    copy.flush()
    return copy


def _refusal(where: str, what: str, advice: str) -> HeteroAgeError:
    return HeteroAgeError(
        f"{where} {what}. {advice} Tables are CSV or TSV (also gzip), Parquet, Feather, .h5ad or .xlsx."
    )


def _calls(where: str) -> HeteroAgeError:
    return HeteroAgeError(
        f"{where} contains methylation calls of Bismark or methylKit. Give Bismark's coverage files, whose names "
        'end in .cov or .cov.gz. In the config, name them by a pattern: {file: "data/*.cov.gz", least_coverage: 5}.'
    )


def _open_workbook(path: Path, where: str, missing_values: Sequence[str]) -> TextSource:
    """Open the sheet with a table of an Excel workbook, as text. (Sheets have at most a million rows.)"""
    problem = f"{where} is an Excel workbook, and"
    openpyxl = package("openpyxl", problem, "'heteroage-clock[xlsx]', or save the sheet as CSV.")
    try:
        content = BytesIO(path.read_bytes())  # a stream, because openpyxl rejects unknown file extensions
        _check_cells(content, where)
        book = openpyxl.load_workbook(content, read_only=True, data_only=True)
        sheets = {sheet.title: [list(map(_text, row)) for row in sheet.values] for sheet in book.worksheets}
        book.close()
    except HeteroAgeError:
        raise
    except Exception as error:  # any error of openpyxl for a damaged file
        raise HeteroAgeError(f"cannot read {where} as an Excel workbook: {error!r}. {CUT_SHORT}") from error
    filled = {title: rows for title, rows in sheets.items() if sum(map(any, rows)) > 1}
    if not filled:
        raise HeteroAgeError(f"{where} has no sheet with a table (sheets: {listed(sheets)}). Check the file.")
    if len(filled) > 1:
        raise HeteroAgeError(f"{where} has several sheets with tables ({listed(filled)}). Save one of them as CSV.")
    (rows,) = filled.values()
    width = max(map(len, rows))
    copy = tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="")  # noqa: SIM115, lives as long as the source
    writer = csv.writer(copy, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([*row, *[""] * (width - len(row))] for row in rows)
    copy.flush()
    source = TextSource(Path(copy.name), where, missing_values)
    source.kind = "xlsx"
    source.keep.append(copy)
    return source


def _check_cells(content: BytesIO, where: str) -> None:
    """Reject formulas never computed and cells merged over rows, which openpyxl reads as empty, and empty charts."""
    with zipfile.ZipFile(content) as archive:
        names = archive.namelist()
        sheets = [archive.read(name) for name in names if name.startswith("xl/worksheets/")]
    charts = [Path(name).name for name in names if re.fullmatch(r"xl/chartsheets/[^/]+\.xml", name)]
    if empty := [name for name in charts if f"xl/chartsheets/_rels/{name}.rels" not in names]:  # openpyxl fails
        raise HeteroAgeError(
            f"{where} has {len(empty)} chart sheet{'s' * (len(empty) > 1)} without a chart. Delete empty chart sheets, "
            "or save the table as CSV."
        )
    merged = [found[1].decode() for sheet in sheets for found in MERGED.finditer(sheet) if found[2] != found[3]]
    formulas = [found[1].decode() for sheet in sheets for found in NO_VALUE.finditer(sheet)]
    if merged:
        raise HeteroAgeError(
            f"{where} has cells merged over several rows ({listed(merged)}). Unmerge them and fill each cell."
        )
    if formulas:
        raise HeteroAgeError(
            f"{where} has formulas without values ({listed(formulas)}). Open and save it in Excel or LibreOffice, or "
            "give the values."
        )


def _text(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return "" if cell is None else clean(str(cell))
