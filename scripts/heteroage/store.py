"""The feature store: one float32 file, features in rows, samples in columns, memory-mapped.

`features.npy` (features x samples) goes with `feature_names.txt`, a name a line, in the order of its rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.cohorts import Cohorts
from heteroage.errors import HeteroAgeError
from heteroage.files import atomic_path

BLOCK = 4096  # features read at a time: 16 MB per 1,000 samples


def write_store(cohorts: Cohorts, features: str | Path, names: str | Path) -> None:
    """Write all cohorts' features; a sample without a modality has NaN there."""
    samples, feature_names = cohorts.samples["sample_id"], cohorts.feature_names
    row_of = {name: row for row, name in enumerate(feature_names)}
    with atomic_path(features) as beside:
        store = _create(beside, (len(feature_names), len(samples)))
        for frame in cohorts.betas.values():
            column = samples.searchsorted(frame.index)
            for start in range(0, frame.shape[1], BLOCK):
                block = frame.iloc[:, start : start + BLOCK]
                values = np.full((block.shape[1], len(samples)), np.nan, np.float32)
                values[:, column] = block.to_numpy(np.float32).T
                # A modality's sorted features are not contiguous rows once modalities interleave.
                store[[row_of[name] for name in block.columns]] = values
        store.flush()
    write_names(feature_names, names)


def write_training_matrix(
    store: NDArray[np.float32], columns: NDArray[np.int64], context: NDArray[np.float64], path: str | Path
) -> None:
    """Copy the training samples (`columns` of the store) and below them their PCs (samples x PCs) to a file."""
    with atomic_path(path) as beside:
        matrix = _create(beside, (store.shape[0] + context.shape[1], len(columns)))
        for rows, block in feature_blocks(store, columns):
            matrix[rows] = block
        matrix[store.shape[0] :] = context.T
        matrix.flush()


def feature_blocks(
    store: NDArray[np.float32], columns: NDArray[np.int64]
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Go through the store once, giving each block of features for the given samples."""
    for start in range(0, store.shape[0], BLOCK):
        rows = slice(start, min(start + BLOCK, store.shape[0]))
        yield rows, store[rows][:, columns]


def feature_frame(
    store: NDArray[np.float32], feature_names: Sequence[str], wanted: Sequence[str], columns: NDArray[np.int64]
) -> pd.DataFrame:
    """Some features of some samples, as a frame with a column per feature."""
    row_of = {name: row for row, name in enumerate(feature_names)}
    return pd.DataFrame(store[[row_of[name] for name in wanted]][:, columns].T, columns=list(wanted))


def open_matrix(features: str | Path, names: str | Path) -> tuple[NDArray[np.float32], list[str]]:
    """Map a store or training matrix (features x samples) and read its feature names."""
    matrix = np.load(features, mmap_mode="r")
    feature_names = Path(names).read_text(encoding="utf-8").splitlines()
    if matrix.shape[0] != len(feature_names):
        raise HeteroAgeError(
            f"{features} has {matrix.shape[0]} features and {names} {len(feature_names)}: "
            "they are of different runs. Remove both and run again."
        )
    return matrix, feature_names


def write_names(feature_names: Sequence[str], path: str | Path) -> None:
    """Write feature names, one a line."""
    with atomic_path(path) as beside:
        beside.write_text("".join(f"{name}\n" for name in feature_names), encoding="utf-8")


def _create(path: Path, shape: tuple[int, int]) -> np.memmap:
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
