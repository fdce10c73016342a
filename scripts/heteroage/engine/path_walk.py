"""All elastic-net paths together: decreasing alphas, with one pass over the features per alpha.

The paths (training sets x technical_sds x l1_ratios) are synchronised. At each alpha

1. every path is solved on its working set (`active_set`), which includes the features that are expected to enter;
2. one pass over all features (`feature_pass`) checks the optimality condition |c_j| <= alpha l1 of every feature
   in every path. It keeps the features that the sequential strong rule (Tibshirani et al., JRSS B 74:245, 2012)
   cannot discard for the next alpha:

       { j : |c_j| >= l1 (2 alpha_next - alpha) };

3. features that violate their condition enter the working set, and their path is solved again. All features whose
   correlation could have crossed the bound meanwhile are checked again.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from heteroage.engine.active_set import PathSolver
from heteroage.engine.feature_pass import FeaturePass, Found
from heteroage.engine.training_set import TrainingSet

log = logging.getLogger(__name__)

STEP = 0.25  # smallest ratio of successive alphas on the way from alpha_max to the grid
KKT_TOLERANCE = 1e-4  # tolerance of the optimality conditions, relative to alpha l1
KEEP = 0.5  # smallest |c| of a kept feature, relative to the next alpha l1
EXPECT = 0.02  # features whose predicted |c| is within this fraction of the bound enter the working set in advance
ADMIT = 512  # admit at most (number of active features + 512) features per step
FLOAT32_RIDGE = 1e-4  # smallest ridge part for which the Gram matrix is well conditioned in single precision


@dataclass(frozen=True)
class Solution:
    """The solution of a path at one alpha: its active features, sorted, and their weights."""

    features: NDArray[np.int64]
    weights: NDArray[np.float64]


@dataclass
class RegularisationPath:
    """State of one path: its solver, its current alpha, and the features kept by the last pass.

    Times from 0 on are positions on the grid. Negative times are the path's own alphas before it reaches the grid.
    """

    solver: PathSolver
    training_set: int
    technical_sd: float
    schedule: dict[int, float]  # time -> alpha
    first: int  # time of the path's first alpha on the grid
    alpha: float  # the last alpha solved
    kept: NDArray[np.int64]  # kept features, sorted
    correlation: NDArray[np.float64]  # correlations of the kept features
    in_working_set: NDArray[np.bool_]
    before: NDArray[np.float64] = field(init=False)  # correlations at the previous alpha; NaN if not kept then
    alpha_before: float = np.inf
    solutions: dict[int, Solution] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.before = np.full(len(self.kept), np.nan)

    def bound(self, alpha: float) -> float:
        """Return the largest |c| of an inactive feature that satisfies its optimality condition."""
        return alpha * self.solver.l1_ratio * (1 + KKT_TOLERANCE)

    def keep_above(self, time: int) -> float:
        """Return the threshold of the sequential strong rule for the alpha after `time`, if there is one."""
        alpha = self.schedule[time]
        following = self.schedule.get(time + 1, 0.9 * alpha)
        return _strong_rule(self.solver.l1_ratio, alpha, following)

    def expected(self, alpha: float) -> NDArray[np.float64]:
        """Return the kept features' correlations at the next alpha, by linear extrapolation."""
        slope = (self.correlation - self.before) / (self.alpha - self.alpha_before)
        slope[np.isnan(slope)] = 0
        return self.correlation + slope * (alpha - self.alpha)

    def renew(self, features: NDArray[np.int64], correlation: NDArray[np.float64]) -> None:
        """Replace the kept features, and transfer the correlations at the previous alpha."""
        before = np.full(len(features), np.nan)
        known, position = _find(features, self.kept)
        before[known] = self.before[position[known]]
        self.kept, self.correlation, self.before = features, correlation, before

    def near_bound(self, fraction: float) -> NDArray[np.int64]:
        """Return the features with weight, and those whose |c| exceeds this fraction of the bound; sorted."""
        bound = fraction * self.alpha * self.solver.l1_ratio
        own = (self.solver.w != 0) | (np.abs(self.solver.c) >= bound)
        return np.union1d(self.solver.features[own], self.kept[np.abs(self.correlation) >= bound])


