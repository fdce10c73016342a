"""Writing of the feature store from the modality tables, and the record of their content and of all changes to it.

`matrix.py` defines the store's format. The record, `results/store/intake.json`, depends only on input and config:

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
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.errors import FIRST
from heteroage.files import atomic_path
from heteroage.matrix import Progress, create_matrix, feature_blocks, release, write_names
from heteroage.probes import feature_name
from heteroage.tables.layout import DETECT, check_cpg_names, no_cpgs
from heteroage.tables.metadata import Conventions
from heteroage.tables.source import ahead
from heteroage.tables.table import Block, Sheet, Table
from heteroage.tables.values import BETA, ValueCheck

if TYPE_CHECKING:
    from heteroage.inputs.cohorts import Cohorts

log = logging.getLogger(__name__)

STRIP_BYTES = 256 << 20  # size of the values that are joined before they are written
VALUES_PER_PART = 1 << 20  # number of values checked and written at a time
RELEASED = 256 << 20  # bytes written before memory-mapped pages are released

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
        """Record and log a step; `done` and examples are kept only if `found` is not 0."""
        examples = [str(item) for _, item in zip(range(FIRST), first, strict=False)] if found else []
        row = {"step": step, "where": where, "found": int(found), "done": done if found else "", "first": examples}
        self.steps.append(row)
        if found:
            log.info("%(step)s, %(where)s: %(found)d %(done)s %(first)s", row)

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


def of_table(table: Table, entry: TableEntry, modality: str, intake: Intake) -> ModalityTable:
    """Find a modality's CpGs and metadata in an opened table.

    Raises HeteroAgeError: no CpG of the modality; repeated CpGs.
    """
    where, layout, names = table.where, table.layout, table.names
    if entry.orientation == DETECT:
        log.info("%s has %s (detected)", where, layout.orientation.replace("_", " "))
    features = {k: feature for k, name in enumerate(names) if (feature := feature_name(name, modality))}
    if not features:
        raise no_cpgs(where, names)
    renamed = [f"{names[k]} is {name}" for name, k in table.metadata.items() if names[k] not in (name, "")]
    known = {*features, *table.metadata.values(), layout.label if not table.cpgs_in_rows else -1}
    unnamed = "" if table.cpgs_in_rows else "column {} (no name)"
    others = [name or unnamed.format(k + 1) for k, name in enumerate(names) if k not in known]
    left_out = [*layout.left_out, *filter(None, others)]
    note_names(table, renamed, "the unnamed column" if layout.unnamed else "", left_out, intake)
    intake.note("shorten_ids", where, layout.renamed, "named without .AVG_Beta or the like", layout.ids)
    check_cpg_names([names[k] for k in features], where)
    return ModalityTable(modality, entry, table, list(features), list(features.values()))


def note_names(
    table: Table | Sheet, renamed: Sequence[str], ids_from: str, left_out: Sequence[str], intake: Intake
) -> None:
    """Record the renamed columns, unusual ids, other columns, and skipped lines of a table or sheet."""
    numbered = [one for one in table.ids if re.fullmatch(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?", one)]
    for step, found, done in (
        ("map_columns", renamed, "renamed"),
        ("name_ids", table.ids if ids_from else [], f"taken from {ids_from}"),
        ("ids_as_text", numbered, "taken as text"),
        ("leave_out_columns", left_out, "left out"),
    ):
        intake.note(step, table.where, len(found), done, found)
    for step, count in table.source.notes.items():
        intake.note(step, table.where, count, "left out")


def write_store(cohorts: Cohorts, features: str | Path, names: str | Path, intake: Intake) -> None:
    """Write all features of all cohorts, block by block; missing values are NaN.

    Raises HeteroAgeError: text or infinity among the values, or values that are not beta values. Nothing is written.
    """
    samples = pd.Index(cohorts.samples["sample_id"])
    feature_names = sorted(name for names in cohorts.features.values() for name in names)
    row_of = {name: row for row, name in enumerate(feature_names)}
    with atomic_path(features) as beside, atomic_path(names) as names_beside:
        write_names(feature_names, names_beside)
        store = create_matrix(beside, (len(feature_names), len(samples)))
        if sum(len(set(t.features) & row_of.keys()) * len(t.table.ids) for t in cohorts.tables) < store.size:
            for rows, _ in feature_blocks(store, np.arange(0)):
                store[rows] = np.nan
                release(store)
        for table in cohorts.tables:
            _write_table(store, table, row_of, samples.get_indexer(table.table.ids), intake)


def _write_table(
    store: np.memmap, own: ModalityTable, row_of: dict[str, int], columns: NDArray[np.int64], intake: Intake
) -> None:
    """Write one table's values to its features' rows and its samples' columns."""
    table, names, ids = own.table, own.table.names, np.array(own.table.ids, dtype=object)
    sources = np.array([names[k] for k in own.places], dtype=object)
    target = np.array([row_of.get(name, -1) for name in own.features], np.int64)
    rows, count = np.unique(target[target >= 0], return_counts=True)
    # Replicates are kept in memory until all are read, in the order of their names.
    shared = np.flatnonzero(np.isin(target, rows[count > 1]))
    aside = sorted(shared, key=lambda k: (target[k], sources[k]))
    aside_of = np.full(len(target), -1)
    aside_of[aside] = np.arange(len(aside))
    check, written = ValueCheck(table.where, own.entry.values), 0
    progress = Progress(f"reading {table.where}", len(target) * len(columns))
    with tempfile.TemporaryFile(dir=Path(store.filename).parent, prefix=".replicates") as file:
        waiting = np.memmap(file, np.float32, "w+", shape=(max(len(aside), 1), len(columns)))
        for block in ahead(_strips(table.blocks(own.places), len(ids))):
            places = columns[block.samples]
            by, called = np.argsort(places), ids[block.samples]
            step = max(1, VALUES_PER_PART // len(places))
            for start in range(0, len(block.features), step):
                rows = block.features[start : start + step]
                betas = check.convert(block.values[start : start + step], sources[rows], called)
                values = np.ascontiguousarray(betas.astype(np.float32)[:, by])
                apart = aside_of[rows] >= 0
                if apart.any():
                    waiting[np.ix_(aside_of[rows[apart]], block.samples[by])] = values[apart]
                kept = (target[rows] >= 0) & ~apart
                _place(store, target[rows[kept]], places[by], values if kept.all() else values[kept])
                written += values.nbytes
            progress.add(len(block.features) * len(places))
            if written > RELEASED:
                release(store)
                written = 0
        check.verdict(len(table.ids), len(own.features))
        merged = _merge_replicates(store, waiting, target[aside], columns)
    replicates = dict.fromkeys(own.features[k] for k in aside)
    for step, found, done, which in (
        ("merge_replicates", len(aside), f"averaged under {merged} names", replicates),
        ("convert_values", check.n * (check.stated != BETA), f"from {check.stated} to beta values", ()),
        ("missing_values", check.missing, "kept as missing", ()),
        ("outside_0_1", check.below + check.above, "kept as they are", ()),
    ):
        intake.note(step, table.where, found, done, which)
    intake.tables.append(
        {"modality": own.modality, "file": own.entry.file, "format": table.source.kind}
        | {"orientation": table.layout.orientation}
        | {"orientation_from": "detected" if own.entry.orientation == DETECT else "stated"}
        | {"n_samples": len(table.ids), "n_cpgs": len(set(own.features))}
        | {"n_values": check.n, "n_missing": check.missing, "n_below_0": check.below, "n_above_1": check.above}
    )


def _place(store: np.memmap, rows: NDArray[np.int64], columns: NDArray[np.int64], values: NDArray[np.float32]) -> None:
    """Write values to some rows and columns (increasing) of the store; faster for adjacent columns."""
    if columns[-1] - columns[0] + 1 == len(columns):
        store[rows, columns[0] : columns[-1] + 1] = values
    else:
        store[np.ix_(rows, columns)] = values


def _merge_replicates(
    store: np.memmap, waiting: NDArray[np.float32], target: NDArray[np.int64], columns: NDArray[np.int64]
) -> int:
    """Write the mean of each feature's available replicates (rows of `waiting`, sorted by feature and name)."""
    starts = np.flatnonzero(np.diff(target, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(target)], strict=False):
        with warnings.catch_warnings(action="ignore"):  # the mean is NaN, as intended, if all replicates are missing
            store[target[start], columns] = np.nanmean(waiting[start:stop].astype(np.float64), axis=0)
    return len(starts)


def _strips(blocks: Iterator[Block], n_samples: int) -> Iterator[Block]:
    """Join blocks of few samples: a wide strip is written faster to the store, where samples are columns."""
    waiting: list[Block] = []
    for block in blocks:
        if waiting and not np.array_equal(block.features, waiting[0].features):
            yield _joined(waiting)
        if len(block.samples) * 4 >= n_samples and not waiting:
            yield block
            continue
        block.values = block.values.astype(np.float32)
        waiting.append(block)
        if sum(block.values.nbytes for block in waiting) >= STRIP_BYTES:
            yield _joined(waiting)
    if waiting:
        yield _joined(waiting)


def _joined(blocks: list[Block]) -> Block:
    """Join blocks of the same features, and empty the list, to release the memory of each."""
    features, samples = blocks[0].features, np.concatenate([block.samples for block in blocks])
    values, at = np.empty((len(samples), len(features)), np.float32), 0
    while blocks:
        part = blocks.pop(0).values
        values[at : at + part.shape[1]] = part.T
        at += part.shape[1]
    return Block(features, samples, values.T)
