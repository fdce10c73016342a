"""Opening of tables and sample sheets: any kind of file, a pipe, standard input, or a pandas frame."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from heteroage.errors import HeteroAgeError, listed
from heteroage.probes import is_probe
from heteroage.tables import kinds
from heteroage.tables.layout import DETECT, UNNAMED, IsCpg, find_layout, no_ids, no_rows
from heteroage.tables.metadata import Conventions, column_key, find_columns, names, sample_ids
from heteroage.tables.source import Source
from heteroage.tables.table import Table

if TYPE_CHECKING:
    import pandas as pd

CALLS = (4, 6, 7)  # columns of Bismark's bedGraph, coverage and CpG report, which have no header
SLIDES = ("sentrix_id", "sentrixbarcode_a", "sentrix_barcode", "slide", "beadchip")
POSITIONS = ("sentrix_position", "sentrixposition_a", "array")
Cells = Sequence[str | None]


@dataclass(frozen=True)
class Sheet:
    """A sample sheet: a table with only metadata, one row per sample.

    columns : {our name: (the sheet's name, its cells as text)}
    named : whether the column of ids was found by its name
    left_out : the other columns
    """

    source: Source
    ids: list[str]
    columns: dict[str, tuple[str, list[str | None]]]
    named: bool
    left_out: list[str]

    @property
    def where(self) -> str:
        """Name of the sheet in messages."""
        return self.source.where


def open_source(path: str | Path, where: str, missing_values: Sequence[str] = (), allow_pickle: bool = False) -> Source:
    """Open a file by its content; `-` is standard input.

    where : name of the file in messages
    missing_values : additional codes for missing values
    Raises HeteroAgeError: a file that cannot be read as a table.
    """
    if str(path).endswith((".cov", ".cov.gz")):
        raise _calls(where)
    kind, path, keep = kinds.readable(path, where)
    if kind == kinds.TEXT:
        from heteroage.tables.text import TextSource

        source: Source = TextSource(path, where, missing_values)
        if len(source.header) in CALLS and is_probe(":".join(source.header[:2])):
            raise _calls(where)
    else:
        from heteroage.tables import formats

        if kind == kinds.XLSX:
            source = formats.open_workbook(path, where, missing_values)
        elif kind == kinds.PICKLE:
            source = formats.open_pickle(path, where, allow_pickle)
        else:
            opened = {kinds.PARQUET: formats.ParquetSource, kinds.FEATHER: formats.FeatherSource}
            source = opened.get(kind, formats.open_h5ad)(path, where)
    source.keep += keep
    return source


def table_of(
    source: Source, is_cpg: IsCpg, conventions: Conventions, orientation: str = DETECT, like: str = "cg00000029"
) -> Table:
    """Find samples and CpGs in an opened file, in either orientation. Values are read with its blocks or parts.

    is_cpg : whether a name is that of a CpG
    like : how a CpG is named, for messages
    Raises HeteroAgeError: neither or both of rows and columns are CpGs; nothing names the samples.
    """
    return Table(source, find_layout(source, is_cpg, conventions, orientation, like), is_cpg, conventions)


def from_frame(
    frame: pd.DataFrame, is_cpg: IsCpg, conventions: Conventions | None = None, where: str = "the table"
) -> Table:
    """Find samples and CpGs in a pandas frame; as `table_of`."""
    from heteroage.tables.formats import FrameSource

    return table_of(FrameSource(frame, where), is_cpg, conventions or Conventions())


def sheet_of(source: Source, known: Collection[str], conventions: Conventions) -> Sheet:
    """Read the metadata columns of an opened sample sheet as text.

    known : ids of the tables of values, which decide between several possible columns of ids
    Raises HeteroAgeError: no rows, no column of ids, rows without an id, or several of one id.
    """
    header, where = source.header, source.where
    columns = source.texts(range(len(header)))
    if not columns or not columns[0]:
        raise no_rows(where)
    ours = find_columns(header, conventions, where)
    unnamed = [k for k, name in enumerate(header) if name in UNNAMED and any(columns[k])]
    forms = possible_ids(header, ours.get("sample_id"), columns, known)
    if not forms and (source.index is not None or unnamed):
        forms = [columns[unnamed[0] if source.index is None else source.index]]
    if not forms:
        problem = no_ids(where, header)
        raise HeteroAgeError(f"{problem} The header must be the first row.")
    found = {name: (header[k], columns[k]) for name, k in ours.items() if name != "sample_id"}
    ids = sample_ids(forms[0], where)
    others = [k for k in range(len(header)) if k not in ours.values() and names(_file_names(columns[k])) != ids]
    others = [k for k in others if column_key(header[k]) not in SLIDES + POSITIONS]
    left_out = [header[k] or f"column {k + 1} (no name{'' if any(columns[k]) else ', empty'})" for k in others]
    return Sheet(source, ids, found, "sample_id" in ours, left_out)


def check_left_out(ids: Collection[str], where: str, left_out: Sequence[str], table: str) -> None:
    """Reject a sheet with samples that a table has as columns that are not samples by their names.

    ids, where : the sheet's samples, and its name in messages
    left_out, table : `Layout.left_out` of the table, and its name in messages
    """
    if twofold := [column for column in left_out if column.rpartition(" (")[0] in ids]:
        raise HeteroAgeError(
            f"{table} has columns whose names are not those of samples ({listed(twofold)}), but {where} lists them as "
            "samples. Rename these samples in both, or delete their rows if they are not samples."
        )


def possible_ids(
    header: Sequence[str], column: int | None, columns: Sequence[Cells], known: Collection[str]
) -> list[Cells]:
    """Return the possible ids of a sheet's samples, those with the most `known` ids first.

    These are the `column` of ids, slide and position in Illumina's sheets, file names, and other columns that name all
    samples.
    """
    keys = [column_key(name) for name in header]
    forms: list[Cells] = [] if column is None else [columns[column]]
    slide = next((k for k, key in enumerate(keys) if key in SLIDES), None)
    place = next((k for k, key in enumerate(keys) if key in POSITIONS), None)
    if slide is not None and place is not None:
        pairs = zip(names(columns[slide]), names(columns[place]), strict=True)
        forms.append([None if one is None or other is None else f"{one}_{other}" for one, other in pairs])
    for k, cells in enumerate(columns):
        files = _file_names(cells)
        # Any other column that names every sample; numbers may do so by chance.
        if k == column or (known and set(known) <= set(files) and not all(map(str.isdigit, known))):
            forms.append(files)
    return sorted(forms, key=lambda form: -sum(name in known for name in names(form)))


def _file_names(cells: Cells) -> list[str | None]:
    return [None if cell is None else re.split(r"[/\\]", cell.strip())[-1] for cell in cells]


def _calls(where: str) -> HeteroAgeError:
    return HeteroAgeError(
        f"{where} holds the calls of one sample, as Bismark writes them. Give coverage files, whose names end in .cov "
        'or .cov.gz. In the config, name them by a pattern: {file: "data/*.cov.gz", least_coverage: 5}.'
    )
