"""Correlations of features with the residuals of many paths, every one summed in an order of its own.

BLAS may round an entry of a product by where it stands and by what stands beside it. Here entry (k, j) depends, to
the byte, on residual k and feature j alone: eight running sums (lane l adds samples l, l + 8, ... by fused
multiply-adds), added up in a fixed order at the end. So it does not matter which other paths walk along, and one that
rests need not be there.

The speed of BLAS comes from registers: a tile of 2 features x 5 residuals keeps its 80 sums there, and uses every value
it loads two or five times. What it does beyond BLAS: features need no repacking; those that come next are on
their way from memory meanwhile; and samples that none of a tile's residuals has (whole studies, as folds leave them
out) are passed over.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from heteroage.compiled import compiled

LANES = 8
FEATURES, PATHS = 2, 5  # of a tile: 10 sums, 2 features and a residual take 13 of the 16 vector registers of AVX2
UNROLLED = 4
SUMS = FEATURES * PATHS * LANES
GROUP = 64  # samples that are passed over together; a multiple of LANES * UNROLLED
STRETCH = 1024  # samples at a time: five residuals' stay in the first cache while features pass by
BLOCK = 12  # features that stay in the second cache while the tiles pass by


@intrinsic
def _add_tile(context, x, at_x, r, at_r, width, length, sums, at_sums, coming, at_coming):  # noqa: ANN001, ANN202
    """Add x r to the sums, for `length` samples of 2 rows of x from at_x on and 5 of r from at_r on.

    x and r are flat, their rows `width` apart; sums have the order features x paths x lanes. Meanwhile length / 2
    values of `coming` are fetched into the cache.
    """
    integer = types.intp
    signature = types.void(x, integer, r, integer, integer, integer, sums, integer, coming, integer)

    def generate(target, builder, signature, values):  # noqa: ANN001, ANN202
        x, at_x, r, at_r, width, length, sums, at_sums, coming, at_coming = values
        x, r, sums, coming = (
            target.make_array(signature.args[k])(target, builder, values[k]).data for k in (0, 2, 6, 8)
        )
        number, vector, byte = width.type, ir.VectorType(ir.FloatType(), LANES), ir.IntType(8).as_pointer()
        flag = ir.IntType(32)

        def function(name, result, arguments):  # noqa: ANN001, ANN202
            return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, arguments), name)

        def rows(start, step, count):  # noqa: ANN001, ANN202
            return [builder.add(start, builder.mul(step, number(k))) for k in range(count)]

        def vector_at(data, place):  # noqa: ANN001, ANN202
            return builder.bitcast(builder.gep(data, [place]), vector.as_pointer())

        multiply_add = function("llvm.fma.v8f32", vector, [vector] * 3)
        prefetch = function("llvm.prefetch.p0i8", ir.VoidType(), [byte, flag, flag, flag])
        places = rows(at_sums, number(LANES), FEATURES * PATHS)
        registers = [cgutils.alloca_once(builder, vector) for _ in places]
        for register, place in zip(registers, places, strict=True):
            builder.store(builder.load(vector_at(sums, place), align=4), register)
        step = number(LANES * UNROLLED)
        with cgutils.for_range_slice(builder, number(0), length, step, intp=number) as (first, _):
            line = builder.add(at_coming, builder.lshr(first, number(1)))
            # For reading, to be kept in the second cache, data.
            builder.call(prefetch, [builder.bitcast(builder.gep(coming, [line]), byte), flag(0), flag(2), flag(1)])
            for i in rows(first, number(LANES), UNROLLED):
                features = [
                    builder.load(vector_at(x, builder.add(row, i)), align=4) for row in rows(at_x, width, FEATURES)
                ]
                for p, row in enumerate(rows(at_r, width, PATHS)):
                    residual = builder.load(vector_at(r, builder.add(row, i)), align=4)
                    for f, feature in enumerate(features):
                        register = registers[f * PATHS + p]
                        builder.store(builder.call(multiply_add, [feature, residual, builder.load(register)]), register)
        for register, place in zip(registers, places, strict=True):
            builder.store(builder.load(register), vector_at(sums, place), align=4)
        return target.get_dummy_value()

    return signature, generate


@compiled
def correlations_above(
    X: NDArray[np.float32],
    start: int,
    missing: NDArray[np.bool_],
    residuals: NDArray[np.float32],
    set_of: NDArray[np.int64],
    median: NDArray[np.float32],
    inverse: NDArray[np.float32],
    thresholds: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Correlations (X r + median * sum of r where X is missing) * inverse that reach a path's threshold in size.

    Parameters
    ----------
    X : (features, samples), rows contiguous, not writeable (so that it is compiled once); NaN where missing
    start : place of the first of them among all features
    missing : (all features,), whether any value is
    residuals : (paths, samples)
    set_of : (paths,), the training set of each
    median, inverse : (training sets, all features)
    thresholds : (paths,)

    Returns
    -------
    features (places among all) and their correlations, path by path; and where each path's end, (paths,)
    """
    features, samples = X.shape
    paths = len(residuals)
    width = -(-samples // GROUP) * GROUP
    tiles = -(-paths // PATHS)
    r = np.zeros((tiles * PATHS, width), np.float32)
    r[:paths, :samples] = residuals
    starts, ends, bounds = _runs(r)
    by_sample = np.empty((0, 0), np.float32)
    gone = np.zeros((BLOCK, paths), np.float32)
    x = np.zeros((BLOCK, width), np.float32)
    correlations = np.empty((paths, features), np.float32)
    flat_x, flat_r, flat = x.reshape(-1), r.reshape(-1), X.reshape(-1)
    sums = np.empty(BLOCK // FEATURES * tiles * SUMS, np.float32)
    dots = np.empty(len(sums) // LANES, np.float32)
    by_tile = dots.reshape(-1, tiles, FEATURES, PATHS)
    last = max(len(flat) - STRETCH, 0)
    for first in range(0, features, BLOCK):
        count = min(BLOCK, features - first)
        block = start + first
        for f in range(count):
            raw, copy = X[first + f], x[f]
            if not missing[block + f]:
                for i in range(samples):
                    copy[i] = raw[i]
                continue
            if not len(by_sample):
                by_sample = residuals.T.copy()
            here = gone[f]
            here[:] = 0
            for i in range(samples):
                if np.isnan(raw[i]):
                    copy[i] = 0
                    at_sample = by_sample[i]
                    for k in range(paths):
                        here[k] += at_sample[k]
                else:
                    copy[i] = raw[i]
        sums[:] = 0
        coming = (first + BLOCK) * samples
        for stretch in range(bounds.shape[1] - 1):
            for tile in range(tiles):
                for f in range(0, count, FEATURES):
                    for run in range(bounds[tile, stretch], bounds[tile, stretch + 1]):
                        sample, length = starts[tile, run], ends[tile, run] - starts[tile, run]
                        _add_tile(
                            flat_x,
                            f * width + sample,
                            flat_r,
                            tile * PATHS * width + sample,
                            width,
                            length,
                            sums,
                            (f // FEATURES * tiles + tile) * SUMS,
                            flat,
                            min(coming, last),
                        )
                        coming += length // 2
        _add_lanes(sums.reshape(-1, LANES), dots)
        for k in range(paths):
            tile, p, s = k // PATHS, k % PATHS, set_of[k]
            for f in range(count):
                total = by_tile[f // FEATURES, tile, f % FEATURES, p]
                if missing[block + f]:
                    total += median[s, block + f] * gone[f, k]
                correlations[k, first + f] = total * inverse[s, block + f]
    return _above(correlations, thresholds, start)


@compiled
def _add_lanes(sums: NDArray[np.float32], dots: NDArray[np.float32]) -> None:
    for i in range(len(sums)):
        dots[i] = ((sums[i, 0] + sums[i, 4]) + (sums[i, 2] + sums[i, 6])) + (
            (sums[i, 1] + sums[i, 5]) + (sums[i, 3] + sums[i, 7])
        )


@compiled
def _above(
    correlations: NDArray[np.float32], thresholds: NDArray[np.float32], start: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    paths, features = correlations.shape
    at, values = np.empty(correlations.size, np.int64), np.empty(correlations.size, np.float64)
    ends = np.empty(paths, np.int64)
    found = 0
    for k in range(paths):
        for f in range(features):
            at[found], values[found] = start + f, correlations[k, f]
            found += abs(correlations[k, f]) >= thresholds[k]
        ends[k] = found
    return at[:found].copy(), values[:found].copy(), ends


@compiled
def _runs(r: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Runs of samples, in groups, where any of a tile's residuals is not 0.

    Returns starts and ends, (tiles, runs), and bounds, (tiles, stretches + 1): the runs of stretch s are those from
    bounds[:, s] to bounds[:, s + 1].
    """
    tiles, width = len(r) // PATHS, r.shape[1]
    stretches = -(-width // STRETCH)
    starts, ends = np.empty((tiles, width // GROUP), np.int64), np.empty((tiles, width // GROUP), np.int64)
    bounds = np.zeros((tiles, stretches + 1), np.int64)
    for tile in range(tiles):
        run = 0
        for stretch in range(stretches):
            going_on = False
            for start in range(stretch * STRETCH, min((stretch + 1) * STRETCH, width), GROUP):
                used = np.any(r[tile * PATHS : (tile + 1) * PATHS, start : start + GROUP] != 0)
                if used and not going_on:
                    starts[tile, run] = start
                    run += 1
                if used:
                    ends[tile, run - 1] = start + GROUP
                going_on = used
            bounds[tile, stretch + 1] = run
    return starts, ends, bounds
