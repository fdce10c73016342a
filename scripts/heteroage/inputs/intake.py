"""Opening of the config's tables and sample sheets, with a record of their content and of all changes to it.

`results/store/intake.json` is written with the feature store. It depends only on the input and the config:

    tables      a row per modality table, by modality and file: modality, file, format (parquet, feather, csv, h5ad,
                pickle), orientation (samples_in_rows, cpgs_in_rows), orientation_from (detected, stated), n_samples,
                n_cpgs (after replicates were merged), n_values, n_missing, n_below_0, n_above_1
    modalities  a row per modality: modality, n_tables, n_samples, n_cpgs (in the store), join (union, intersection)
    steps       a row per normalising step and place, also where it found nothing: step (see STEPS), where (the
                table's modality and file, a sample sheet, or a modality), found (a count), done (in words),
                first (up to five examples)
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from heteroage.errors import FIRST, HeteroAgeError, listed
from heteroage.probes import feature_name
from heteroage.tables.layout import DETECT, check_cpg_names
from heteroage.tables.metadata import Conventions
from heteroage.tables.opening import open_source
from heteroage.tables.table import Sheet, Table, sheet_of

log = logging.getLogger(__name__)

# The steps in their order, and the meaning of `found`.
STEPS = {
    "map_columns": "columns renamed as inputs.columns says",
    "name_ids": "sample_ids taken from an unnamed first column",
    "shorten_ids": "sample_ids taken from columns named <sample_id>.AVG_Beta or the like",
    "ids_as_text": "sample_ids that were numbers",
    "comment_lines": "comment lines above the header",
    "blank_rows": "empty rows",
    "leave_out_columns": "columns (or rows) that are neither metadata nor CpGs of the modality, also of sample sheets",
    "merge_replicates": "replicate probes averaged under a plain name",
    "convert_values": "values converted to beta values",
    "missing_values": "values that are missing",
    "outside_0_1": "values below 0 or above 1, kept as they are",
    "convert_ages": "ages converted to years",
    "prenatal_ages": "ages before birth",
    "rounded_ages": "ages that several tables give with different rounding",
    "tissue_spellings": "tissues that differ from another one in case or blanks only",
    "similar_tissues": "pairs of tissues whose names are nearly alike",
    "unknown_sex": "samples whose sex is unknown",
    "unknown_tissue": "samples whose tissue is unknown",
    "unknown_age": "samples without an age",
    "sheet_only": "samples of a sample sheet that no table has",
    "join_cpgs": "CpGs left out (intersection) or missing in some table (union)",
    "restrict_to": "CpGs left out because a platform of inputs.restrict_to does not have them",
}


@dataclass
class Intake:
    """Collects the record."""

    tables: list[dict] = field(default_factory=list)
    modalities: list[dict] = field(default_factory=list)
    steps: list[dict] = field(default_factory=list)

    def note(self, step: str, where: str, found: int, done: str = "", first: Iterable[object] = ()) -> None:
        """Record a step; `done` and examples are kept only if `found` is not 0."""
        examples = [str(item) for _, item in zip(range(FIRST), first, strict=False)] if found else []
        self.steps.append(
            {"step": step, "where": where, "found": int(found), "done": done if found else "", "first": examples}
        )

    def as_json(self) -> dict[str, list[dict]]:
        """Return the record in a fixed order, independent of the order of tables in the config."""
        order = list(STEPS)
        return {
            "tables": sorted(self.tables, key=lambda row: (row["modality"], row["file"])),
            "modalities": sorted(self.modalities, key=lambda row: row["modality"]),
            "steps": sorted(self.steps, key=lambda row: (order.index(row["step"]), row["where"])),
        }


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

    def conventions(self, general: Conventions) -> Conventions:
        """Return the conventions of its metadata: the general ones, updated with its own."""
        return general.updated(Conventions.of(columns=self.columns, age_unit=self.age_unit))


@dataclass(frozen=True)
class ModalityTable:
    """A table of a modality, and its CpGs.

    places : positions of its CpGs among the table's names
    features : the feature in the store of each of them
    """

    modality: str
    entry: TableEntry
    table: Table
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


def open_modality(
    entry: TableEntry, modality: str, conventions: Conventions, intake: Intake, allow_pickle: bool = False
) -> ModalityTable:
    """Open a modality's table. Values are read with its blocks. Errors as `open_source`, `Table` and `of_table`."""
    conventions = entry.conventions(conventions)
    source = open_source(entry.file, f"the {modality} table {entry.file}", conventions.missing_values, allow_pickle)
    is_cpg, like = (
        (lambda name: feature_name(name, modality) is not None),
        f"cg00000029, cg00000029_{modality} or chr1:10469",
    )
    table = Table(source, is_cpg, conventions, entry.orientation, like)
    return of_table(table, entry, modality, intake)


