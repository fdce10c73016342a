"""Sample sheets of training: any table of metadata, by sample_id."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pandas as pd

from heteroage.errors import HeteroAgeError, listed
from heteroage.inputs.cohorts import is_number
from heteroage.inputs.intake import Intake
from heteroage.inputs.tables import UNNAMED, TableEntry
from heteroage.tables.metadata import find_columns, sample_ids, sheet_ids
from heteroage.tables.opening import open_source
from heteroage.tables.table import Reading


def read_sheet(
    entry: TableEntry, where: str, known: Collection[str], intake: Intake, allow_pickle: bool = False
) -> pd.DataFrame:
    """Read a sample sheet's columns of metadata as text, by sample_id.

    Parameters
    ----------
    known : ids of the tables of values: of the forms that ids have in a sheet, the one that these have is taken

    Raises
    ------
    HeteroAgeError
        A file that cannot be read, no column of ids, rows without an id, or several of one id.
    """
    path = Path(entry.file)
    if not path.is_file():
        raise HeteroAgeError(f"no file {path}. Check the path; relative paths start at the working directory.")
    source, _open = open_source(path, where, Reading(allow_pickle=allow_pickle))
    header = [name.strip() for name in source.header]
    columns = source.texts(list(range(len(header))))
    if not columns or not columns[0]:
        raise HeteroAgeError(f"{where} has a header and no rows. Give at least one sample.")
    ours = find_columns(header, entry.conventions, where)
    unnamed = [k for k, name in enumerate(header) if name in UNNAMED]
    forms = sheet_ids(header, ours.get("sample_id"), columns, known)
    if not forms and unnamed:
        forms = [columns[unnamed[0]]]
    if not forms:
        raise HeteroAgeError(
            f"{where} has no column sample_id (it has {listed(header)}). Name the column that identifies samples "
            "sample_id, or say in inputs.columns which it is. The header must be the first row."
        )
    ids = sample_ids(forms[0], where)
    renamed = [f"{header[k]} is {name}" for name, k in ours.items() if header[k] != name]
    numbered = [one for one in ids if is_number(one)]
    intake.note("map_columns", where, len(renamed), "renamed", renamed)
    intake.note("name_ids", where, len(ids) * ("sample_id" not in ours), "taken from other columns", ids)
    intake.note("ids_as_text", where, len(numbered), "taken as text", numbered)
    kept = {header[k]: columns[k] for name, k in ours.items() if name != "sample_id"}
    return pd.DataFrame(kept, index=pd.Index(ids, name="sample_id"), dtype=object)
