"""Writing the feature store from the modality tables. `matrix.py` has its format."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heteroage.files import atomic_path
from heteroage.inputs.grid import ahead
from heteroage.inputs.intake import Intake
from heteroage.inputs.merge import Cohorts
from heteroage.inputs.scatter import is_large, permute, scatter_for
from heteroage.inputs.tables import Table
from heteroage.inputs.values import BETA, ValueCheck
from heteroage.matrix import create_matrix, feature_blocks, release, write_names

PART = 1 << 17  # values checked and written at a time: few enough to stay in the processor's cache
IN_PLACE_BYTES = 8 << 30  # of a spool that may become the store: rows are moved at random, which a disk is slow at
RELEASED = 256 << 20  # bytes written before mapped pages are given back


def write_store(cohorts: Cohorts, features: str | Path, names: str | Path, intake: Intake) -> None:
    """Write all cohorts' features, block by block; a sample that has not got a feature has NaN there.

    Raises
    ------
    HeteroAgeError
        Text or infinity among the values, or values that are no betas; then nothing is written.
    """
    samples, feature_names = cohorts.samples["sample_id"], cohorts.feature_names
    row_of = {name: row for row, name in enumerate(feature_names)}
    with atomic_path(features) as beside, atomic_path(names) as names_beside:
        write_names(feature_names, names_beside)
        only = cohorts.tables[0] if len(cohorts.tables) == 1 else None
        if only and _take_over(beside, only, row_of, samples.searchsorted(only.ids), intake):
            return
        store = create_matrix(beside, (len(feature_names), len(samples)))
        if sum(len(set(t.features) & row_of.keys()) * len(t.ids) for t in cohorts.tables) < store.size:
            for rows, _ in feature_blocks(store, np.arange(0)):
                store[rows] = np.nan
                release(store)
        for table in cohorts.tables:
            _write_table(store, table, row_of, samples.searchsorted(table.ids), intake)


def _take_over(path: Path, table: Table, row_of: dict[str, int], columns: NDArray[np.int64], intake: Intake) -> bool:
    """Make the store of an only table's spool, if it has one: its rows and columns are put in order where they lie.

    Another file would want as many pages again, which takes longer than all else that is done with the values. Left
    to `_write_table` are small tables, those that memory may not hold, values to convert, and probes to average.
    """
    target = np.array([row_of.get(name, -1) for name in table.features], np.int64)
    spool, features = table.grid.spool, int((target >= 0).sum())
    check = ValueCheck(table.where, table.entry.values, table.sources, table.ids)
    n_values = target.size * len(columns)
    if spool is None or not is_large(n_values) or 4 * n_values > IN_PLACE_BYTES:
        return False
    if check.stated != BETA or _replicates(target):
        return False
    for _ in _checked(table, np.arange(len(target)), check):
        pass
    check.verdict()
    matrix = spool.become(path)
    if matrix is None:
        return False
    target[target < 0] = features + np.arange(len(target) - features)  # behind the store's end
    permute(matrix, target, columns)
    spool.end(features)
    _note(table, check, [], 0, intake)
    return True


def _write_table(
    store: np.memmap, table: Table, row_of: dict[str, int], columns: NDArray[np.int64], intake: Intake
) -> None:
    """Write one table's values to its features' rows and its samples' columns."""
    target = np.array([row_of.get(name, -1) for name in table.features], np.int64)
    shared = _replicates(target)
    is_shared = np.zeros(len(target), bool)
    is_shared[list(shared)] = True
    check, written = ValueCheck(table.where, table.entry.values, table.sources, table.ids), 0
    scatter = scatter_for(target.size * len(columns))
    with tempfile.TemporaryFile(dir=Path(store.filename).parent, prefix=".replicates") as file:
        # Replicates wait beside the store until all of them are there; in order of their names.
        aside = {source: k for k, source in enumerate(sorted(shared, key=lambda k: (target[k], table.sources[k])))}
        waiting = np.memmap(file, np.float32, "w+", shape=(max(len(aside), 1), len(columns)))
        for cpgs, own, values in ahead(_checked(table, target, check)):
            for k in np.flatnonzero(is_shared[cpgs]):
                waiting[aside[cpgs[k]], own] = values[k]
            scatter(store, np.where(is_shared[cpgs], -1, target[cpgs]), columns[own], values)
            written += values.nbytes
            if written > RELEASED:
                release(store)
                written = 0
        check.verdict()
        merged = _merge_replicates(store, waiting, target[list(aside)], columns)
    _note(table, check, [table.features[k] for k in aside], merged, intake)


def _note(table: Table, check: ValueCheck, replicates: Sequence[str | None], merged: int, intake: Intake) -> None:
    """Count what was found and done in a table."""
    for step, found, done, which in (
        ("merge_replicates", len(replicates), f"averaged under {merged} names", dict.fromkeys(replicates)),
        ("convert_values", check.n * (check.stated != BETA), f"from {check.stated} to beta values", ()),
        ("missing_values", check.missing, "kept as missing", ()),
        ("outside_0_1", check.below + check.above, "kept as they are", ()),
    ):
        intake.note(step, table.where, found, done, which)
    intake.tables.append(
        {"modality": table.modality, "file": table.entry.file, "format": table.format}
        | {"orientation": table.orientation}
        | {"orientation_from": "detected" if table.entry.orientation == "detect" else "stated"}
        | {"n_samples": len(table.ids), "n_cpgs": len(set(table.features) - {None})}
        | {"n_values": check.n, "n_missing": check.missing, "n_below_0": check.below, "n_above_1": check.above}
    )


def _checked(
    table: Table, target: NDArray[np.int64], check: ValueCheck
) -> Iterator[tuple[NDArray[np.int64], slice, NDArray[np.float32]]]:
    """Go through a table's beta values: (CpGs, samples, values), the CpGs of each block in the order of the store.

    Pages of a file that are written one after another cost a quarter of the time.
    """
    for cpgs, own, block in ahead(table.blocks()):
        order = np.argsort(target[cpgs], kind="stable")
        step = max(1, PART // block.shape[1])
        for start in range(0, len(order), step):
            part = order[start : start + step]
            here = cpgs.start + part
            yield here, own, check.convert(np.ascontiguousarray(block[part]), here, own)


def _replicates(target: NDArray[np.int64]) -> set[int]:
    """Positions of rows that go to the same feature as another."""
    rows, count = np.unique(target[target >= 0], return_counts=True)
    return set(np.flatnonzero(np.isin(target, rows[count > 1])).tolist())


def _merge_replicates(
    store: np.memmap, waiting: NDArray[np.float32], target: NDArray[np.int64], columns: NDArray[np.int64]
) -> int:
    """Write the mean of each feature's replicates (rows of `waiting`, by feature and name), of those not missing."""
    starts = np.flatnonzero(np.diff(target, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(target)], strict=False):
        values = waiting[start:stop].astype(np.float64)
        known = ~np.isnan(values)
        with np.errstate(invalid="ignore"):  # nothing known: 0 / 0 is the NaN that is meant
            store[target[start], columns] = np.where(known, values, 0).sum(axis=0) / known.sum(axis=0)
    return len(starts)
