"""The format of the feature store: one float32 file, features in rows, samples in columns, memory-mapped.

`features.npy` (features x samples) goes with `feature_names.txt`, one name per line, in the order of its rows.
Every step after reading opens the store through this module.
"""

from __future__ import annotations

import logging
import mmap
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heteroage.errors import HeteroAgeError
from heteroage.files import write_text

FEATURES_PER_BLOCK = 4096  # number of features per block: 16 MB per 1,000 samples
SECONDS = 5.0  # interval between lines of progress in the log; shorter steps print nothing

log = logging.getLogger(__name__)


def open_matrix(features: str | Path, names: str | Path) -> tuple[NDArray[np.float32], list[str]]:
    """Map a matrix (features x samples) and read its feature names.

    Raises HeteroAgeError: the two files do not have the same number of features.
    """
    matrix = np.load(features, mmap_mode="r")
    feature_names = Path(names).read_text(encoding="utf-8").splitlines()
    if matrix.shape[0] != len(feature_names):
        raise HeteroAgeError(
            f"{features} has {matrix.shape[0]} features and {names} {len(feature_names)}: "
            "they are from different runs. Remove both and run again."
        )
    return matrix, feature_names


def create_matrix(path: str | Path, shape: tuple[int, int]) -> np.memmap:
    """Create a matrix file (features x samples) and map it for writing."""
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)


class StackedRows:
    """Rows of a mapped matrix, followed by rows in memory; indexed only by rows (a slice, or positions).

    mapped : (features, samples)
    below : (more features, samples)
    """

    def __init__(self, mapped: NDArray[np.float32], below: NDArray[np.float32]) -> None:
        self._mapped, self._below = mapped, below
        self.shape = (len(mapped) + len(below), mapped.shape[1])
        self.size = self.shape[0] * self.shape[1]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        n = len(self._mapped)
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(len(self))
            if stop <= n:  # a view: nothing is copied
                return self._mapped[start:stop]
            return np.concatenate([self._mapped[start:n], self._below[max(start - n, 0) : stop - n]])
        rows = np.asarray(rows, np.int64)
        values = np.empty((len(rows), self.shape[1]), np.float32)
        values[rows < n] = read_rows(self._mapped, rows[rows < n])
        values[rows >= n] = self._below[rows[rows >= n] - n]
        return values


def read_rows(matrix: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Copy some rows of a matrix. Rows of a mapped file are read from the file, not through the map.

    Through the map, the operating system also loads the neighbourhood of each row: a thousand rows of a large store
    load all of it into memory.
    """
    if not isinstance(matrix, np.memmap):
        return matrix[rows]
    values = np.empty((len(rows), matrix.shape[1]), np.float32)
    mapped = np.frombuffer(matrix._mmap, np.uint8)  # from the start of the page that `offset` lies in
    first = matrix.offset - matrix.offset % mmap.ALLOCATIONGRANULARITY + matrix.ctypes.data - mapped.ctypes.data
    with Path(matrix.filename).open("rb", buffering=0) as file:
        for row, value in zip(rows.tolist(), values, strict=True):
            file.seek(first + row * matrix.strides[0])
            file.readinto(value)
    return values


def write_names(feature_names: Sequence[str], path: str | Path) -> None:
    """Write feature names, one per line."""
    write_text("".join(f"{name}\n" for name in feature_names), path)


def release(matrix: np.memmap) -> None:
    """Release mapped pages to the operating system, which writes them to the file."""
    if hasattr(mmap, "MADV_DONTNEED"):
        matrix._mmap.madvise(mmap.MADV_DONTNEED)


class Progress:
    """Count the finished units of a long step.

    what : name of the step, for example `reading data/beta.csv`
    total : total number of units
    """

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done = what, total, 0
        self.begun = self.last = time.monotonic()

    def add(self, done: int) -> None:
        """Add finished units; log the percentage and the remaining time at most every `SECONDS` seconds."""
        self.done += done
        now = time.monotonic()
        if now - self.last < SECONDS or not self.done:
            return
        self.last, elapsed = now, now - self.begun
        left = elapsed * (self.total - self.done) / self.done
        log.info("%s: %.0f%% done, about %.0f s left", self.what, 100 * self.done / self.total, max(left, 0))


def feature_blocks(
    matrix: NDArray[np.float32], columns: NDArray[np.int64] | slice, what: str = "reading the store"
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Read the matrix once, in blocks of features; yields each block's rows and its values of `columns`.

    `what` names the step in the lines of progress that go to the log.
    """
    progress = Progress(what, matrix.shape[0])
    for start in range(0, matrix.shape[0], FEATURES_PER_BLOCK):
        rows = slice(start, min(start + FEATURES_PER_BLOCK, matrix.shape[0]))
        block = matrix[rows]
        yield rows, block[:, columns] if isinstance(columns, slice) else np.asarray(block).take(columns, axis=1)
        progress.add(rows.stop - rows.start)


def values_of(
    matrix: NDArray[np.float32], feature_names: Sequence[str], wanted: Sequence[str], columns: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Read the features `wanted` of the samples in `columns`; returns (samples, features)."""
    row_of = {name: row for row, name in enumerate(feature_names)}
    return matrix[[row_of[name] for name in wanted]][:, columns].T


def scale_of(blocks: Iterable[NDArray], n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and standard deviation of each of n samples over blocks of values (CpGs, samples)."""
    count, total, squares = np.zeros((3, n))
    for block in blocks:
        known = ~np.isnan(block)
        values = np.where(known, block.astype(np.float64), 0.0)
        count, total, squares = count + known.sum(axis=0), total + values.sum(axis=0), squares + (values**2).sum(axis=0)
    mean = total / np.maximum(count, 1)
    return mean, np.sqrt(np.maximum(squares / np.maximum(count, 1) - mean**2, 1e-12))
