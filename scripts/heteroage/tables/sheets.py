"""Sample sheets: tables with only metadata, one row per sample."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from heteroage.errors import HeteroAgeError, listed
from heteroage.tables.layout import UNNAMED, no_ids, no_rows
from heteroage.tables.metadata import Conventions, column_key, find_columns, names, sample_ids
from heteroage.tables.source import Source

SLIDES = ("sentrix_id", "sentrixbarcode_a", "sentrix_barcode", "slide", "beadchip")
POSITIONS = ("sentrix_position", "sentrixposition_a", "array")
Cells = Sequence[str | None]


@dataclass(frozen=True)
class Sheet:
    """A sample sheet.

    columns : {our name: (the sheet's name, its cells as text)}
    named : whether a column was found by its name to hold the ids
    left_out : the other columns
    """

    where: str
    ids: list[str]
    columns: dict[str, tuple[str, list[str | None]]]
    named: bool
    source: Source
    left_out: list[str]


def sheet_of(source: Source, where: str, known: Collection[str], conventions: Conventions) -> Sheet:
    """Read the metadata columns of an opened sample sheet as text.

    known : ids of the tables of values, which decide between several possible columns of ids
    Raises HeteroAgeError: no rows, no column of ids, rows without an id, or several of one id.
    """
    header = source.header
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
    return Sheet(where, ids, found, "sample_id" in ours, source, left_out)


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
    matches = [sum(name in known for name in names(form)) for form in forms]
    return [form for _, form in sorted(zip(matches, forms, strict=True), key=lambda pair: -pair[0])]


def _file_names(cells: Cells) -> list[str | None]:
    return [None if cell is None else re.split(r"[/\\]", cell.strip())[-1] for cell in cells]