class Walk:
    """The features, training sets and paths of one call.

    features : the features and their statistics in the training sets
    technical_sds : standard deviations of technical noise (tau), on the scale of X
    noisy : (features,), which features have technical noise
    """

    def __init__(
        self,
        features: FeaturePass,
        technical_sds: Sequence[float],
        noisy: NDArray[np.bool_],
        l1_ratios: Sequence[float],
    ) -> None:
        self.features, self.noisy = features, noisy
        self.X, self.sets, self.mapper = features.X, features.sets, features.mapper
        self.passes, self.walked, self.lowest = 1, 0, np.inf
        self.kinds = list(product(range(len(self.sets)), technical_sds, l1_ratios))
        self.paths: list[RegularisationPath] = []

    def go_on(
        self,
        alphas: NDArray[np.float64],
        following: float | None = None,
        l1_ratios: Sequence[float] | None = None,
        label: str = "",
    ) -> None:
        """Solve all paths (or those of these l1_ratios) at these alphas, which are decreasing and below earlier ones.

        `following` is the first alpha of the next call, if known. A path continues from its last solution, unless it
        has not reached the grid or now needs double precision.
        """
        begin, walked = self.walked, len(self.paths) > 0
        ahead: list[set[int]] = []
        for k, (t, technical_sd, l1_ratio) in enumerate(self.kinds):
            if walked and l1_ratios is not None and l1_ratio not in l1_ratios:
                ahead.append(set())
                continue
            new = _start(t, self.sets[t], technical_sd, l1_ratio, alphas, self.features.first[t], begin)
            own = new.schedule
            if not walked:
                self.paths.append(new)
            elif not self.paths[k].schedule or self.paths[k].solver.dtype != new.solver.dtype:
                self.paths[k] = replace(new, solutions=self.paths[k].solutions)
            else:
                own = {begin + i: float(alpha) for i, alpha in enumerate(alphas)}
                self.paths[k].schedule |= own
            ahead.append(set(own))
            if following is not None and own:
                self.paths[k].schedule[begin + len(alphas)] = following
        self.walked, self.lowest = begin + len(alphas), min([self.lowest, *alphas])
        self._walk(ahead, label)

    def _walk(self, ahead: Sequence[set[int]], label: str) -> None:
        """Solve all paths at their times in `ahead`."""
        begun, times = time.perf_counter(), sorted(set().union(*ahead))
        for done, now in enumerate(times, start=1):
            walking = [path for path, own in zip(self.paths, ahead, strict=True) if now in own]
            self._step(walking, now)
            elapsed = time.perf_counter() - begun
            active = [np.count_nonzero(path.solver.w) for path in walking]
            log.info(
                "%sstep %d of %d: alpha %.4g; active features: maximum %d, total %d; pass %d; %.0f s, %.0f s left",
                *(f"{label}: " if label else "", done, len(times), walking[0].schedule[now], max(active), sum(active)),
                *(self.passes, elapsed, elapsed / done * (len(times) - done)),
            )

    def _step(self, walking: list[RegularisationPath], now: int) -> None:
        # Largest paths first, so that the workers finish at about the same time.
        by_size = sorted(walking, key=lambda path: -len(path.solver.features))
        list(self.mapper(lambda path: self._advance(path, path.schedule[now]), by_size))
        unsure = walking
        while unsure:
            found = self._pass(unsure, now)
            optimal = list(self.mapper(lambda path, of_path: self._repair(path, of_path, now), unsure, found))
            unsure = [path for path, ok in zip(unsure, optimal, strict=True) if not ok]
        for path in walking:
            path.alpha = path.schedule[now]
            if now >= path.first:
                used = np.flatnonzero(path.solver.w)
                used = used[np.argsort(path.solver.features[used])]
                path.solutions[now] = Solution(path.solver.features[used], path.solver.w[used])

    def _advance(self, path: RegularisationPath, alpha: float) -> None:
        """Solve one path at its next alpha, on its working set."""
        solver = path.solver
        # Remove features without weight that were not kept, once they are a third of the working set.
        stale = (solver.w == 0) & ~_find(solver.features, path.kept)[0]
        if 3 * stale.sum() > len(stale):
            path.in_working_set[solver.features[stale]] = False
            solver.keep(~stale)
        self._admit(path, np.abs(path.expected(alpha)), (1 - EXPECT) * alpha * solver.l1_ratio)
        path.before, path.alpha_before = path.correlation, path.alpha
        solver.solve(alpha, path.alpha)

    def _pass(self, paths: Sequence[RegularisationPath], now: int) -> list[Found]:
        """Correlate all features with these paths' residuals; returns the features kept by the strong rule per path."""
        self.passes += 1
        residuals = np.zeros((len(paths), self.X.shape[1]), np.float32)
        for residual, path in zip(residuals, paths, strict=True):
            own = self.sets[path.training_set]
            residual[own.rows] = own.scaled(path.solver.residual)
        set_of = np.array([path.training_set for path in paths])
        thresholds = np.array([path.keep_above(now) for path in paths], np.float32)
        return self.features.above(residuals, set_of, thresholds)

    def _repair(self, path: RegularisationPath, found: Found, now: int) -> bool:
        """Admit features that violate their optimality condition, until none does.

        By the Cauchy-Schwarz inequality, no correlation changes by more than the root mean square change of the
        residual. So most features need no second check. Returns False if the change is too large for this argument.
        """
        path.renew(*found)
        alpha, checked = path.schedule[now], path.solver.residual
        bound, correlation, moved = path.bound(alpha), np.abs(path.correlation), 0.0
        while self._admit(path, correlation, bound):
            path.solver.solve(alpha, alpha)
            moved = np.linalg.norm(path.solver.residual - checked) / math.sqrt(len(checked))
            near = (np.abs(path.correlation) + moved > bound) & ~path.in_working_set[path.kept]
            if np.count_nonzero(near) > ADMIT:
                return False
            correlation = np.zeros(len(path.kept))
            Z = self.features.standardised(path.training_set, path.kept[near], path.solver.dtype)
            correlation[near] = np.abs(Z @ path.solver.residual) / len(checked)
        return path.keep_above(now) + moved <= bound

    def _admit(self, path: RegularisationPath, correlation: NDArray[np.float64], bound: float) -> bool:
        """Admit kept features whose `correlation` exceeds the bound to the working set; False if there is none."""
        candidates = np.flatnonzero((correlation > bound) & ~path.in_working_set[path.kept])
        limit = ADMIT + np.count_nonzero(path.solver.w)
        if len(candidates) > limit:
            strongest = np.argsort(-correlation[candidates], kind="stable")[:limit]
            candidates = np.sort(candidates[strongest])
        features = path.kept[candidates]
        if len(features):
            path.in_working_set[features] = True
            Z = self.features.standardised(path.training_set, features, path.solver.dtype)
            scale = self.features.scale[path.training_set, features]
            noise = np.where(self.noisy[features], path.technical_sd / scale, 0.0) ** 2
            path.solver.add(features, Z, noise)
        return len(features) > 0


