"""Correlations of features with the residuals of many paths, each summed in a fixed order.

In BLAS, the rounding of a product's entry depends on its position and on the other entries. Here entry (k, j) depends
only on residual k and feature j, to the byte. There are eight running sums (lane l adds samples l, l + 8, ...), which
are added in a fixed order at the end. So the result does not depend on the other paths in the product.

Like BLAS, the code keeps sums in registers: a tile of 2 features x 5 residuals has 80 sums, and uses every loaded value
two or five times. It adds four optimisations:

- features are read directly from the memory-mapped file, unless values are missing;
- the next features are prefetched;
- samples that are in none of a tile's training sets (whole studies) are skipped;
- only correlations above a threshold are stored.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from heteroage.engine.compiled import compiled
from heteroage.engine.packing import BYTES, FEATURES, LANES, PATHS, SAMPLES_PER_GROUP, aligned, pack
from heteroage.engine.simple_products import Found

SUMS = FEATURES * PATHS * LANES
CACHED_FEATURES = 16  # number of features that stay in the second-level cache while all tiles are processed


class Residuals:
    """The residuals of all paths of a pass, packed for the tiles.

    X : (features, samples); NaN where missing
    residuals : (paths, samples) float32, 0 outside the path's training set
    """

    def __init__(self, X: NDArray[np.float32], residuals: NDArray[np.float32]) -> None:
        self._X = X
        self._packed, self._runs = pack(residuals)
        self._by_sample = np.ascontiguousarray(residuals.T)

    def above(
        self,
        part: slice,
        missing: NDArray[np.bool_],
        set_of: NDArray[np.int64],
        median: NDArray[np.float32],
        inverse: NDArray[np.float32],
        thresholds: NDArray[np.float32],
    ) -> list[Found]:
        """Find each path's correlations (X r + median * sum of r over missing X) * inverse above a threshold.

        part : the features
        missing : (all features,), whether the feature has missing values
        set_of : (paths,), the training set of each path
        median, inverse : (training sets, all features)
        thresholds : (paths,), minimum absolute correlation
        Returns for each path, the indices of the features among all features, and their correlations.
        """
        # One type of array, so that one function is compiled.
        X, start = np.ascontiguousarray(self._X[part], np.float32).view(), part.start
        X.flags.writeable = False
        tiles, samples, paths = len(self._packed), X.shape[1], len(thresholds)
        at, values, counts = _find(
            X,
            start,
            missing,
            self._packed,
            self._by_sample,
            self._runs,
            set_of,
            median,
            inverse,
            thresholds,
            # Work space. It is allocated here because compiled code does not keep an array alive by its address.
            aligned((CACHED_FEATURES, samples)),
            aligned((CACHED_FEATURES, SAMPLES_PER_GROUP)),
            aligned((CACHED_FEATURES // FEATURES, tiles, FEATURES, PATHS, LANES)),
            np.empty((CACHED_FEATURES, paths), np.float32),
        )
        return [(start + at[k, :n], values[k, :n].astype(np.float64)) for k, n in enumerate(counts)]


@compiled
def _find(
    X: NDArray,
    start: int,
    missing: NDArray,
    residuals: NDArray,
    by_sample: NDArray,
    runs: NDArray,
    set_of: NDArray,
    median: NDArray,
    inverse: NDArray,
    thresholds: NDArray,
    complete: NDArray,
    ends: NDArray,
    sums: NDArray,
    gone: NDArray,
) -> tuple[NDArray, NDArray, NDArray]:
    """Return positions in X and correlations, (paths, features), and the number of valid entries per path."""
    (features, samples), paths, tiles = X.shape, len(set_of), len(residuals)
    body = samples // SAMPLES_PER_GROUP * SAMPLES_PER_GROUP  # the remainder of a row is padded with zeros separately
    at, values = np.empty((paths, features), np.int64), np.empty((paths, features), np.float32)
    counts = np.zeros(paths, np.int64)
    row = np.empty(CACHED_FEATURES, np.int64)  # addresses
    totals = np.empty(sums.size // LANES, np.float32)
    for first in range(0, features, CACHED_FEATURES):
        count = min(CACHED_FEATURES, features - first)
        for f in range(count):
            raw = X[first + f]
            row[f] = X.ctypes.data + BYTES * samples * (first + f)
            if missing[start + first + f]:
                _complete(raw, by_sample, complete[f], gone[f])
                raw, row[f] = complete[f], complete.ctypes.data + BYTES * samples * f
            for i in range(body, samples):
                ends[f, i - body] = raw[i]
        if count % FEATURES:
            row[count] = row[count - 1]  # padding of the tile; its result is ignored
        sums[:] = 0
        coming = X.ctypes.data + BYTES * samples * (first + CACHED_FEATURES)
        enough = coming + BYTES * samples * CACHED_FEATURES
        for stretch in range(runs.shape[1]):
            for tile in range(tiles):
                for f in range(0, count, FEATURES):
                    tile_sums = sums.ctypes.data + BYTES * SUMS * (f // FEATURES * tiles + tile)
                    for run in range(runs.shape[2]):
                        begin, end = runs[tile, stretch, run]
                        if begin == end:
                            break
                        r = residuals.ctypes.data + BYTES * PATHS * (tile * LANES * residuals.shape[1] + begin)
                        inside = min(end, body) - begin
                        _add_tile(row[f] + BYTES * begin, row[f + 1] + BYTES * begin, r, inside, tile_sums, coming)
                        coming = min(coming + BYTES * inside // 2, enough)
                        if end > body:
                            x = ends.ctypes.data + BYTES * SAMPLES_PER_GROUP * f
                            r += BYTES * PATHS * inside
                            _add_tile(x, x + BYTES * SAMPLES_PER_GROUP, r, SAMPLES_PER_GROUP, tile_sums, coming)
        for place in range(totals.size):
            totals[place] = _add_lanes(sums.ctypes.data + BYTES * LANES * place)
        own = slice(start + first, start + first + count)
        block = (missing[own], gone, median[:, own], inverse[:, own])
        _keep_large(first, totals, tiles, block, set_of, thresholds, (at, values, counts))
    return at, values, counts


@compiled
def _keep_large(
    first: int,
    totals: NDArray,
    tiles: int,
    block: tuple[NDArray, NDArray, NDArray, NDArray],
    set_of: NDArray,
    thresholds: NDArray,
    found: tuple[NDArray, NDArray, NDArray],
) -> None:
    """Convert a block's sums to correlations, and append those above their path's threshold.

    `totals` has the order feature pairs x tiles x features x paths. `block` has the block's features: missing, sums of
    the residuals where they are missing, median, inverse. `found` is what `_find` returns. Every correlation is
    written; one below the threshold is overwritten by the next.
    """
    missing, gone, median, inverse = block
    at, values, counts = found
    for k in range(len(set_of)):
        tile, p, s, n = k // PATHS, k % PATHS, set_of[k], counts[k]
        for f in range(len(missing)):
            total = totals[((f // FEATURES * tiles + tile) * FEATURES + f % FEATURES) * PATHS + p]
            if missing[f]:
                total += median[s, f] * gone[f, k]
            total *= inverse[s, f]
            at[k, n], values[k, n] = first + f, total
            n += abs(total) >= thresholds[k]
        counts[k] = n


@compiled
def _complete(raw: NDArray, by_sample: NDArray, complete: NDArray, gone: NDArray) -> None:
    """Copy a feature with missing values as 0, and sum the residuals of its missing values."""
    gone[:] = 0
    for i in range(len(raw)):
        complete[i] = raw[i]
        if np.isnan(raw[i]):
            complete[i] = 0
            for k in range(len(gone)):
                gone[k] += by_sample[i, k]


@intrinsic
def _add_tile(context, first, second, residuals, length, sums, coming):  # noqa: ANN001, ANN202
    """Add the products of 2 features and 5 residuals over `length` samples to their sums. Other arguments are
    addresses.

    The sums have the order features x paths x lanes. Meanwhile half as many values of `coming` are prefetched into the
    second-level cache, so five tiles prefetch the next features.
    """
    vector, byte, flag = ir.VectorType(ir.FloatType(), LANES), ir.IntType(8).as_pointer(), ir.IntType(32)

    def generate(target, builder, signature, values):  # noqa: ANN001, ANN202
        *features, residuals, length, sums, coming = values
        number = length.type

        def function(name, result, arguments):  # noqa: ANN001, ANN202
            return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, arguments), name)

        def vector_at(address, place):  # noqa: ANN001, ANN202
            return builder.inttoptr(builder.add(address, number(BYTES * LANES * place)), vector.as_pointer())

        # Fused multiply-add (one instruction, one rounding) if the processor supports it.
        multiply_add = function("llvm.fmuladd.v8f32", vector, [vector] * 3)
        prefetch = function("llvm.prefetch.p0i8", ir.VoidType(), [byte, flag, flag, flag])
        registers = [cgutils.alloca_once(builder, vector) for _ in range(FEATURES * PATHS)]
        for k, register in enumerate(registers):
            builder.store(builder.load(vector_at(sums, k), align=BYTES), register)
        with cgutils.for_range_slice(builder, number(0), length, number(SAMPLES_PER_GROUP), intp=number) as (sample, _):
            offset = builder.mul(sample, number(BYTES))
            line = builder.inttoptr(builder.add(coming, builder.lshr(offset, number(1))), byte)
            builder.call(prefetch, [line, flag(0), flag(2), flag(1)])  # to be read, second cache, data
            x = [builder.add(feature, offset) for feature in features]
            r = builder.add(residuals, builder.mul(offset, number(PATHS)))
            for u in range(SAMPLES_PER_GROUP // LANES):
                both = [builder.load(vector_at(at, u), align=BYTES) for at in x]
                for p in range(PATHS):
                    residual = builder.load(vector_at(r, u * PATHS + p), align=BYTES)
                    for f, feature in enumerate(both):
                        register = registers[f * PATHS + p]
                        builder.store(builder.call(multiply_add, [feature, residual, builder.load(register)]), register)
        for k, register in enumerate(registers):
            builder.store(builder.load(register), vector_at(sums, k), align=BYTES)
        return target.get_dummy_value()

    return types.void(*[types.intp] * 6), generate


@intrinsic
def _add_lanes(context, lanes):  # noqa: ANN001, ANN202
    """Return the sum of the eight numbers at this address, by pairwise halves."""

    def generate(target, builder, signature, values):  # noqa: ANN001, ANN202
        size, index = LANES, ir.IntType(32)
        total = builder.load(builder.inttoptr(values[0], ir.VectorType(ir.FloatType(), size).as_pointer()), align=BYTES)
        while size > 1:
            size //= 2
            halves = (ir.Constant(ir.VectorType(index, size), list(range(k, k + size))) for k in (0, size))
            total = builder.fadd(*(builder.shuffle_vector(total, total, half) for half in halves))
        return builder.extract_element(total, index(0))

    return types.float32(types.intp), generate
