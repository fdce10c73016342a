"""Writing of the feature store from the modality tables. `matrix.py` defines its format."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.files import atomic_path
from heteroage.inputs.cohorts import Cohorts
from heteroage.inputs.intake import Intake, ModalityTable
from heteroage.matrix import Progress, create_matrix, feature_blocks, release, write_names
from heteroage.tables.layout import DETECT
from heteroage.tables.source import ahead
from heteroage.tables.table import Block
from heteroage.tables.values import BETA, ValueCheck

STRIP_BYTES = 256 << 20  # size of the values that are joined before they are written
PART = 1 << 20  # number of values checked and written at a time
RELEASED = 256 << 20  # bytes written before memory-mapped pages are released


def write_store(cohorts: Cohorts, features: str | Path, names: str | Path, intake: Intake) -> None:
    """Write all features of all cohorts, block by block; missing values are NaN.

    Raises HeteroAgeError: text or infinity among the values, or values that are not beta values. Nothing is written.
    """
    samples, feature_names = pd.Index(cohorts.samples["sample_id"]), cohorts.feature_names
    row_of = {name: row for row, name in enumerate(feature_names)}
    with atomic_path(features) as beside, atomic_path(names) as names_beside:
        write_names(feature_names, names_beside)
        store = create_matrix(beside, (len(feature_names), len(samples)))
        if sum(len(set(t.features) & row_of.keys()) * len(t.ids) for t in cohorts.tables) < store.size:
            for rows, _ in feature_blocks(store, np.arange(0)):
                store[rows] = np.nan
                release(store)
        for table in cohorts.tables:
            _write_table(store, table, row_of, samples.get_indexer(table.ids), intake)


def _write_table(
    store: np.memmap, table: ModalityTable, row_of: dict[str, int], columns: NDArray[np.int64], intake: Intake
) -> None:
    """Write one table's values to its features' rows and its samples' columns."""
    names, ids = table.table.names, np.array(table.ids, dtype=object)
    sources = np.array([names[k] for k in table.places], dtype=object)
    target = np.array([row_of.get(name, -1) for name in table.features], np.int64)
    rows, count = np.unique(target[target >= 0], return_counts=True)
    # Replicates are kept in memory until all are read, in the order of their names.
    shared = np.flatnonzero(np.isin(target, rows[count > 1]))
    aside = sorted(shared, key=lambda k: (target[k], sources[k]))
    aside_of = np.full(len(target), -1)
    aside_of[aside] = np.arange(len(aside))
    check, written = ValueCheck(table.where, table.entry.values), 0
    progress = Progress(f"reading {table.where}", len(target) * len(columns))
    with tempfile.TemporaryFile(dir=Path(store.filename).parent, prefix=".replicates") as file:
        waiting = np.memmap(file, np.float32, "w+", shape=(max(len(aside), 1), len(columns)))
        for block in ahead(_strips(table.table.blocks(table.places), len(ids))):
            own = columns[block.samples]
            by, called = np.argsort(own), ids[block.samples]
            step = max(1, PART // len(own))
            for start in range(0, len(block.features), step):
                rows = block.features[start : start + step]
                betas = check.convert(block.values[start : start + step], sources[rows], called)
                values = _in_order(betas, by)
                apart = aside_of[rows] >= 0
                if apart.any():
                    waiting[np.ix_(aside_of[rows[apart]], block.samples[by])] = values[apart]
                kept = (target[rows] >= 0) & ~apart
                _place(store, target[rows[kept]], own[by], values if kept.all() else values[kept])
                written += values.nbytes
            progress.add(len(block.features) * len(own))
            if written > RELEASED:
                release(store)
                written = 0
        check.verdict(len(table.ids), len(table.features))
        merged = _merge_replicates(store, waiting, target[aside], columns)
    replicates = dict.fromkeys(table.features[k] for k in aside)
    for step, found, done, which in (
        ("merge_replicates", len(aside), f"averaged under {merged} names", replicates),
        ("convert_values", check.n * (check.stated != BETA), f"from {check.stated} to beta values", ()),
        ("missing_values", check.missing, "kept as missing", ()),
        ("outside_0_1", check.below + check.above, "kept as they are", ()),
    ):
        intake.note(step, table.where, found, done, which)
    intake.tables.append(
        {"modality": table.modality, "file": table.entry.file, "format": table.table.source.kind}
        | {"orientation": table.table.layout.orientation}
        | {"orientation_from": "detected" if table.entry.orientation == DETECT else "stated"}
        | {"n_samples": len(table.ids), "n_cpgs": len(set(table.features))}
        | {"n_values": check.n, "n_missing": check.missing, "n_below_0": check.below, "n_above_1": check.above}
    )


def _in_order(betas: NDArray[np.float64], by: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the values (features, samples) in row-major order, with the samples in the order `by`."""
    if betas.flags.f_contiguous:
        return np.ascontiguousarray(betas.T[by].T, dtype=np.float32)
    return np.ascontiguousarray(betas.astype(np.float32)[:, by])


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
        values = waiting[start:stop].astype(np.float64)
        known = ~np.isnan(values)
        with np.errstate(invalid="ignore"):  # 0 / 0 gives the intended NaN if all replicates are missing
            store[target[start], columns] = np.where(known, values, 0).sum(axis=0) / known.sum(axis=0)
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
