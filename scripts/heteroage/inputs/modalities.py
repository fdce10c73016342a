"""The tables of a modality: their CpGs and their metadata."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import pandas as pd

from heteroage.errors import HeteroAgeError, listed
from heteroage.inputs.cohorts import is_number
from heteroage.inputs.intake import Intake
from heteroage.probes import feature_name
from heteroage.tables.layout import DETECT
from heteroage.tables.metadata import Conventions
from heteroage.tables.opening import open_table
from heteroage.tables.table import Table, check_cpg_names

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TableEntry:
    """A table entry of the config.

    columns : {our name: their name, or a list of possible names}
    values : beta, m_values or percent
    age_unit : unit of Age, if it is neither years nor part of the column name
    """

    file: str
    orientation: str = DETECT
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    values: str = "beta"
    age_unit: str | None = None

    @property
    def conventions(self) -> Conventions:
        """Return the conventions of its metadata."""
        return Conventions.of(columns=self.columns, age_unit=self.age_unit)


@dataclass(frozen=True)
class ModalityTable:
    """A table of a modality: its samples, its CpGs, and access to their values.

    metadata : metadata columns of the table as text, by sample_id, in the file's order
    places : positions of its CpGs among the table's names
    sources, features : name of each CpG in the file, and its feature in the store
    """

    modality: str
    entry: TableEntry
    table: Table
    metadata: pd.DataFrame
    places: list[int]
    features: list[str]

    @property
    def where(self) -> str:
        """Name of the table in messages."""
        return self.table.where

    @property
    def ids(self) -> list[str]:
        """The sample_ids, in the file's order."""
        return self.table.ids

    @property
    def sources(self) -> list[str]:
        """The CpGs by their names in the file."""
        names = self.table.names
        return [names[k] for k in self.places]


def open_modality(
    entry: TableEntry, modality: str, conventions: Conventions, intake: Intake, allow_pickle: bool = False
) -> ModalityTable:
    """Open a modality's table. Values are read when its blocks are iterated.

    Raises
    ------
    HeteroAgeError
        Errors of `open_table`; repeated CpGs.
    """
    where = f"the {modality} table {entry.file}"
    table = open_table(
        entry.file,
        partial(_is_cpg, modality=modality),
        conventions.updated(entry.conventions),
        where=where,
        like=f"cg00000029 or cg00000029_{modality}",
        orientation=entry.orientation,
        allow_pickle=allow_pickle,
    )
    return of_table(table, entry, modality, intake)


def of_table(table: Table, entry: TableEntry, modality: str, intake: Intake) -> ModalityTable:
    """Find a modality's CpGs and metadata in an opened table; see `open_modality`."""
    where, layout, names = table.where, table.layout, table.names
    if entry.orientation == DETECT:
        log.info("%s has %s (detected)", where, layout.orientation.replace("_", " "))
    features = {k: feature for k, name in enumerate(names) if (feature := feature_name(name, modality))}
    if not features:
        raise HeteroAgeError(
            f"{where} has no CpG column (it has {listed(names)}). CpGs are named like cg00000029 or "
            f"cg00000029_{modality}: as columns where samples are rows, in one column where samples are columns."
        )
    ours = {name: k for name, k in table.metadata.items() if name != "sample_id"}

    cells = table.texts(list(ours.values()))
    metadata = pd.DataFrame(
        {names[k]: column for k, column in zip(ours.values(), cells, strict=True)},
        index=pd.Index(table.ids, name="sample_id"),
        dtype=object,
    )
    renamed = [f"{names[k]} is {name}" for name, k in table.metadata.items() if names[k] not in (name, "")]
    numbered = [one for one in table.ids if is_number(one)]
    known = {*features, *table.metadata.values(), layout.label if not table.cpgs_in_rows else -1}
    unnamed = "" if table.cpgs_in_rows else "column {} (no name)"
    others = [name or unnamed.format(k + 1) for k, name in enumerate(names) if k not in known]
    left_out = [*layout.left_out, *filter(None, others)]
    intake.note("map_columns", where, len(renamed), "renamed", renamed)
    intake.note("name_ids", where, len(table.ids) * layout.unnamed, "taken from the unnamed column", table.ids)
    intake.note("shorten_ids", where, layout.renamed, "named without .AVG_Beta or the like", layout.ids)
    intake.note("ids_as_text", where, len(numbered), "taken as text", numbered)
    intake.note("leave_out_columns", where, len(left_out), "left out", left_out)
    for step, found in table.source.notes.items():
        intake.note(step, where, found, "left out")
    if left_out:
        log.info("%s: columns that are not CpGs of this modality are dropped (%s)", where, listed(left_out))
    check_cpg_names([names[k] for k in features], where)
    return ModalityTable(modality, entry, table, metadata, list(features), list(features.values()))


def _is_cpg(name: str, modality: str) -> bool:
    return feature_name(name, modality) is not None
