"""All elastic-net paths at once: one walk down the alphas, one pass over the features per step.

The paths (training sets x l1_ratios) go in lock-step. At each alpha

1. every path solves on its working set (`active_set`);
2. the features kept by the sequential strong rule are checked, violators enter and their paths solve again;
3. one pass over all features, a matrix product with the residuals of all paths as its columns, checks the
   optimality condition |c_j| <= alpha l1 of every feature and keeps for the next alpha

       { j : |c_j| >= l1 (2 alpha_next - alpha) }

   (Tibshirani et al., JRSS B 74:245, 2012). The rule may err, the check does not: violators enter, and their
   path is solved and checked again.

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
COLUMNS = 16  # products get a multiple of this many columns and rows, so that no column depends on how many there are
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
        self._kept_rows = np.empty(0, np.int64)
        self._kept = np.empty((0, X.shape[1]), np.float32)
        self._slot = np.full(len(X), -1, np.int32)

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
                    median[at, t] = Standardiser.medians(raw[at][:, rows])
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
                    exact = Standardiser.fit(raw[at][:, self.rows[t]])
                    scale[at, t] = np.where(exact.constant, np.inf, exact.scale)
            correlation = sums[:, sets:] / (size * scale)
            return median, 1 / (size * scale), correlation, missing

        parts = list(self.pool.map(block_statistics, range(0, len(self.X), small)))
        median, inverse, correlation = (
            np.concatenate([part[k].astype(np.float32) for part in parts]) for k in range(3)
        )
        self.statistics = Statistics(median, inverse, correlation, np.concatenate([part[3] for part in parts]))

    # --- paths --------------------------------------------------------------------------------------------

    def start(self, training_set: int, l1_ratio: float, alphas: NDArray[np.float64]) -> Path:
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

    def run(self, paths: Sequence[Path], label: str) -> None:
        """Walk all paths down their schedules."""
        begun = time.perf_counter()
        times = sorted({at for path in paths for at in path.schedule})
        for done, at in enumerate(times, start=1):
            joined = [path for path in paths if at in path.schedule]
            self._keep_rows(joined)
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

    def _step(self, joined: list[Path], at: int) -> None:
        # 1. Solve on the working sets, with the features that are expected to enter.
        list(self.pool.map(lambda path: self._solve(path, path.schedule[at]), joined))
        # 2. Check the kept features until none violates.
        self._settle(joined, at)
        # 3. Check all features.
        pending = joined
        while pending:
            residuals = [path.solver.residual for path in pending]
            thresholds = [_keep_above(path, path.schedule[at], path.schedule.get(at + 1)) for path in pending]
            found = self._pass(pending, thresholds)
            violated = []
            for k, (features, correlation) in enumerate(found):
                self._renew(pending[k], features, correlation)
                if self._admit(pending[k], pending[k].schedule[at]):
                    violated.append(k)
            if not violated:
                break
            # 4. Repair. By Cauchy-Schwarz no correlation moves more than the residual does, so what the pass did
            # not keep need not be looked at again unless the repair was large.
            self._keep_rows(joined)
            repaired = [pending[k] for k in violated]
            self._resolve(repaired, at)
            self._settle(repaired, at)
            unsure = []
            for k in violated:
                path = pending[k]
                moved = np.linalg.norm(path.solver.residual - residuals[k]) / math.sqrt(len(residuals[k]))
                if thresholds[k] + moved > path.schedule[at] * path.l1_ratio * (1 + KKT_TOLERANCE):
                    unsure.append(path)
            pending = unsure
        for path in joined:
            path.alpha = path.schedule[at]
            used = np.flatnonzero(path.solver.w)
            used = used[np.argsort(path.solver.features[used])]
            if at >= path.first:
                path.steps[at] = Step(path.solver.features[used], path.solver.w[used])

    def _solve(self, path: Path, alpha: float) -> None:
        """Move one path to its next alpha."""
        solver = path.solver
        # Forget what neither has weight nor was kept, once it is a third of the working set.
        stale = (solver.w == 0) & ~np.isin(solver.features, path.kept)
        if 3 * stale.sum() > len(stale):
            path.in_working_set[solver.features[stale]] = False
            solver.keep(~stale)
        # Correlations follow nearly straight lines: those expected to reach the bound enter at once.
        slope = np.nan_to_num((path.correlation - path.before) / (path.alpha - path.alpha_before))
        expected = path.correlation + slope * (alpha - path.alpha)
        path.before, path.alpha_before = path.correlation, path.alpha
        self._add(path, path.kept[np.abs(expected) > alpha * path.l1_ratio * (1 - EXPECT)])
        solver.solve(alpha, path.alpha)

    def _resolve(self, paths: list[Path], at: int) -> None:
        list(self.pool.map(lambda path: path.solver.solve(path.schedule[at], path.schedule[at]), paths))

    def _settle(self, paths: list[Path], at: int) -> None:
        while paths:
            correlations = self._check_kept(paths)
            for path, c in zip(paths, correlations, strict=True):
                path.correlation = c
            paths = [path for path in paths if self._admit(path, path.schedule[at])]
            self._resolve(paths, at)

    def _admit(self, path: Path, alpha: float) -> bool:
        """Let kept features that violate the optimality condition into the working set."""
        violating = np.abs(path.correlation) > alpha * path.l1_ratio * (1 + KKT_TOLERANCE)
        return self._add(path, path.kept[violating])

    def _add(self, path: Path, features: NDArray[np.int64]) -> bool:
        features = features[~path.in_working_set[features]]
        if not len(features):
            return False
        path.in_working_set[features] = True
        rows = self.rows[path.training_set]
        Z = np.empty((len(features), len(rows)), path.solver.dtype)
        for part in _slices(len(features), 256):
            raw = np.asarray(self.X[features[part]])[:, rows]
            Z[part] = Standardiser.fit(raw).apply(raw)
        path.solver.add(features, Z)
        return True

    def _renew(self, path: Path, features: NDArray[np.int64], correlation: NDArray[np.float64]) -> None:
        """Replace the kept features, carrying over the correlations of one alpha earlier."""
        before = np.full(len(features), np.nan)
        if len(path.kept):
            position = np.minimum(np.searchsorted(path.kept, features), len(path.kept) - 1)
            known = path.kept[position] == features
            before[known] = path.before[position[known]]
        path.kept, path.correlation, path.before = features, correlation, before

    # --- products -----------------------------------------------------------------------------------------

    def _columns(self, paths: Sequence[Path]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Residuals of the paths as columns, and the training set of each."""
        padded = -(-len(paths) // COLUMNS) * COLUMNS
        R = np.zeros((self.X.shape[1], padded), np.float32)
        training_set = np.zeros(padded, np.int64)
        for k, path in enumerate(paths):
            R[self.rows[path.training_set], k] = path.solver.residual
            training_set[k] = path.training_set
        return R, training_set

    def _correlate(
        self,
        raw: NDArray[np.float32],
        features: NDArray[np.int64] | slice,
        R: NDArray[np.float32],
        training_set: NDArray[np.int64],
    ) -> NDArray[np.float32]:
        """c of these features for every column of R."""
        s = self.statistics
        incomplete = s.missing[features].any()
        if incomplete:
            absent = np.isnan(raw)
            raw = np.where(absent, np.float32(0), raw)
        C = raw @ R
        if incomplete:
            C += s.median[features][:, training_set] * (absent.astype(np.float32) @ R)
        C *= s.inverse[features][:, training_set]
        return C

    def _pass(
        self, paths: Sequence[Path], thresholds: Sequence[float]
    ) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """Go over all features: for each path, those with |c| at or above its threshold, and their c."""
        self.passes += 1
        R, training_set = self._columns(paths)
        bound = np.full(R.shape[1], np.inf, np.float32)
        bound[: len(paths)] = thresholds

        def above(part: slice) -> tuple[NDArray, ...]:
            C = self._correlate(np.asarray(self.X[part]), part, R, training_set)
            feature, column = np.nonzero(np.abs(C) >= bound)
            return feature + part.start, column, C[feature, column]

        parts = list(self.pool.map(above, _slices(len(self.X), self.block)))
        feature, column, c = (np.concatenate([part[k] for part in parts]) for k in range(3))
        order = np.argsort(column, kind="stable")
        ends = np.searchsorted(column[order], np.arange(len(paths) + 1))
        groups = [order[ends[k] : ends[k + 1]] for k in range(len(paths))]
        return [(feature[group], c[group].astype(np.float64)) for group in groups]

    def _keep_rows(self, paths: Sequence[Path]) -> None:
        """Copy the raw rows of all kept features side by side, so that a check of them is a small product."""
        wanted = np.zeros(len(self.X), bool)
        for path in paths:
            wanted[path.kept] = True
        new = np.flatnonzero(wanted & (self._slot < 0))
        count, total = len(self._kept_rows), len(self._kept_rows) + len(new)
        if total > 2 * wanted.sum():
            still = np.flatnonzero(wanted[self._kept_rows])
            self._slot[self._kept_rows] = -1
            for k, source in enumerate(still):  # in place: a row never moves up
                self._kept[k] = self._kept[source]
            self._kept_rows = self._kept_rows[still]
            self._slot[self._kept_rows] = np.arange(len(still))
            count, total = len(still), len(still) + len(new)
        if total > len(self._kept):
            grown = np.zeros((-(-int(1.2 * total) // COLUMNS) * COLUMNS, self.X.shape[1]), np.float32)
            grown[:count] = self._kept[:count]
            self._kept = grown
        self._slot[new] = np.arange(count, total)
        self._kept_rows = np.concatenate([self._kept_rows, new])

        def copy(part: slice) -> None:
            self._kept[count + part.start : count + part.stop] = self.X[new[part]]

        list(self.pool.map(copy, _slices(len(new), self.block)))

    def _check_kept(self, paths: Sequence[Path]) -> list[NDArray[np.float64]]:
        """Correlations of each path's kept features, from the copied rows."""
        R, training_set = self._columns(paths)
        count = len(self._kept_rows)
        C = np.empty((count, len(paths)), np.float32)

        def product(part: slice) -> None:
            features = self._kept_rows[part]
            padded = -(-len(features) // COLUMNS) * COLUMNS
            features = np.concatenate([features, np.zeros(padded - len(features), np.int64)])
            raw = self._kept[part.start : part.start + padded]
            C[part] = self._correlate(raw, features, R, training_set)[: part.stop - part.start, : len(paths)]

        list(self.pool.map(product, _slices(count, self.block)))
        return [C[self._slot[path.kept], k].astype(np.float64) for k, path in enumerate(paths)]


def _keep_above(path: Path, alpha: float, following: float | None) -> float:
    """The sequential strong rule's threshold at `alpha`, for the alpha that follows if there is one."""
    following = 0.9 * alpha if following is None else following
    return path.l1_ratio * max(2 * following - alpha, KEEP * following)


def _slices(length: int, size: int) -> Iterator[slice]:
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))
