"""Merging of tables and sample sheets to one set of samples and one set of features, before the store is written.

Metadata may be in any table or sample sheet. If a value is given several times, the values must agree.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from heteroage.errors import HeteroAgeError, listed
from heteroage.inputs.intake import Intake, ModalityTable, TableEntry, open_modality, read_sheet
from heteroage.labels import UNKNOWN, nearly_alike, same_word, spelling_key
from heteroage.probes import read_probes, split_modality
from heteroage.tables import metadata
from heteroage.tables.ages import Reading, most_exact, roundings, unit_in
from heteroage.tables.layout import check_left_out
from heteroage.tables.metadata import METADATA, Conventions, mangled_by_r

log = logging.getLogger(__name__)

INTERSECTION = "intersection"  # otherwise union
REQUIRED_METADATA = ("project_id", "Tissue", "Sex", "Age", "Is_Healthy")


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

    The samples of a study lie side by side in the store: the engine passes over a held-out study in whole blocks.
    """

    samples: pd.DataFrame
    tables: list[ModalityTable]
    features: dict[str, list[str]]

    @property
    def feature_names(self) -> list[str]:
        """All feature names, sorted."""
        return sorted(name for names in self.features.values() for name in names)


def read_cohorts(
    entries: Mapping[str, Sequence[TableEntry]], sheets: Sequence[TableEntry], options: InputOptions, intake: Intake
) -> Cohorts:
    """Open the modality tables and the sample sheets, and merge them with `merge_cohorts`."""
    tables = [
        open_modality(entry, modality, options.conventions, intake, options.allow_pickle)
        for modality, several in entries.items()
        for entry in several
    ]
    known = {sample for table in tables for sample in table.ids}
    frames = {}
    for entry in sheets:
        sheet = read_sheet(entry, known, options.conventions, intake, options.allow_pickle)
        conventions = entry.conventions(options.conventions)
        columns = {  # cells of samples that no table has are not read
            ours: (label, [cell if one in known else None for one, cell in zip(sheet.ids, cells, strict=True)])
            for ours, (label, cells) in sheet.columns.items()
        }
        frames[sheet.where] = _normalised(sheet.ids, columns, sheet.where, conventions, intake)
    return merge_cohorts(tables, frames, options, intake)


