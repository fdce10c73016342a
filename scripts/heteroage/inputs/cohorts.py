"""Reading of the config's tables and sample sheets, and merging to one set of samples and one set of features.

Metadata may be in any table or sample sheet. If a value is given several times, the values must agree.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from heteroage.errors import HeteroAgeError, listed
from heteroage.inputs.store import Intake, ModalityTable, TableEntry, note_names, of_table
from heteroage.labels import UNKNOWN, nearly_alike, same_word, spelling_key
from heteroage.probes import feature_name, read_probes, split_modality
from heteroage.tables.ages import unit_in
from heteroage.tables.layout import check_left_out
from heteroage.tables.metadata import METADATA, Cells, Conventions, agreed, known_values, no_common_samples
from heteroage.tables.opening import open_source
from heteroage.tables.source import Source
from heteroage.tables.table import Sheet, Table, sheet_of

log = logging.getLogger(__name__)

INTERSECTION = "intersection"  # otherwise union
REQUIRED_METADATA = ("project_id", "Tissue", "Sex", "Age", "Is_Healthy")
Known = dict[str, dict[str, object]]  # known metadata of a table: {our name: {sample_id: value}}


@dataclass(frozen=True)
class InputOptions:
    """Options of the config for all tables; config/README.md describes each key."""

    conventions: Conventions = field(default_factory=Conventions)
    join: str = INTERSECTION
    allow_pickle: bool = False
    allow_disjoint_modalities: bool = False
    restrict_to: Sequence[str] = ()


@dataclass(frozen=True)
class Cohorts:
    """All samples, sorted by project_id, then sample_id; the tables of their values; each modality's features, sorted.

    The samples of a study are adjacent in the store, so that the engine skips a held-out study in whole blocks.
    """

    samples: pd.DataFrame
    tables: list[ModalityTable]
    features: dict[str, list[str]]


def read_cohorts(
    entries: Mapping[str, Sequence[TableEntry]], sheets: Sequence[TableEntry], options: InputOptions, intake: Intake
) -> Cohorts:
    """Open the modality tables, read the sample sheets, and merge them with `merge_cohorts`.

    Raises HeteroAgeError: as `open_source`, `Table`, `of_table`, `sheet_of` and `merge_cohorts`.
    """

    def opened(entry: TableEntry, what: str) -> tuple[Source, Conventions]:
        conventions = entry.conventions(options.conventions)
        where = f"the {what} {entry.file}"
        return open_source(entry.file, where, conventions.missing_values, options.allow_pickle), conventions

    tables = []
    for modality, entry in ((modality, entry) for modality, several in entries.items() for entry in several):
        source, conventions = opened(entry, f"{modality} table")
        table = Table(source, partial(feature_name, modality=modality), conventions, entry.orientation)
        tables.append(of_table(table, entry, modality, intake))
    known = {sample for own in tables for sample in own.table.ids}
    read = []
    for entry in sheets:
        source, conventions = opened(entry, "sample sheet")
        read.append(sheet_of(source, known, conventions))
    return merge_cohorts(tables, read, options, intake)


def merge_cohorts(
    tables: Sequence[ModalityTable], sheets: Sequence[Sheet], options: InputOptions, intake: Intake
) -> Cohorts:
    """Merge tables: samples by sample_id, the tables of a modality by CpG.

    tables : of one or several modalities
    sheets : sample sheets
    Returns Cohorts, independent of the order of tables, rows and columns.
    Raises HeteroAgeError: a sample is in two tables of a modality; a modality or a sheet has no sample in common with
    the others; no CpG in common; unreadable metadata; a column that no table has; tables that disagree; a sample
    without a project_id.
    """
    by_modality: dict[str, list[ModalityTable]] = {}
    for table in tables:
        by_modality.setdefault(table.modality, []).append(table)
    ids = {modality: _samples_of(modality, own) for modality, own in by_modality.items()}
    everyone = sorted(set().union(*ids.values()))
    for modality, own in ids.items() if len(ids) > 1 and not options.allow_disjoint_modalities else ():
        others = set().union(*(other for name, other in ids.items() if name != modality))
        if not own & others:
            raise HeteroAgeError(
                f"the {modality} samples ({listed(sorted(own))}) are not among the samples of the other modalities "
                f"({listed(sorted(others))}). Use the same sample_ids in all tables; if they are different samples "
                "indeed, set inputs.allow_disjoint_modalities: true."
            )
    of_sheets = {sheet.where: _of_sheet(sheet, tables, everyone, intake) for sheet in sheets}
    of_tables = {own.table.where: _known(own.table, own.table.columns, intake) for own in tables}
    samples = _merged(of_tables | of_sheets, everyone, intake)
    platforms = {
        path: {split_modality(name)[0] for name in read_probes(Path(path), None)} for path in options.restrict_to
    }
    features = {}
    for modality, own in by_modality.items():
        names = features[modality] = _features(modality, own, options.join, platforms, intake)
        counts = {"n_tables": len(own), "n_samples": len(ids[modality]), "n_cpgs": len(names)}
        intake.modalities.append({"modality": modality, **counts, "join": options.join})
    return Cohorts(samples.sort_values(["project_id", "sample_id"], ignore_index=True), list(tables), features)


def _samples_of(modality: str, tables: Sequence[ModalityTable]) -> set[str]:
    times = Counter(name for own in tables for name in own.table.ids)
    twice = sorted(name for name, count in times.items() if count > 1)
    if twice:
        files = [table.entry.file for table in tables]
        raise HeteroAgeError(
            f"samples are in two {modality} tables ({listed(twice)}; tables {listed(files)}). Keep each in one."
        )
    return set(times)


def _features(
    modality: str,
    tables: Sequence[ModalityTable],
    join: str,
    platforms: Mapping[str, set[str]],
    intake: Intake,
) -> list[str]:
    """Return the features on every platform: of all tables (union), or common to all (intersection)."""
    sets = [set(table.features) for table in tables]
    union, common = set().union(*sets), set.intersection(*sets)
    if join == INTERSECTION and not common:
        raise HeteroAgeError(
            f"the {modality} tables have no CpG in common (CpGs by table: {listed(map(len, sets))}). "
            "Check how they are named, or set inputs.join: union."
        )
    names, apart = sorted(common if join == INTERSECTION else union), sorted(union - common)
    done = "left out" if join == INTERSECTION else "missing where a table does not have them"
    intake.note("join_cpgs", f"{modality} tables", len(apart), done, apart)
    if not platforms:
        return names
    kept = [name for name in names if all(split_modality(name)[0] in probes for probes in platforms.values())]
    if not kept:
        counts = {path: sum(split_modality(name)[0] in probes for name in names) for path, probes in platforms.items()}
        raise HeteroAgeError(
            f"inputs.restrict_to leaves no {modality} CpG of {len(names)} (the platforms have: "
            f"{listed(f'{path} {count}' for path, count in counts.items())}). Check how these lists name probes."
        )
    left = sorted(set(names) - set(kept))
    intake.note("restrict_to", f"{modality} tables", len(left), "left out, as a platform does not have them", left)
    return kept


def _of_sheet(sheet: Sheet, tables: Sequence[ModalityTable], everyone: Sequence[str], intake: Intake) -> Known:
    """Return a sheet's known metadata for the samples `everyone`, which have values. Other samples are left out."""
    renamed = [f"{label} is {ours}" for ours, (label, _) in sheet.columns.items() if label != ours]
    note_names(sheet, renamed, "" if sheet.named else "other columns", sheet.left_out, intake)
    valued = set(everyone)
    alone = [one for one in sheet.ids if one not in valued]
    for table in (own.table for own in tables):
        check_left_out(set(alone), sheet.where, table.layout.left_out, table.where)
    if len(alone) == len(sheet.ids):
        raise no_common_samples(sheet.where, sheet.ids, "a table of values", everyone)
    intake.note("sheet_only", sheet.where, len(alone), "left out", alone)
    columns = {
        ours: (label, [cell if one in valued else None for one, cell in zip(sheet.ids, cells, strict=True)])
        for ours, (label, cells) in sheet.columns.items()
    }
    return _known(sheet, columns, intake)


