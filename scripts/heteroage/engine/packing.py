"""Memory layout of the residuals of many paths, for `residual_products`."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

LANES = 8
FEATURES, PATHS = 2, 5  # of a tile: 10 sums, 2 features and a residual take 13 of the 16 vector registers of AVX2
SAMPLES_PER_GROUP = 32  # samples added, or passed over, together: four vectors
STRETCH = 512  # samples at a time: five residuals' (10 kB) stay in the first cache while features pass by
BYTES = 4  # of a float32
LINE = 64  # bytes of a line of the cache


def pack(residuals: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Pack residuals (paths, samples) into tiles of `PATHS` paths, and find the samples that each tile uses.

    Returns the tiles, (tiles, vectors of samples, PATHS, LANES), so that a tile's vectors are a single contiguous
    stream, and the runs (see `_runs`).
    """
    paths, samples = residuals.shape
    tiles, groups = -(-paths // PATHS), -(-samples // SAMPLES_PER_GROUP)
    rows = np.zeros((tiles, PATHS, groups * SAMPLES_PER_GROUP), np.float32)
    rows.reshape(tiles * PATHS, -1)[:paths, :samples] = residuals
    packed = aligned((tiles, groups * SAMPLES_PER_GROUP // LANES, PATHS, LANES))
    packed[:] = rows.reshape(tiles, PATHS, -1, LANES).swapaxes(1, 2)
    return packed, _runs(rows.reshape(tiles, PATHS, groups, SAMPLES_PER_GROUP).any(axis=(1, 3)))


def _runs(used: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Runs of samples where any of a tile's residuals is not 0, from `used`, (tiles, groups).

    Returns (tiles, stretches, most runs of any, 2): start and end, equal after the last.
    """
    tiles, groups = used.shape
    per_stretch = STRETCH // SAMPLES_PER_GROUP
    stretches = -(-groups // per_stretch)
    padded = np.zeros((tiles, stretches, per_stretch + 2), np.int8)
    for k in range(groups):
        padded[:, k // per_stretch, k % per_stretch + 1] = used[:, k]
    runs = np.zeros((tiles, stretches, per_stretch // 2 + 1, 2), np.int64)
    for tile, stretch in np.ndindex(tiles, stretches):
        edges = np.flatnonzero(np.diff(padded[tile, stretch])).reshape(-1, 2)
        runs[tile, stretch, : len(edges)] = stretch * STRETCH + SAMPLES_PER_GROUP * edges
    return runs


def aligned(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return zeros aligned to cache lines, because loading a vector across two lines takes twice the time."""
    size, spare = math.prod(shape), LINE // BYTES
    raw = np.zeros(size + spare, np.float32)
    first = -raw.ctypes.data % LINE // BYTES
    return raw[first : first + size].reshape(shape)