def merge_cohorts(
    tables: Sequence[ModalityTable], sheets: Mapping[str, pd.DataFrame], options: InputOptions, intake: Intake
) -> Cohorts:
    """Merge tables: samples by sample_id, the tables of a modality by CpG.

    tables : of one or several modalities
    sheets : {the sheet's name for messages: its normalised metadata, by sample_id}
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
    for where, sheet in sheets.items():
        alone = sheet.index[~sheet.index.isin(everyone)]
        for table in tables:
            check_left_out(set(alone), where, table.table.layout.left_out, table.where)
        if len(alone) == len(sheet):
            raise HeteroAgeError(
                f"{where} has no sample ({listed(sheet.index)}) that a table of values has ({listed(everyone)}). "
                "Use the same sample_ids in both, or name their column in inputs.columns."
                + (mangled_by_r(everyone, sheet.index) or mangled_by_r(sheet.index, everyone))
            )
        intake.note("sheet_only", where, len(alone), "left out", alone)
    frames = {
        t.where: _normalised(t.ids, t.table.columns, t.where, t.entry.conventions(options.conventions), intake)
        for t in tables
    }
    samples = _agreed(frames | sheets, everyone, intake)
    platforms = {
        path: {split_modality(name)[0] for name in read_probes(Path(path), None)} for path in options.restrict_to
    }
    features = {}
    for modality, own in by_modality.items():
        joined = _joined(modality, own, options.join, intake)
        names = features[modality] = _restricted(modality, joined, platforms, intake)
        counts = {"n_tables": len(own), "n_samples": len(ids[modality]), "n_cpgs": len(names)}
        intake.modalities.append({"modality": modality, **counts, "join": options.join})
    return Cohorts(samples.sort_values(["project_id", "sample_id"], ignore_index=True), list(tables), features)


def _samples_of(modality: str, tables: Sequence[ModalityTable]) -> set[str]:
    times = Counter(name for table in tables for name in table.ids)
    twice = sorted(name for name, count in times.items() if count > 1)
    if twice:
        files = [table.entry.file for table in tables]
        raise HeteroAgeError(
            f"samples are in two {modality} tables ({listed(twice)}; tables {listed(files)}). Keep each in one."
        )
    return set(times)


def _joined(modality: str, tables: Sequence[ModalityTable], join: str, intake: Intake) -> list[str]:
    """Return the features of all tables (union), or those that all have (intersection)."""
    sets = [set(table.features) for table in tables]
    union, common = set().union(*sets), set.intersection(*sets)
    if join == INTERSECTION and not common:
        raise HeteroAgeError(
            f"the {modality} tables have no CpG in common (CpGs by table: {listed(map(len, sets))}). "
            "Check how they are named, or set inputs.join: union."
        )
    apart = sorted(union - common)
    done = "left out" if join == INTERSECTION else "missing where a table does not have them"
    intake.note("join_cpgs", f"{modality} tables", len(apart), done, apart)
    return sorted(common if join == INTERSECTION else union)


def _restricted(modality: str, names: list[str], platforms: Mapping[str, set[str]], intake: Intake) -> list[str]:
    """Keep the features whose probes are on every platform."""
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


def _normalised(
    ids: Sequence[str],
    columns: Mapping[str, tuple[str, Sequence[str | None]]],
    where: str,
    conventions: Conventions,
    intake: Intake,
) -> pd.DataFrame:
    """Return {our name: (their name, cells)} as a frame by sample_id: text, F and M, years, true and false, or None."""
    found = pd.DataFrame(index=pd.Index(ids, name="sample_id"))
    for ours, (label, cells) in columns.items():
        if ours == "Sex":
            values = [sex if sex != UNKNOWN else None for sex in metadata.check_sexes(cells, where, conventions)]
        elif ours == "Tissue":
            values = [tissue if tissue != UNKNOWN else None for tissue in metadata.tissues(cells, conventions)]
        elif ours == "Age":
            values = metadata.ages(cells, label, ids, where, conventions)
            known = [(cell, age) for cell, age in zip(cells, values, strict=True) if age is not None]
            other = [cell for cell, age in known if not same_word(str(cell), repr(age))]
            before = [cell for cell, age in known if age < 0]
            unit = conventions.age_unit or unit_in(label) or "other units"
            found["Age_rounding"] = roundings(cells, label, conventions.age_unit)
            intake.note("convert_ages", where, len(other), f"from {unit}", other)
            intake.note("prenatal_ages", where, len(before), "kept, as allow_prenatal says", before)
        elif ours == "Is_Healthy":
            values = metadata.healthy(cells, where, conventions)
        else:
            values = metadata.names(cells)
        found[ours] = pd.Series(values, index=found.index, dtype=np.float64 if ours == "Age" else object)
    return found


def _agreed(frames: Mapping[str, pd.DataFrame], sample_ids: Sequence[str], intake: Intake) -> pd.DataFrame:
    """Merge the normalised metadata of all tables and sheets for `sample_ids`; Platform only if a table has it."""
    given = {column for frame in frames.values() for column in frame.columns}
    absent = [column for column in REQUIRED_METADATA if column not in given]
    if absent:
        raise HeteroAgeError(
            f"no table has the metadata columns ({listed(absent)}). Add them to one of the tables or to a sample "
            "sheet (inputs.sample_sheet), or give their names in inputs.columns (config/README.md)."
        )
    frames = _one_spelling(frames, intake)
    samples = pd.DataFrame(index=pd.Index(sample_ids, name="sample_id"))
    for column in METADATA if "Platform" in given else METADATA[:-1]:
        if column == "Age":
            samples[column] = _ages(frames, sample_ids, intake)
            continue
        merged = pd.Series(None, index=samples.index, dtype=object)
        for where, own in ((where, frame[column]) for where, frame in frames.items() if column in frame):
            new = own[own.notna() & own.index.isin(samples.index)].astype(object)
            known = merged.loc[new.index]
            differ = known.notna() & (known != new)
            if differ.any():
                raise _differing(column, where, [f"{s}: {known[s]} and {new[s]}" for s in differ.index[differ]])
            merged.loc[new.index] = new
        samples[column] = merged
    homeless = samples.index[samples["project_id"].isna()]
    if len(homeless):
        raise HeteroAgeError(
            f"samples without a project_id ({listed(homeless)}). Give the study of each sample, because studies are "
            "held out as a whole. If it is in a sample sheet, use the same sample_ids in both. Delete columns that are "
            "not samples."
        )
    for column in {"Tissue", "Sex", "Platform"} & set(samples.columns):
        samples[column] = samples[column].where(samples[column].notna(), UNKNOWN)
    for step, unknown in (
        ("unknown_sex", samples["Sex"] == UNKNOWN),
        ("unknown_tissue", samples["Tissue"] == UNKNOWN),
        ("unknown_age", samples["Age"].isna()),
    ):
        intake.note(step, "all samples", int(unknown.sum()), "kept as unknown", samples.index[unknown])
    return samples.reset_index()


def _ages(frames: Mapping[str, pd.DataFrame], sample_ids: Sequence[str], intake: Intake) -> pd.Series:
    """Return each sample's age, the most exact one if several tables give it (37 months and 3.08 years)."""
    readings: dict[str, list[Reading]] = {one: [] for one in sample_ids}
    for where, frame in frames.items():
        if "Age" in frame:
            own = frame[frame["Age"].notna() & frame.index.isin(sample_ids)]
            for one, age, rounding in zip(own.index, own["Age"], own["Age_rounding"], strict=True):
                readings[one].append(Reading(age, rounding, where))
    chosen = {one: most_exact(own) for one, own in readings.items() if own}
    if differ := {one: pair for one, pair in chosen.items() if pair[1] is not None}:
        first = next(iter(differ))
        later = max(differ[first], key=readings[first].index)
        raise _differing("Age", later.where, [f"{one}: {a.age} and {b.age}" for one, (a, b) in differ.items()])
    rounded = [f"{one}: {kept.age}" for one, (kept, _) in chosen.items() if {kept.age} < {r.age for r in readings[one]}]
    intake.note("rounded_ages", "all samples", len(rounded), "kept from the table that gives more digits", rounded)
    return pd.Series({one: kept.age for one, (kept, _) in chosen.items()}, sample_ids, np.float64)


