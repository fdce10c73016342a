"""One elastic-net path at a time: semi-smooth Newton steps on a working set of features.

On a working set the optimum of the elastic net is the root of a piecewise linear equation: with c = Z'r/n,

    c_j - l2_j w_j = l1 sign(w_j)  where w_j is not 0,      |c_j| <= l1  where it is,

where l2_j is the ridge part of the elastic net and the feature's penalty of technical noise.

Given the active set A and its signs s, Newton's step for that equation is one linear system,

    (Z_A'Z_A/n + diag(l2_A)) d = c_A - l2_A w_A - l1 s_A,

and the signs and correlations after it say which features must leave and enter A: the primal-dual active set
method (Hintermüller, Ito and Kunisch, SIAM J. Optim. 13:865, 2002; for the elastic net: Boschi, Reimherr and
Chiaromonte, arXiv:2006.03970). Warm-started along a path it settles in a few steps. Where it does not, the same
steps are made monotone by an exact line search, as in feature-sign search (Lee et al., NIPS 2006), and then
end at the optimum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heteroage.engine.active_system import RIDGE, ActiveSystem
from heteroage.errors import HeteroAgeError

# Of l1, on the optimality conditions. An inactive feature enters above l1 (1 + tolerance): rounding must not make
# it come and go.
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-10}
ROUNDING = {np.float32: 1e-6, np.float64: 1e-15}  # in a product with the Gram matrix, relative to the weights' norm
PATIENCE = 6  # Newton steps without fewer changes than ever before, until the monotone search takes over
MONOTONE_STEPS = 1000
UNSETTLED = 0.01  # of l1: conditions that are off by more do not hold, unless it is rounding,
LOST_DIGITS = {np.float32: 1e-5, np.float64: 1e-13}  # of the target's deviation, which no correlation exceeds
SHORT = 0.1  # of a Newton step: below, the features that enter together stop each other
REFINEMENTS = 8
CHUNK = 64  # features summed in single precision


class PathSolver:
    """The working set of one path and the solution on it. It knows no samples but its own.

    The Gram matrix only steers Newton's steps: after each solve the residual and the correlations are computed
    anew from Z, and the step repeated until they are optimal. So single precision suffices for the matrices.

    Parameters
    ----------
    y : (training samples,), centred, and multiplied by the square root of the samples' weights
    l1_ratio : in (0, 1]
    dtype : of the matrices; float64 where the ridge part is too small to keep float32 well conditioned
    root : (training samples,), square roots of the weights (whose mean is 1); None where all are 1
    """

    def __init__(
        self, y: NDArray[np.float64], l1_ratio: float, dtype: type, root: NDArray[np.float64] | None = None
    ) -> None:
        self.y, self.l1_ratio, self.dtype, self.root = y, l1_ratio, dtype, root
        self.features = np.empty(0, np.int64)  # the working set, in order of entry
        self.w, self.c = np.empty(0), np.empty(0)
        self.noise = np.empty(0)  # (tau / s)^2 of each: the penalty of technical noise
        self.residual = y.copy()
        self._Z, self._gram = np.zeros((0, len(y)), dtype), np.empty((0, 0), dtype)
        self._last = (np.inf, np.empty(0))  # alpha and correlations of the previous solution

    def add(self, features: NDArray[np.int64], Z: NDArray, noise: NDArray[np.float64]) -> None:
        """Let features into the working set, at weight 0.

        Parameters
        ----------
        Z : (features, training samples), standardised, multiplied by the square root of the samples' weights
        noise : (features,), each feature's penalty of technical noise, (tau / s)^2
        """
        v, total = len(self.features), len(self.features) + len(features)
        if total > len(self._Z):
            self._reserve(int(1.35 * total))
        self._Z[v:total] = Z
        new = self._gram[v:total, :total]
        np.matmul(self._Z[v:total], self._Z[:total].T, out=new)
        new /= len(self.y)
        self._gram[:v, v:total] = new[:, :v].T
        c = self._Z[v:total] @ self.residual.astype(self.dtype) / len(self.y)
        self.features = np.concatenate([self.features, features])
        self.w = np.concatenate([self.w, np.zeros(len(features))])
        self.noise = np.concatenate([self.noise, noise])
        self.c = np.concatenate([self.c, c])
        self._last = (self._last[0], np.concatenate([self._last[1], np.full(len(features), np.nan)]))

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Forget the features of the working set that are not `kept` (their weights must be 0)."""
        at, v = np.flatnonzero(kept), len(self.features)
        self._Z[: len(at)] = self._Z[at]
        self._Z[len(at) : v] = 0
        self._gram[: len(at), : len(at)] = self._gram[:v, :v].take(at, axis=0).take(at, axis=1)
        self.features, self.w, self.c, self.noise = self.features[at], self.w[at], self.c[at], self.noise[at]
        self._last = (self._last[0], self._last[1][at])

    def solve(self, alpha: float, previous_alpha: float) -> None:
        """Move from the solution at `previous_alpha` to the optimum at `alpha`, on the working set.

        Raises
        ------
        HeteroAgeError
            The optimality conditions still do not hold when all steps are used up.
        """
        l1, l2 = alpha * self.l1_ratio, alpha * (1 - self.l1_ratio) + self.noise
        v = len(self.features)
        gram = self._gram[:v, :v]
        system = ActiveSystem(gram, l2)
        # 1. Guess who will be active: correlations follow nearly straight lines between alphas.
        before, c_before = self._last
        slope = (self.c - c_before) / (previous_alpha - before) if before > previous_alpha else np.zeros_like(self.c)
        expected = self.c + np.nan_to_num(slope) * (alpha - previous_alpha)
        if alpha < previous_alpha:
            self._last = (previous_alpha, self.c.copy())
        signs = np.where(self.w != 0, np.sign(self.w), np.sign(expected) * (np.abs(expected) > l1))
        error = np.inf
        for _ in range(REFINEMENTS):
            # 2. Solve on the Gram matrix.
            self.w = _newton(Model(gram, self.w, self.c, l1, l2, self.tolerance, system), signs)
            # 3. Check against the data, until all is well or only rounding is left.
            self._refresh()
            before, signs_before, signs = error, signs, np.sign(self.w)
            error = np.where(signs != 0, np.abs(self.c - l2 * self.w - l1 * signs), np.abs(self.c) - l1).max(initial=0)
            if error <= self.tolerance * l1 or (error > before / 2 and np.array_equal(signs, signs_before)):
                break
            entering = (signs == 0) & (np.abs(self.c) > l1 * (1 + self.tolerance))
            signs[entering] = np.sign(self.c[entering])
        rounding = LOST_DIGITS[self.dtype] * float(np.linalg.norm(self.y)) / np.sqrt(len(self.y))
        if error > UNSETTLED * l1 + rounding:
            raise HeteroAgeError(
                f"the elastic net did not settle at alpha {alpha:g}, l1_ratio {self.l1_ratio:g} "
                f"({v} features; its optimality conditions are off by {error / l1:.0%}). "
                "Give a larger least alpha or a smaller l1_ratio."
            )

    @property
    def tolerance(self) -> float:
        """Of l1, on the optimality conditions."""
        return TOLERANCE[self.dtype]

    def _refresh(self) -> None:
        """Compute the residual and the correlations from the weights."""
        # Sums of 64 in single precision, and the sum of these in double: long sums would lose digits.
        chunks = -(-len(self.features) // CHUNK)
        w = np.zeros((chunks, 1, CHUNK), self.dtype)
        w.flat[: len(self.w)] = self.w
        parts = w @ self._Z[: chunks * CHUNK].reshape(chunks, CHUNK, len(self.y))
        self.residual = self.y - parts.sum(axis=(0, 1), dtype=np.float64)
        # Z and y are centred, so this is only rounding; the screening of all features relies on it.
        if self.root is None:
            self.residual -= self.residual.mean()
        else:
            self.residual -= self.root * (self.root @ self.residual / len(self.y))
        Z = self._Z[: len(self.features)]
        self.c = (Z @ self.residual.astype(self.dtype)).astype(np.float64) / len(self.y)

    def _reserve(self, capacity: int) -> None:
        capacity, v = -(-capacity // CHUNK) * CHUNK, len(self.features)
        Z, gram = np.zeros((capacity, len(self.y)), self.dtype), np.empty((capacity, capacity), self.dtype)
        Z[:v], gram[:v, :v] = self._Z[:v], self._gram[:v, :v]
        self._Z, self._gram = Z, gram


@dataclass(frozen=True)
class Model:
    """The quadratic model of one path's objective around the weights `w`, where the correlations are `c`."""

    gram: NDArray
    w: NDArray[np.float64]
    c: NDArray[np.float64]
    l1: float
    l2: NDArray[np.float64]
    tolerance: float
    system: ActiveSystem

    def correlations(self, w: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """Correlations at w, and what may be rounding in them."""
        change = w - self.w
        if not change.any():
            return self.c, self.tolerance * self.l1
        noise = ROUNDING[self.gram.dtype.type] * float(np.linalg.norm(change))
        return self.c - self.times(change), self.tolerance * self.l1 + noise

    def newton_step(
        self, w: NDArray[np.float64], c: NDArray[np.float64], signs: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Step to the optimum of the features with a sign, as if the signs were right; 0 for the others."""
        active = signs != 0
        step = np.zeros_like(w)
        step[active] = self.system.solve(active, (c - self.l2 * w - self.l1 * signs)[active])
        return step

    def times(self, w: NDArray[np.float64]) -> NDArray[np.float64]:
        """The Gram matrix times w."""
        return (self.gram @ w.astype(self.gram.dtype)).astype(np.float64)


def _newton(model: Model, signs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minimise the model by the primal-dual active set method.

    `signs` holds the signs of the active set that is tried first, 0 for the inactive.
    """
    fewest, without = len(signs) + 1, 0
    while without < PATIENCE:
        # Features that leave do so at once; the step is taken by the others.
        w = np.where(signs != 0, model.w, 0.0)
        c, _ = model.correlations(w)
        w = w + model.newton_step(w, c, signs)
        c, slack = model.correlations(w)
        leaving = (signs != 0) & (w * signs <= 0)
        entering = (signs == 0) & (np.abs(c) > model.l1 + slack)
        changes = np.count_nonzero(leaving | entering)
        if not changes:
            return w
        fewest, without = min(fewest, changes), 0 if changes < fewest else without + 1
        signs = np.where(leaving, 0.0, np.where(entering, np.sign(c), signs))
    return _monotone(model)


def _monotone(model: Model) -> NDArray[np.float64]:
    """Minimise the model with an exact line search along every step, so that it never rises."""
    l1, l2 = model.l1, model.l2
    w = model.w.copy()
    # Without a ridge part many entering at once would make the system singular.
    regular = l2.min(initial=np.inf) >= RIDGE[model.gram.dtype.type]
    several = regular
    for _ in range(MONOTONE_STEPS):
        c, slack = model.correlations(w)
        signs = np.sign(w)
        violation = np.where(signs == 0, np.abs(c) - l1 - slack, -np.inf)
        settled = np.abs(np.where(signs != 0, c - l2 * w - l1 * signs, 0)).max(initial=0) <= slack
        if settled and violation.max(initial=-np.inf) <= 0:
            break
        # One feature that enters a stationary point moves the way of its sign; several may hinder each other.
        if several:
            entering = violation > 0
        elif settled:
            entering = np.arange(len(w)) == violation.argmax()
        else:
            entering = np.zeros(len(w), bool)
        signs[entering] = np.sign(c[entering])
        step = model.newton_step(w, c, signs)
        length = _line_search(model, c, w, step)
        if several and entering.any() and length < SHORT:
            several = False  # they hinder each other: none, and at the next stationary point one
            continue
        several = several or (regular and settled)
        moved = w + length * step
        # Where the search stops at a feature's zero, the feature leaves.
        w = np.where(np.abs(moved) <= 1e-12 * np.maximum(np.abs(w), np.abs(length * step)), 0.0, moved)
    return w


def _line_search(model: Model, c: NDArray[np.float64], w: NDArray[np.float64], step: NDArray[np.float64]) -> float:
    """Length of the step that minimises the model: a convex function, quadratic between the zeros of w + t step."""
    curvature = float(step @ model.times(step) + (model.l2 * step) @ step)
    if curvature <= 0:
        return 0.0
    slope = (model.l2 * w - c) @ step + model.l1 * (np.where(w != 0, np.sign(w), np.sign(step)) @ step)
    crossing = np.flatnonzero(w * step < 0)
    zeros = -w[crossing] / step[crossing]
    order = np.argsort(zeros, kind="stable")
    # The k-th stretch ends at the k-th zero; its slope is the first one's and the kinks passed.
    ends = np.append(zeros[order], np.inf)
    kinks = np.append(2 * model.l1 * np.abs(step[crossing[order]]), 0.0)
    slopes = slope + np.concatenate([[0.0], np.cumsum(kinks[:-1])])
    k = int(np.argmax(slopes + kinks + ends * curvature >= 0))
    return float(np.clip(-slopes[k] / curvature, 0.0, ends[k]))
