"""Merging of tables to one set of samples and one set of features, before the store is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from heteroage.errors import HeteroAgeError, listed
from heteroage.inputs.cohorts import agreed_metadata, normalise_metadata
from heteroage.inputs.intake import Intake
from heteroage.inputs.modalities import ModalityTable, TableEntry, open_modality
from heteroage.inputs.sheets import read_sheet
from heteroage.probes import read_probes, split_modality
from heteroage.tables.metadata import Conventions, mangled_by_r

UNION, INTERSECTION = "union", "intersection"


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
    entries: Mapping[str, Sequence[TableEntry]],
    sheets: Sequence[TableEntry],
    options: InputOptions,
    intake: Intake,
) -> Cohorts:
    """Open the modality tables and the sample sheets, and merge them with `merge_cohorts`."""
    tables = [
        open_modality(entry, modality, options.conventions, intake, options.allow_pickle)
        for modality, several in entries.items()
        for entry in several
    ]
    known = {sample for table in tables for sample in table.ids}
    metadata = {}
    for entry in sheets:
        where = f"the sample sheet {entry.file}"
        frame = read_sheet(entry, where, known, options.conventions, intake, options.allow_pickle)
        metadata[where] = normalise_metadata(frame, where, options.conventions.updated(entry.conventions), intake)
    return merge_cohorts(tables, metadata, options, intake)


def merge_cohorts(
    tables: Sequence[ModalityTable], sheets: Mapping[str, pd.DataFrame], options: InputOptions, intake: Intake
) -> Cohorts:
    """Merge tables: samples by sample_id, the tables of a modality by CpG.

    Parameters
    ----------
    tables : of one or several modalities
    sheets : {the sheet's name for messages: its normalised metadata, by sample_id}

    Returns
    -------
    Cohorts, independent of the order of tables, rows and columns.

    Raises
    ------
    HeteroAgeError
        A sample is in two tables of a modality; a modality or a sheet has no sample in common with the others; no CpG
        in common; errors of `agreed_metadata`.
    """
    ids = {modality: _samples_of(modality, tables) for modality in dict.fromkeys(t.modality for t in tables)}
    everyone = sorted(set().union(*ids.values()))
    if len(ids) > 1 and not options.allow_disjoint_modalities:
        for modality, own in ids.items():
            others = set().union(*(other for name, other in ids.items() if name != modality))
            if not own & others:
                raise HeteroAgeError(
                    f"the {modality} samples ({listed(sorted(own))}) are none of the other modalities' samples "
                    f"({listed(sorted(others))}). Spell sample_ids alike; if they are different samples indeed, set "
                    "inputs.allow_disjoint_modalities: true."
                )
    for where, sheet in sheets.items():
        alone = sheet.index[~sheet.index.isin(everyone)]
        if len(alone) == len(sheet):
            raise HeteroAgeError(
                f"{where} has no sample ({listed(sheet.index)}) that a table of values has ({listed(everyone)}). "
                "Spell sample_ids alike, or say in inputs.columns which column they stand in."
                + (mangled_by_r(everyone, sheet.index) or mangled_by_r(sheet.index, everyone))
            )
        intake.note("sheet_only", where, len(alone), "left out", alone)
    frames = {
        t.where: normalise_metadata(t.metadata, t.where, options.conventions.updated(t.entry.conventions), intake)
        for t in tables
    }
    samples = agreed_metadata(frames | sheets, everyone, intake)
    platforms = {path: _probes_of(path) for path in options.restrict_to}
    features = {}
    for modality in ids:
        joined = _joined(modality, tables, options.join, intake)
        features[modality] = _restricted(modality, joined, platforms, intake)
    for modality, names in features.items():
        own = [t for t in tables if t.modality == modality]
        intake.modalities.append(
            {"modality": modality, "n_tables": len(own), "n_samples": len(ids[modality]), "n_cpgs": len(names)}
            | {"join": options.join}
        )
    return Cohorts(samples.sort_values(["project_id", "sample_id"], ignore_index=True), list(tables), features)


def _probes_of(path: str) -> set[str]:
    """Names of a platform's probes, without modality."""
    return {split_modality(name)[0] for name in read_probes(Path(path), None)}


def _restricted(modality: str, names: list[str], platforms: Mapping[str, set[str]], intake: Intake) -> list[str]:
    """Keep the features whose probes are on every platform.

    Raises
    ------
    HeteroAgeError
        No feature remains.
    """
    kept = [name for name in names if all(split_modality(name)[0] in probes for probes in platforms.values())]
    if not kept:
        counts = {path: sum(split_modality(name)[0] in probes for name in names) for path, probes in platforms.items()}
        raise HeteroAgeError(
            f"inputs.restrict_to leaves no {modality} CpG of {len(names)} (the platforms have: "
            f"{listed(f'{path} {count}' for path, count in counts.items())}). Check how these lists name probes."
        )
    if platforms:
        left = sorted(set(names) - set(kept))
        intake.note("restrict_to", f"{modality} tables", len(left), "left out, as a platform does not have them", left)
    return kept


def _samples_of(modality: str, tables: Sequence[ModalityTable]) -> set[str]:
    own = [table for table in tables if table.modality == modality]
    ids = pd.Index([name for table in own for name in table.ids])
    twice = sorted(ids[ids.duplicated()].unique())
    if twice:
        files = [table.entry.file for table in own]
        raise HeteroAgeError(
            f"samples stand in two {modality} tables ({listed(twice)}; tables {listed(files)}). Keep each in one."
        )
    return set(ids)


def _joined(modality: str, tables: Sequence[ModalityTable], join: str, intake: Intake) -> list[str]:
    sets = [set(t.features) for t in tables if t.modality == modality]
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