def _differing(column: str, where: str, pairs: Sequence[str]) -> HeteroAgeError:
    return HeteroAgeError(
        f"samples whose {column} in {where} differs from an earlier table's ({listed(pairs)}). "
        "Correct one of the tables."
    )


def _one_spelling(frames: Mapping[str, pd.DataFrame], intake: Intake) -> dict[str, pd.DataFrame]:
    """Replace tissues that differ only in case or blanks by the most common spelling (ties by name); report others."""
    counts = Counter(name for frame in frames.values() if "Tissue" in frame for name in frame["Tissue"].dropna())
    best: dict[str, str] = {}
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        best.setdefault(spelling_key(name), name)
    spelling = {name: best[spelling_key(name)] for name in counts}
    changed = sorted(f"{other} is {name}" for other, name in spelling.items() if other != name)
    alike = [f"{one} and {other}" for one, other in nearly_alike(best.values())]
    intake.note("tissue_spellings", "all samples", len(changed), "differ in case or blanks: one tissue", changed)
    intake.note("similar_tissues", "all samples", len(alike), "kept as different tissues", alike)
    if alike:
        log.warning("tissues whose names are nearly alike are kept as different tissues (%s)", listed(alike))
    return {
        where: frame.assign(Tissue=frame["Tissue"].map(spelling)) if "Tissue" in frame else frame
        for where, frame in frames.items()
    }
