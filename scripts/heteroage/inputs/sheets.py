"""Sample sheets for training: metadata by sample_id, and their entries in the intake record."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from heteroage.inputs.cohorts import is_number
from heteroage.inputs.intake import Intake
from heteroage.inputs.modalities import TableEntry
from heteroage.tables.metadata import Conventions
from heteroage.tables.opening import open_source
from heteroage.tables.sheets import sheet_of


def read_sheet(
    entry: TableEntry,
    where: str,
    known: Collection[str],
    conventions: Conventions,
    intake: Intake,
    allow_pickle: bool = False,
) -> pd.DataFrame:
    """Read the metadata columns of a sample sheet as text, by sample_id; errors as `open_source` and `sheet_of`."""
    conventions = conventions.updated(entry.conventions)
    source, _keep = open_source(entry.file, where, conventions.missing_values, allow_pickle)
    sheet = sheet_of(source, where, known, conventions)
    renamed = [f"{label} is {ours}" for ours, (label, _) in sheet.columns.items() if label != ours]
    numbered = [one for one in sheet.ids if is_number(one)]
    intake.note("map_columns", where, len(renamed), "renamed", renamed)
    intake.note("name_ids", where, len(sheet.ids) * (not sheet.named), "taken from other columns", sheet.ids)
    intake.note("ids_as_text", where, len(numbered), "taken as text", numbered)
    for step, found in sheet.source.notes.items():
        intake.note(step, where, found, "left out")
    columns = dict(sheet.columns.values())
    return pd.DataFrame(columns, index=pd.Index(sheet.ids, name="sample_id"), dtype=object)
