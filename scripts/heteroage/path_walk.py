"""All elastic-net paths at once: one walk down the alphas, one pass over the features per step.

The paths (training sets x l1_ratios) go in lock-step. At each alpha

1. every path solves on its working set (`active_set`), with the features that are expected to enter;
2. one pass over all features, a matrix product with the residuals of all paths as its columns, checks the
   optimality condition |c_j| <= alpha l1 of every feature and keeps for the next alpha those that the sequential
   strong rule (Tibshirani et al., JRSS B 74:245, 2012) cannot discard,

       { j : |c_j| >= l1 (2 alpha_next - alpha) };

3. features that violate their condition enter, their path solves again, and all that could have moved across
   the bound meanwhile are checked again.

Screening and expectation may err, the check does not.

As residuals sum to zero in a training set and are zero outside of it, c = Z'r/n is the raw product X'r over
n times the deviation: no training set needs a matrix of its own for the passes.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heteroage.active_set import PathSolver
from heteroage.standardise import Standardiser

log = logging.getLogger(__name__)

BLOCK = 1024  # features per product
COLUMNS = 4  # products have a multiple of this many columns
STEP = 0.75  # a path comes down from its alpha_max by at least this ratio
KKT_TOLERANCE = 1e-4  # of alpha l1
KEEP = 0.5  # of the next alpha l1: keep no feature below, however long the step
EXPECT = 0.02  # features expected within this of entering enter the working set beforehand
FLOAT32_RIDGE = 1e-4  # ridge part from which single precision keeps the Gram matrix well conditioned


@dataclass(frozen=True)
class Step:
    """What a path found at one alpha: its active features and their weights."""

    features: NDArray[np.int64]
    weights: NDArray[np.float64]


@dataclass
class Path:
    """One path on its walk: its solver, where it is, and what the last check of all features kept."""

    solver: PathSolver
    training_set: int
    column: int  # in the products
    schedule: dict[int, float]  # time -> alpha
    first: int  # from this time on, times are positions of the grid
    alpha: float  # the last alpha solved
    kept: NDArray[np.int64]  # sorted
    correlation: NDArray[np.float64]  # of the kept
    before: NDArray[np.float64]  # the same one alpha earlier; NaN where it was not kept
    alpha_before: float
    steps: dict[int, Step]
    in_working_set: NDArray[np.bool_]

    @property
    def l1_ratio(self) -> float:
        """The solver's."""
        return self.solver.l1_ratio

    def near_bound(self, fraction: float) -> NDArray[np.int64]:
        """Features with weight, and those whose correlation has come this near to the bound; sorted."""
        bound = fraction * self.alpha * self.l1_ratio
        own = (self.solver.w != 0) | (np.abs(self.solver.c) >= bound)
        return np.union1d(self.solver.features[own], self.kept[np.abs(self.correlation) >= bound])


@dataclass(frozen=True)
class Statistics:
    """What one pass over X says about each feature in each training set, (features x training sets)."""

    median: NDArray[np.float32]
    inverse: NDArray[np.float32]  # 1 / (n deviation); 0 for a constant feature
    correlation: NDArray[np.float32]  # Z'(y - mean y) / n
    missing: NDArray[np.bool_]  # (features,): NaN for any sample