def _start(
    number: int,
    training_set: TrainingSet,
    technical_sd: float,
    l1_ratio: float,
    alphas: NDArray[np.float64],
    c: NDArray[np.float32],
    begin: int = 0,
) -> RegularisationPath:
    """Initialise a path at its alpha_max, and schedule its alphas down to and along the grid, from time `begin`."""
    alpha_max = float(np.abs(c).max(initial=0)) / l1_ratio
    schedule: dict[int, float] = {}
    below = np.flatnonzero(alphas < alpha_max)
    first = begin + int(below[0]) if len(below) else begin + len(alphas)
    kept = np.empty(0, np.int64)
    if len(below):
        # All paths reach the grid at the same time, so that they are at the same alpha afterwards.
        down = math.ceil(math.log(alpha_max / alphas[below[0]]) / math.log(1 / STEP))
        ways = np.geomspace(alpha_max, alphas[below[0]], down + 1)[1:-1]
        schedule = {first - len(ways) + k: float(alpha) for k, alpha in enumerate(ways)}
        schedule |= {begin + k: float(alphas[k]) for k in below.tolist()}
        kept = np.flatnonzero(np.abs(c) >= _strong_rule(l1_ratio, alpha_max, schedule[min(schedule)]))
    dtype = np.float32 if alphas[-1] * (1 - l1_ratio) >= FLOAT32_RIDGE else np.float64
    return RegularisationPath(
        solver=PathSolver(training_set.scaled(training_set.y - training_set.mean), l1_ratio, dtype, training_set.root),
        training_set=number,
        technical_sd=technical_sd,
        schedule=schedule,
        first=first,
        alpha=alpha_max,
        kept=kept,
        correlation=c[kept].astype(np.float64),
        in_working_set=np.zeros(len(c), bool),
    )


def _find(features: NDArray[np.int64], kept: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Tell whether each feature is among the kept ones (sorted), and return the positions."""
    if not len(kept):
        return np.zeros(len(features), bool), np.zeros(len(features), np.int64)
    position = np.minimum(np.searchsorted(kept, features), len(kept) - 1)
    return kept[position] == features, position


def _strong_rule(l1_ratio: float, alpha: float, following: float) -> float:
    return l1_ratio * max(2 * following - alpha, KEEP * following)
