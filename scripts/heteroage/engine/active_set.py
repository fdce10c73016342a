"""One elastic-net path at a time: semi-smooth Newton steps on a working set of features.

On a working set the optimum of the elastic net is the root of a piecewise linear equation. With c = Z'r/n,

    c_j - l2_j w_j = l1 sign(w_j)  if w_j is not 0,      |c_j| <= l1  if w_j is 0.

l2_j is the ridge part of the elastic net plus the feature's penalty of technical noise.

Given the active set A and its signs s, Newton's step for that equation is one linear system,

    (Z_A'Z_A/n + diag(l2_A)) d = c_A - l2_A w_A - l1 s_A,

The signs and correlations after the step determine which features leave and enter A. This is the primal-dual active
set method (Hintermüller, Ito and Kunisch, SIAM J. Optim. 13:865, 2002; for the elastic net: Boschi, Reimherr and
Chiaromonte, arXiv:2006.03970). With warm starts along a path it converges in a few steps. If it does not, the
path goes through alphas in between. If it does not converge between near alphas either, an exact line search makes the
same steps monotone, as in feature-sign search (Lee et al., NIPS 2006). They then end at the optimum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heteroage.engine.linear_systems import ActiveSystem, IterativeSystem, leading_directions
from heteroage.engine.newton import PATIENCE, Model, minimise, minimise_monotone
from heteroage.errors import HeteroAgeError

# Tolerance of the optimality conditions, relative to l1. An inactive feature enters above l1 (1 + tolerance), so that
# rounding does not make it enter and leave repeatedly.
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-10}
NEAR = 0.9  # smallest ratio of alphas between which there is no further alpha
UNSETTLED = 0.01  # largest accepted violation of an optimality condition, relative to l1
# Violation attributed to rounding, relative to the target's deviation.
LOST_DIGITS = {np.float32: 1e-5, np.float64: 1e-13}
REFINEMENTS = 8
MANY, LARGE_RIDGE = 64, 0.1  # number of active features, and ridge part, from which conjugate gradients are faster
SETTLED = 0.25  # violation at which conjugate gradients end, relative to the tolerance: factors reach it too
GROWTH = 3  # of the working set, before its leading directions are computed again
FEATURES_PER_SUM = 64  # number of features summed in single precision


class PathSolver:
    """The working set of one path and the solution on it. It contains only samples of its own training set.

    The Gram matrix only determines Newton's steps. After each solve the residual and the correlations are computed
    again from Z, and steps are repeated until they are optimal. So single precision is sufficient for the matrices.

    y : (training samples,), centred, and multiplied by the square root of the samples' weights
    l1_ratio : in (0, 1]
    dtype : type of the matrices; float64 if the ridge part is too small to keep float32 well conditioned
    root : (training samples,), square roots of the weights (whose mean is 1); None if all are 1
    """

    def __init__(
        self, y: NDArray[np.float64], l1_ratio: float, dtype: type, root: NDArray[np.float64] | None = None
    ) -> None:
        self.y, self.l1_ratio, self.dtype, self.root = y, l1_ratio, dtype, root
        self.features = np.empty(0, np.int64)  # the working set, in any order
        self.w, self.c = np.empty(0), np.empty(0)
        self.noise = np.empty(0)  # (tau / s)^2 of each feature: the penalty of technical noise
        self.residual = y.copy()
        self._Z, self._gram = np.zeros((0, len(y)), dtype), np.empty((0, 0), dtype)
        self._in_gram = 0  # number of features, the first ones, of which the Gram matrix has been computed
        self._directions = np.empty((len(y), 0), dtype)
        self._along = np.empty((0, 0), dtype)  # Z times the directions
        self._n_before = 0  # number of features in the working set when the directions were computed
        self._last = (np.inf, np.empty(0))  # alpha and correlations of the previous solution

    def add(self, features: NDArray[np.int64], Z: NDArray, noise: NDArray[np.float64]) -> None:
        """Add features to the working set, with weight 0.

        Z : (features, training samples), standardised, multiplied by the square root of the samples' weights
        noise : (features,), each feature's penalty of technical noise, (tau / s)^2
        """
        v, total = len(self.features), len(self.features) + len(features)
        if total > len(self._Z):
            self._reserve(int(1.35 * total))
        self._Z[v:total] = Z
        c = self._Z[v:total] @ self.residual.astype(self.dtype) / len(self.y)
        self.features = np.concatenate([self.features, features])
        self.w = np.concatenate([self.w, np.zeros(len(features))])
        self.noise = np.concatenate([self.noise, noise])
        self.c = np.concatenate([self.c, c])
        self._along = np.concatenate([self._along, self._Z[v:total] @ self._directions])
        self._last = (self._last[0], np.concatenate([self._last[1], np.full(len(features), np.nan)]))

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Remove the features that are not `kept` from the working set (their weights must be 0)."""
        at, v = np.flatnonzero(kept), len(self.features)
        self._Z[: len(at)] = self._Z[at]
        self._Z[len(at) : v] = 0
        known = at[at < self._in_gram]
        self._gram[: len(known), : len(known)] = self._gram[known].take(known, axis=1)
        self._in_gram = len(known)
        self.features, self.w, self.c, self.noise = self.features[at], self.w[at], self.c[at], self.noise[at]
        self._along, self._last = self._along[at], (self._last[0], self._last[1][at])

    def solve(self, alpha: float, previous_alpha: float) -> None:
        """Move from the solution at `previous_alpha` to the optimum at `alpha`, on the working set.

        Raises HeteroAgeError: the optimality conditions do not hold after the maximum number of steps.
        """
        error, l1 = self._follow(alpha, previous_alpha), alpha * self.l1_ratio
        rounding = LOST_DIGITS[self.dtype] * float(np.linalg.norm(self.y)) / np.sqrt(len(self.y))
        if error > UNSETTLED * l1 + rounding:
            raise HeteroAgeError(
                f"the elastic net did not converge at alpha {alpha:g}, l1_ratio {self.l1_ratio:g} "
                f"({len(self.features)} features; its optimality conditions are violated by {error / l1:.0%} of the l1 "
                "penalty). Increase the smallest alpha or use a smaller l1_ratio."
            )

    def _follow(self, alpha: float, previous_alpha: float) -> float:
        """Move to `alpha`, through alphas in between if Newton's steps do not converge; returns what `_move` does."""
        error = self._move(alpha, previous_alpha, monotone=alpha > NEAR * previous_alpha)
        if error is None:
            between = float(np.sqrt(alpha * previous_alpha))
            self._follow(between, previous_alpha)
            error = self._follow(alpha, between)
        return error

    def _move(self, alpha: float, previous_alpha: float, monotone: bool) -> float | None:
        """Move to `alpha` directly; returns the largest violation of an optimality condition.

        Without `monotone`, the solution stays as it is if Newton's first steps do not converge, and None is returned.
        """
        l1, ridge = alpha * self.l1_ratio, alpha * (1 - self.l1_ratio)
        # 1. Predict the active features: correlations change almost linearly between alphas.
        before, c_before = self._last
        slope = (self.c - c_before) / (previous_alpha - before) if before > previous_alpha else np.zeros_like(self.c)
        slope[np.isnan(slope)] = 0
        expected = self.c + slope * (alpha - previous_alpha)
        signs = np.where(self.w != 0, np.sign(self.w), np.sign(expected) * (np.abs(expected) > l1))
        # 2. Solve. The order of the features may change, so the start is kept sorted by feature.
        order, residual, error = np.argsort(self.features), self.residual, None
        start = [values[order] for values in (self.w, self.c, signs)]
        if np.count_nonzero(signs) >= MANY and ridge >= LARGE_RIDGE:
            if self._iterate(l1, ridge, signs):
                error = 0.0
            else:
                order, self.residual = np.argsort(self.features), residual
                self.w[order], self.c[order], signs[order] = start
        if error is None:
            error = self._factor(l1, ridge + self.noise, signs, monotone)
        if error is not None and alpha < previous_alpha:
            self._last = (previous_alpha, np.empty_like(self.c))
            self._last[1][np.argsort(self.features)] = start[1]
        return error

    def _factor(self, l1: float, l2: NDArray[np.float64], signs: NDArray[np.float64], monotone: bool) -> float | None:
        """Make Newton steps with factors of the Gram matrix; returns what `_move` does.

        signs : of the first active set, 0 for inactive features
        """
        gram, error = self._complete_gram(), np.inf
        system = ActiveSystem(gram, l2)
        for _ in range(REFINEMENTS):
            model = Model(gram, self.w, self.c, l1, l2, self.tolerance, system)
            solution = minimise(model, signs)
            if solution is None and not monotone:
                return None
            self.w = minimise_monotone(model) if solution is None else solution
            monotone = True
            # Check the conditions on the data, until they hold or only rounding errors remain.
            self._refresh()
            before, signs_before, signs = error, signs, np.sign(self.w)
            error = np.where(signs != 0, np.abs(self.c - l2 * self.w - l1 * signs), np.abs(self.c) - l1).max(initial=0)
            if error <= self.tolerance * l1 or (error > before / 2 and np.array_equal(signs, signs_before)):
                break
            entering = (signs == 0) & (np.abs(self.c) > l1 * (1 + self.tolerance))
            signs[entering] = np.sign(self.c[entering])
        return error

    @property
    def tolerance(self) -> float:
        """Tolerance of the optimality conditions, relative to l1."""
        return TOLERANCE[self.dtype]

    def _iterate(self, l1: float, ridge: float, signs: NDArray[np.float64]) -> bool:
        """Make Newton steps by conjugate gradients, without the Gram matrix; tell whether they reach the optimum.

        Between alphas and steps few features change. So the active ones are kept at the front of the working set, and
        products read their rows only.

        signs : of the first active set, 0 for inactive features; it is changed, and reordered with the features
        """
        Z, n = self._Z[: len(self.features)], len(self.y)
        if len(Z) > GROWTH * self._n_before:
            self._directions, self._n_before = leading_directions(Z), len(Z)
            self._along = Z @ self._directions
        leaving, entering = (signs == 0) & (self.w != 0), np.zeros(len(Z), bool)
        changes, fewest, without, system = 0, len(Z) + 1, 0, None
        while without <= PATIENCE:
            if system is None or changes:
                # Features that leave are removed immediately; the step is computed for the others.
                signs[leaving], signs[entering] = 0, np.sign(self.c[entering])
                removed = self.w[leaving].astype(self.dtype) @ Z[leaving]
                self.w[leaving] = 0
                active = slice(self._to_front(signs))
                if leaving.any():
                    self.residual = self.residual + removed
                    self.c[active] = Z[active] @ self.residual.astype(self.dtype) / n
                l2 = ridge + self.noise
                system, error = IterativeSystem(Z[active], l2[active], self._along[active]), np.inf
            step, moved = system.solve(self.c[active] - l2[active] * self.w[active] - l1 * signs[active])
            self.w[active] += step
            self.residual = self.residual - moved
            self.c = (Z @ self.residual.astype(self.dtype)).astype(np.float64) / n
            before = error
            leaving, entering, error = self._violations(l1, l2, signs)
            changes = np.count_nonzero(leaving) + np.count_nonzero(entering)
            if not changes and (error <= SETTLED * self.tolerance * l1 or error > before / 2):
                self._refresh()
                leaving, entering, error = self._violations(l1, l2, signs)
                changes = np.count_nonzero(leaving) + np.count_nonzero(entering)
                if not changes:
                    return error <= self.tolerance * l1
            fewest, without = min(fewest, changes), 0 if changes < max(fewest, 1) else without + 1
        return False

    def _violations(
        self, l1: float, l2: NDArray[np.float64], signs: NDArray[np.float64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_], float]:
        """Return which features leave and enter, and the largest violation among the active ones."""
        leaving = (signs != 0) & (self.w * signs <= 0)
        entering = (signs == 0) & (np.abs(self.c) > l1 * (1 + self.tolerance))
        error = np.abs(np.where(signs != 0, self.c - l2 * self.w - l1 * signs, 0)).max()
        return leaving, entering, float(error)

    def _to_front(self, signs: NDArray[np.float64]) -> int:
        """Move the features with a sign to the front of the working set (`signs` too); returns their number."""
        active = np.count_nonzero(signs)
        behind, ahead = active + np.flatnonzero(signs[active:]), np.flatnonzero(signs[:active] == 0)
        if len(ahead):
            to, of = np.concatenate([ahead, behind]), np.concatenate([behind, ahead])
            known = (self._Z, self._along, self.features, self.w, self.c, self.noise, self._last[1], signs)
            for values in known:
                values[to] = values[of]
            self._in_gram = min(self._in_gram, int(ahead[0]))
        return active

    def _complete_gram(self) -> NDArray:
        """Return the Gram matrix of the working set, with the features that it does not have yet."""
        known, v = self._in_gram, len(self.features)
        if known < v:
            new = self._gram[known:v, :v]
            np.matmul(self._Z[known:v], self._Z[:v].T, out=new)
            new /= len(self.y)
            self._gram[:known, known:v] = new[:, :known].T
            self._in_gram = v
        return self._gram[:v, :v]

    def _refresh(self) -> None:
        """Compute the residual and the correlations from the weights."""
        # Sum 64 features in single precision and these sums in double precision; long single-precision sums lose
        # digits.
        chunks = -(-len(self.features) // FEATURES_PER_SUM)
        w = np.zeros((chunks, 1, FEATURES_PER_SUM), self.dtype)
        w.flat[: len(self.w)] = self.w
        parts = w @ self._Z[: chunks * FEATURES_PER_SUM].reshape(chunks, FEATURES_PER_SUM, len(self.y))
        self.residual = self.y - parts.sum(axis=(0, 1), dtype=np.float64)
        # Z and y are centred, so this removes only rounding errors. The screening of all features relies on it.
        if self.root is None:
            self.residual -= self.residual.mean()
        else:
            self.residual -= self.root * (self.root @ self.residual / len(self.y))
        Z = self._Z[: len(self.features)]
        self.c = (Z @ self.residual.astype(self.dtype)).astype(np.float64) / len(self.y)

    def _reserve(self, capacity: int) -> None:
        capacity, v = -(-capacity // FEATURES_PER_SUM) * FEATURES_PER_SUM, len(self.features)
        Z, gram = np.zeros((capacity, len(self.y)), self.dtype), np.empty((capacity, capacity), self.dtype)
        known = slice(self._in_gram)
        Z[:v], gram[known, known] = self._Z[:v], self._gram[known, known]
        self._Z, self._gram = Z, gram