def _known(table: Table | Sheet, columns: Mapping[str, tuple[str, Cells]], intake: Intake) -> Known:
    """Read {our name: (their name, cells)} of a table with `known_values`, and record the ages that were converted."""
    found: Known = {}
    ids, where, conventions = table.ids, table.where, table.conventions
    for ours, (label, cells) in columns.items():
        known = found[ours] = known_values(ours, cells, label, ids, where, conventions)
        if ours == "Age":
            aged = [(cell, known[one]) for one, cell in zip(ids, cells, strict=True) if one in known]
            other = [cell for cell, age in aged if not same_word(str(cell), repr(age))]
            before = [cell for cell, age in aged if age < 0]
            unit = conventions.age_unit or unit_in(label) or "other units"
            intake.note("convert_ages", where, len(other), f"from {unit}", other)
            intake.note("prenatal_ages", where, len(before), "kept, as allow_prenatal says", before)
    return found


def _merged(tables: Mapping[str, Known], sample_ids: Sequence[str], intake: Intake) -> pd.DataFrame:
    """Merge the metadata of all tables and sheets for `sample_ids`; Platform only if a table has it."""
    given = {column for own in tables.values() for column in own}
    absent = [column for column in REQUIRED_METADATA if column not in given]
    if absent:
        raise HeteroAgeError(
            f"no table has the metadata columns ({listed(absent)}). Add them to one of the tables or to a sample "
            "sheet (inputs.sample_sheet), or give their names in inputs.columns (config/README.md)."
        )
    _unify_spelling([own["Tissue"] for own in tables.values() if "Tissue" in own], intake)
    samples = pd.DataFrame(index=pd.Index(sample_ids, name="sample_id"))
    for column in METADATA if "Platform" in given else METADATA[:-1]:
        values, rounded = agreed(column, [(where, own.get(column, {})) for where, own in tables.items()], sample_ids)
        if column == "Age":
            shown = [f"{one}: {values[one]}" for one in rounded]
            intake.note("rounded_ages", "all samples", len(shown), "kept from the table that gives more digits", shown)
        empty = UNKNOWN if column in ("Tissue", "Sex", "Platform") else None
        kind = np.float64 if column == "Age" else object
        samples[column] = pd.Series([values.get(one, empty) for one in sample_ids], samples.index, kind)
    homeless = samples.index[samples["project_id"].isna()]
    if len(homeless):
        raise HeteroAgeError(
            f"samples without a project_id ({listed(homeless)}). Give the study of each sample, because studies are "
            "held out as a whole. If it is in a sample sheet, use the same sample_ids in both. Delete columns that are "
            "not samples."
        )
    for step, unknown in (
        ("unknown_sex", samples["Sex"] == UNKNOWN),
        ("unknown_tissue", samples["Tissue"] == UNKNOWN),
        ("unknown_age", samples["Age"].isna()),
    ):
        intake.note(step, "all samples", int(unknown.sum()), "kept as unknown", samples.index[unknown])
    return samples.reset_index()


def _unify_spelling(tissues: Sequence[dict[str, str]], intake: Intake) -> None:
    """Replace tissues that differ only in case or blanks by the most common spelling (ties by name); report others."""
    counts = Counter(name for own in tissues for name in own.values())
    best: dict[str, str] = {}
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        best.setdefault(spelling_key(name), name)
    spelling = {name: best[spelling_key(name)] for name in counts}
    for own in tissues:
        own.update({one: spelling[name] for one, name in own.items()})
    changed = sorted(f"{other} is {name}" for other, name in spelling.items() if other != name)
    alike = [f"{one} and {other}" for one, other in nearly_alike(best.values())]
    intake.note("tissue_spellings", "all samples", len(changed), "differ in case or blanks: one tissue", changed)
    intake.note("similar_tissues", "all samples", len(alike), "kept as different tissues", alike)
    if alike:
        log.warning("tissues whose names are nearly alike are kept as different tissues (%s)", listed(alike))