def of_table(table: Table, entry: TableEntry, modality: str, intake: Intake) -> ModalityTable:
    """Find a modality's CpGs and metadata in an opened table.

    Raises HeteroAgeError: no CpG of the modality; repeated CpGs.
    """
    where, layout, names = table.where, table.layout, table.names
    if entry.orientation == DETECT:
        log.info("%s has %s (detected)", where, layout.orientation.replace("_", " "))
    features = {k: feature for k, name in enumerate(names) if (feature := feature_name(name, modality))}
    if not features:
        raise HeteroAgeError(
            f"{where} has no CpG column (it has {listed(names)}). CpGs are named like cg00000029, "
            f"cg00000029_{modality} or chr1:10469: as columns where samples are rows, in one column where samples are "
            "columns."
        )
    renamed = [f"{names[k]} is {name}" for name, k in table.metadata.items() if names[k] not in (name, "")]
    known = {*features, *table.metadata.values(), layout.label if not table.cpgs_in_rows else -1}
    unnamed = "" if table.cpgs_in_rows else "column {} (no name)"
    others = [name or unnamed.format(k + 1) for k, name in enumerate(names) if k not in known]
    left_out = [*layout.left_out, *filter(None, others)]
    _note_names(table, renamed, "the unnamed column" if layout.unnamed else "", intake)
    intake.note("shorten_ids", where, layout.renamed, "named without .AVG_Beta or the like", layout.ids)
    intake.note("leave_out_columns", where, len(left_out), "left out", left_out)
    if left_out:
        log.info("%s: columns that are not CpGs of this modality are dropped (%s)", where, listed(left_out))
    check_cpg_names([names[k] for k in features], where)
    return ModalityTable(modality, entry, table, list(features), list(features.values()))


def read_sheet(
    entry: TableEntry, known: Collection[str], conventions: Conventions, intake: Intake, allow_pickle: bool = False
) -> Sheet:
    """Read a sample sheet of the config; `known` and errors as in `sheet_of`."""
    where, conventions = f"the sample sheet {entry.file}", entry.conventions(conventions)
    source = open_source(entry.file, where, conventions.missing_values, allow_pickle)
    sheet = sheet_of(source, known, conventions)
    renamed = [f"{label} is {ours}" for ours, (label, _) in sheet.columns.items() if label != ours]
    _note_names(sheet, renamed, "" if sheet.named else "other columns", intake)
    intake.note("leave_out_columns", where, len(sheet.left_out), "left out", sheet.left_out)
    return sheet


def _note_names(table: Table | Sheet, renamed: Sequence[str], ids_from: str, intake: Intake) -> None:
    """Record the renamed columns, unusual ids, and skipped lines of a table or sheet."""
    numbered = [one for one in table.ids if re.fullmatch(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?", one)]
    intake.note("map_columns", table.where, len(renamed), "renamed", renamed)
    intake.note("name_ids", table.where, len(table.ids) * bool(ids_from), f"taken from {ids_from}", table.ids)
    intake.note("ids_as_text", table.where, len(numbered), "taken as text", numbered)
    for step, found in table.source.notes.items():
        intake.note(step, table.where, found, "left out")
