"""Sample sheets: tables of metadata alone, a row per sample, read for training and for prediction."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from heteroage.errors import HeteroAgeError, listed
from heteroage.tables.conventions import Conventions
from heteroage.tables.layout import UNNAMED, no_rows
from heteroage.tables.metadata import find_columns, sample_ids, sheet_ids
from heteroage.tables.opening import open_source
from heteroage.tables.source import Source


@dataclass(frozen=True)
class Sheet:
    """A sample sheet.

    columns : {our name: (the sheet's name, its cells as text)}
    named : whether a column was found by its name to hold the ids
    """

    where: str
    ids: list[str]
    columns: dict[str, tuple[str, list[str | None]]]
    named: bool
    source: Source


def read_sheet(
    path: str | Path, where: str, known: Collection[str], conventions: Conventions, allow_pickle: bool = False
) -> Sheet:
    """Read a sample sheet's columns of metadata as text.

    Parameters
    ----------
    known : ids of the tables of values: of the forms that ids have in a sheet, the one that these have is taken

    Raises
    ------
    HeteroAgeError
        A file that cannot be read, no column of ids, rows without an id, or several of one id.
    """
    source, _keep = open_source(path, where, conventions.missing_values, allow_pickle)
    return sheet_of(source, where, known, conventions)


def sheet_of(source: Source, where: str, known: Collection[str], conventions: Conventions) -> Sheet:
    """Read an opened file as a sample sheet; as `read_sheet`."""
    header = source.header
    columns = source.texts(range(len(header)))
    if not columns or not columns[0]:
        raise no_rows(where)
    ours = find_columns(header, conventions, where)
    unnamed = [k for k, name in enumerate(header) if name in UNNAMED and any(columns[k])]
    forms = sheet_ids(header, ours.get("sample_id"), columns, known)
    if not forms and (source.index is not None or unnamed):
        forms = [columns[unnamed[0] if source.index is None else source.index]]
    if not forms:
        raise HeteroAgeError(
            f"{where} has no column sample_id (it has {listed(header)}). Name the column that identifies samples "
            "sample_id, or say which it is (inputs.columns: {sample_id: ...}; heteroage: --columns). The header "
            "must be the first row."
        )
    found = {name: (header[k], columns[k]) for name, k in ours.items() if name != "sample_id"}
    return Sheet(where, sample_ids(forms[0], where), found, "sample_id" in ours, source)
