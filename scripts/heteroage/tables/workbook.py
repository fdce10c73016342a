"""Excel workbooks, read as text."""

from __future__ import annotations

import csv
import re
import tempfile
import zipfile
from collections.abc import Collection
from io import BytesIO
from pathlib import Path

from heteroage.errors import HeteroAgeError, listed
from heteroage.labels import clean
from heteroage.tables.formats import package
from heteroage.tables.source import CUT_SHORT
from heteroage.tables.text import TextSource

# In the XML of a sheet. A formula whose value is empty text has the type "str".
MERGED = re.compile(rb'<mergeCell ref="([A-Z]+(\d+):[A-Z]+(\d+))"')
NO_VALUE = re.compile(rb'<c r="([A-Z]+\d+)"(?![^>]*t="str")[^>]*><f[^>]*(?:/>|>[^<]*</f>)(?:<v ?/>|<v></v>)?</c>')


def open_workbook(path: Path, where: str, missing_values: Collection[str]) -> TextSource:
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
    """Reject formulas that were never computed, and cells merged over several rows: openpyxl reads them as empty."""
    with zipfile.ZipFile(content) as archive:
        sheets = [archive.read(name) for name in archive.namelist() if name.startswith("xl/worksheets/")]
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