class Walk:
    """One call's features, training sets and pool."""

    def __init__(
        self,
        X: NDArray[np.float32],
        rows: Sequence[NDArray[np.int64]],
        targets: Sequence[NDArray[np.float64]],
        pool: ThreadPoolExecutor,
        block: int = BLOCK,
    ) -> None:
        self.X, self.rows, self.pool, self.block = X, rows, pool, block
        self.targets = [y - y.mean() for y in targets]
        self.passes = 0

    # --- statistics ---------------------------------------------------------------------------------------

    def learn(self) -> None:
        """Learn the statistics of every feature in every training set: one pass."""
        n, sets = self.X.shape[1], len(self.rows)
        # float64 columns: 0/1 membership, then the centred targets.
        columns = np.zeros((n, 2 * sets))
        for t, (rows, y) in enumerate(zip(self.rows, self.targets, strict=True)):
            columns[rows, t], columns[rows, sets + t] = 1, y
        size = np.array([len(rows) for rows in self.rows], np.float64)
        small = max(1, self.block // 4)

        def block_statistics(start: int) -> tuple[NDArray, ...]:
            raw = np.asarray(self.X[start : start + small])
            block = raw.astype(np.float64)
            absent = np.isnan(raw)
            missing = absent.any(axis=1)
            median = np.zeros((len(raw), sets))
            if missing.any():
                block[absent] = 0
                at = np.flatnonzero(missing)
                for t, rows in enumerate(self.rows):
                    median[at, t] = Standardiser.medians(raw[at].take(rows, axis=1))
            sums = block @ columns
            np.square(block, out=block)
            squares = block @ columns[:, :sets]
            if missing.any():
                gone = absent.astype(np.float64) @ columns
                sums += np.tile(median, 2) * gone
                squares += median**2 * gone[:, :sets]
            mean = sums[:, :sets] / size
            variance = squares / size - mean**2
            scale = np.sqrt(np.maximum(variance, 0))
            # The difference of squares has lost its digits where the deviation is small beside the mean.
            for t in range(sets):
                at = np.flatnonzero(variance[:, t] <= 1e-7 * mean[:, t] ** 2)
                if len(at):
                    exact = Standardiser.fit(raw[at].take(self.rows[t], axis=1))
                    scale[at, t] = np.where(exact.constant, np.inf, exact.scale)
            correlation = sums[:, sets:] / (size * scale)
            return median, 1 / (size * scale), correlation, missing

        parts = list(self.pool.map(block_statistics, range(0, len(self.X), small)))
        median, inverse, correlation = (
            np.concatenate([part[k].astype(np.float32) for part in parts]) for k in range(3)
        )
        self.statistics = Statistics(median, inverse, correlation, np.concatenate([part[3] for part in parts]))

    # --- paths --------------------------------------------------------------------------------------------

    def _start(self, column: int, training_set: int, l1_ratio: float, alphas: NDArray[np.float64]) -> Path:
        """Set a path at its own alpha_max, and schedule its way down to and along the grid."""
        c = self.statistics.correlation[:, training_set]
        alpha_max = float(np.abs(c).max(initial=0)) / l1_ratio
        schedule: dict[int, float] = {}
        below = np.flatnonzero(alphas < alpha_max)
        first = int(below[0]) if len(below) else len(alphas)
        if len(below):
            # With steps that end together, all paths are at the same alpha of the grid at the same time.
            down = math.ceil(math.log(alpha_max / alphas[first]) / math.log(1 / STEP))
            ways = np.geomspace(alpha_max, alphas[first], down + 1)[1:-1]
            schedule = {first - len(ways) + k: float(alpha) for k, alpha in enumerate(ways)}
            schedule |= {k: float(alphas[k]) for k in below}
        lowest = alphas[-1] * (1 - l1_ratio)
        solver = PathSolver(self.targets[training_set], l1_ratio, np.float32 if lowest >= FLOAT32_RIDGE else np.float64)
        path = Path(
            solver,
            training_set,
            column,
            schedule,
            first,
            alpha_max,
            np.empty(0, np.int64),
            np.empty(0),
            np.empty(0),
            np.inf,
            {},
            np.zeros(len(self.X), bool),
        )
        if schedule:
            kept = np.flatnonzero(np.abs(c) >= _keep_above(path, alpha_max, schedule[min(schedule)]))
            path.kept, path.correlation, path.before = kept, c[kept].astype(np.float64), np.full(len(kept), np.nan)
        return path

    def run(self, l1_ratios: Sequence[float], alphas: NDArray[np.float64], label: str) -> list[Path]:
        """Walk all paths down the alphas; returns them by training set, then l1_ratio."""
        begun = time.perf_counter()
        self.learn()
        order = [(t, l1_ratio) for t in range(len(self.rows)) for l1_ratio in l1_ratios]
        self.training_set = np.zeros(-(-len(order) // COLUMNS) * COLUMNS, np.int64)
        self.training_set[: len(order)] = [t for t, _ in order]
        paths = [self._start(column, t, l1_ratio, alphas) for column, (t, l1_ratio) in enumerate(order)]
        times = sorted({at for path in paths for at in path.schedule})
        for done, at in enumerate(times, start=1):
            joined = [path for path in paths if at in path.schedule]
            self._step(joined, at)
            elapsed = time.perf_counter() - begun
            active = [np.count_nonzero(path.solver.w) for path in joined]
            log.info(
                "%sstep %d of %d: alpha %.4g; active features %d at most, %d in all; pass %d; %.0f s, %.0f s left",
                f"{label}: " if label else "",
                done,
                len(times),
                joined[0].schedule[at],
                max(active),
                sum(active),
                self.passes,
                elapsed,
                elapsed / done * (len(times) - done),
            )
        return paths

    def _step(self, joined: list[Path], at: int) -> None:
        list(self.pool.map(lambda path: self._advance(path, path.schedule[at]), joined))
        pending = joined
        while pending:
            thresholds = [_keep_above(path, path.schedule[at], path.schedule.get(at + 1)) for path in pending]
            found = self._pass(pending, thresholds)
            jobs = zip(pending, thresholds, found, strict=True)
            optimal = list(self.pool.map(lambda job: self._repair(*job, job[0].schedule[at]), jobs))
            pending = [path for path, ok in zip(pending, optimal, strict=True) if not ok]
        for path in joined:
            path.alpha = path.schedule[at]
            if at >= path.first:
                used = np.flatnonzero(path.solver.w)
                used = used[np.argsort(path.solver.features[used])]
                path.steps[at] = Step(path.solver.features[used], path.solver.w[used])

    def _advance(self, path: Path, alpha: float) -> None:
        """Move one path to its next alpha, on its working set."""
        solver = path.solver
        # Forget what neither has weight nor was kept, once it is a third of the working set.
        stale = (solver.w == 0) & ~np.isin(solver.features, path.kept)
        if 3 * stale.sum() > len(stale):
            path.in_working_set[solver.features[stale]] = False
            solver.keep(~stale)
        # Correlations follow nearly straight lines: those expected to come near the bound enter the working set.
        slope = np.nan_to_num((path.correlation - path.before) / (path.alpha - path.alpha_before))
        expected = path.correlation + slope * (alpha - path.alpha)
        path.before, path.alpha_before = path.correlation, path.alpha
        self._admit(path, path.kept[np.abs(expected) > alpha * path.l1_ratio * (1 - EXPECT)])
        solver.solve(alpha, path.alpha)

    def _repair(
        self,
        path: Path,
        threshold: float,
        found: tuple[NDArray[np.int64], NDArray[np.float64]],
        alpha: float,
    ) -> bool:
        """Let features that violate their optimality condition in, until none does.

        By Cauchy-Schwarz no correlation moves by more than the residual does (root mean square), so most features
        need not be looked at again. Returns False if that says too little and all must be.
        """
        self._renew(path, *found)
        bound, checked = alpha * path.l1_ratio * (1 + KKT_TOLERANCE), path.solver.residual
        correlation, moved = np.abs(path.correlation), 0.0
        while self._admit(path, path.kept[correlation > bound]):
            path.solver.solve(alpha, alpha)
            moved = np.linalg.norm(path.solver.residual - checked) / math.sqrt(len(checked))
            near = (np.abs(path.correlation) + moved > bound) & ~path.in_working_set[path.kept]
            correlation = np.zeros(len(path.kept))
            correlation[near] = np.abs(self._rows(path, path.kept[near]) @ path.solver.residual) / len(checked)
        return threshold + moved <= bound

    def _admit(self, path: Path, features: NDArray[np.int64]) -> bool:
        """Add features to the working set; False if there is none to add."""
        features = features[~path.in_working_set[features]]
        path.in_working_set[features] = True
        if len(features):
            path.solver.add(features, self._rows(path, features))
        return len(features) > 0

    def _rows(self, path: Path, features: NDArray[np.int64]) -> NDArray:
        """Standardised rows of features for the path's training set."""
        rows = self.rows[path.training_set]
        Z = np.empty((len(features), len(rows)), path.solver.dtype)
        for part in _slices(len(features), 256):
            raw = np.asarray(self.X[features[part]]).take(rows, axis=1)
            Z[part] = Standardiser.fit(raw).apply(raw)
        return Z

    def _renew(self, path: Path, features: NDArray[np.int64], correlation: NDArray[np.float64]) -> None:
        """Replace the kept features, carrying over the correlations of one alpha earlier."""
        before = np.full(len(features), np.nan)
        if len(path.kept):
            position = np.minimum(np.searchsorted(path.kept, features), len(path.kept) - 1)
            known = path.kept[position] == features
            before[known] = path.before[position[known]]
        path.kept, path.correlation, path.before = features, correlation, before

    # --- products -----------------------------------------------------------------------------------------

    def _correlate(self, part: slice, R: NDArray[np.float32]) -> NDArray[np.float32]:
        """c of these features for every column of R."""
        s, raw = self.statistics, np.asarray(self.X[part])
        incomplete = s.missing[part].any()
        if incomplete:
            absent = np.isnan(raw)
            raw = np.where(absent, np.float32(0), raw)
        C = raw @ R
        if incomplete:
            C += s.median[part].take(self.training_set, axis=1) * (absent.astype(np.float32) @ R)
        C *= s.inverse[part].take(self.training_set, axis=1)
        return C

    def _pass(
        self, paths: Sequence[Path], thresholds: Sequence[float]
    ) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Go over all features: for each path, those with |c| at or above its threshold, and their c."""
        self.passes += 1
        # Each path has its own column, joined or not: BLAS may round a column by where it stands, and a training
        # set's solution must not depend on when others join.
        R = np.zeros((self.X.shape[1], len(self.training_set)), np.float32)
        bound = np.full(R.shape[1], np.inf, np.float32)
        for path, threshold in zip(paths, thresholds, strict=True):
            R[self.rows[path.training_set], path.column] = path.solver.residual
            bound[path.column] = threshold

        def above(part: slice) -> tuple[NDArray, ...]:
            C = self._correlate(part, R)
            feature, column = np.nonzero(np.abs(C) >= bound)
            return feature + part.start, column, C[feature, column]

        parts = list(self.pool.map(above, _slices(len(self.X), self.block)))
        feature, column, c = (np.concatenate([part[k] for part in parts]) for k in range(3))
        order = np.argsort(column, kind="stable")
        ends = np.searchsorted(column[order], np.arange(R.shape[1] + 1))
        groups = [order[ends[path.column] : ends[path.column + 1]] for path in paths]
        return [(feature[group], c[group].astype(np.float64)) for group in groups]


def _keep_above(path: Path, alpha: float, following: float | None) -> float:
    """The sequential strong rule's threshold at `alpha`, for the alpha that follows if there is one."""
    following = 0.9 * alpha if following is None else following
    return path.l1_ratio * max(2 * following - alpha, KEEP * following)


def _slices(length: int, size: int) -> Iterator[slice]:
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))
