"""Newton steps on a Gram matrix: the optimum of one elastic net on a working set, from any start.

`minimise` is the primal-dual active set method (see `active_set`). `minimise_monotone` makes the same steps monotone by
an exact line search, as in feature-sign search (Lee et al., NIPS 2006). They then end at the optimum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from heteroage.engine.linear_systems import RIDGE, ActiveSystem

ROUNDING = {np.float32: 1e-6, np.float64: 1e-15}  # rounding of a product with the Gram matrix, relative to |weights|
PATIENCE = 6  # Newton steps without progress (fewer changes than before) until they count as not converging
MONOTONE_STEPS = 1000
SHORT = 0.1  # a shorter fraction of a Newton step means that features that enter together block each other


@dataclass(frozen=True)
class Model:
    """The quadratic model of one path's objective around the weights `w` with correlations `c`."""

    gram: NDArray
    w: NDArray[np.float64]
    c: NDArray[np.float64]
    l1: float
    l2: NDArray[np.float64]
    tolerance: float
    system: ActiveSystem

    def correlations(self, w: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """Return the correlations at w, and a bound of their rounding errors."""
        change = w - self.w
        if not change.any():
            return self.c, self.tolerance * self.l1
        noise = ROUNDING[self.gram.dtype.type] * float(np.linalg.norm(change))
        return self.c - self.times(change), self.tolerance * self.l1 + noise

    def newton_step(
        self, w: NDArray[np.float64], c: NDArray[np.float64], signs: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the step to the optimum for the given signs; 0 for features without a sign."""
        active = signs != 0
        step = np.zeros_like(w)
        step[active] = self.system.solve(active, (c - self.l2 * w - self.l1 * signs)[active])
        return step

    def times(self, w: NDArray[np.float64]) -> NDArray[np.float64]:
        """The Gram matrix times w."""
        return (self.gram @ w.astype(self.gram.dtype)).astype(np.float64)


def minimise(model: Model, signs: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Minimise the model by the primal-dual active set method; None if it does not converge.

    `signs` contains the signs of the initial active set, 0 for inactive features.
    """
    fewest, without = len(signs) + 1, 0
    while without < PATIENCE:
        # Features that leave are removed immediately; the step is computed for the others.
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
    return None


def minimise_monotone(model: Model) -> NDArray[np.float64]:
    """Minimise the model with an exact line search along every step, so that the objective never increases."""
    l1, l2 = model.l1, model.l2
    w = model.w.copy()
    # Without a ridge part, the system is singular if many features enter at once.
    regular = l2.min(initial=np.inf) >= RIDGE[model.gram.dtype.type]
    several = regular
    for _ in range(MONOTONE_STEPS):
        c, slack = model.correlations(w)
        signs = np.sign(w)
        violation = np.where(signs == 0, np.abs(c) - l1 - slack, -np.inf)
        settled = np.abs(np.where(signs != 0, c - l2 * w - l1 * signs, 0)).max(initial=0) <= slack
        if settled and violation.max(initial=-np.inf) <= 0:
            break
        # At a stationary point, a single entering feature moves in the direction of its sign. Several may block each
        # other.
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
            several = False  # they block each other: admit none now, and one at the next stationary point
            continue
        several = several or (regular and settled)
        moved = w + length * step
        # If the search stops at the zero of a feature's weight, the feature leaves.
        w = np.where(np.abs(moved) <= 1e-12 * np.maximum(np.abs(w), np.abs(length * step)), 0.0, moved)
    return w


def _line_search(model: Model, c: NDArray[np.float64], w: NDArray[np.float64], step: NDArray[np.float64]) -> float:
    """Return the step length that minimises the model (convex, and quadratic between the zeros of w + t step)."""
    curvature = float(step @ model.times(step) + (model.l2 * step) @ step)
    if curvature <= 0:
        return 0.0
    slope = (model.l2 * w - c) @ step + model.l1 * (np.where(w != 0, np.sign(w), np.sign(step)) @ step)
    crossing = np.flatnonzero(w * step < 0)
    zeros = -w[crossing] / step[crossing]
    order = np.argsort(zeros, kind="stable")
    # The k-th interval ends at the k-th zero. Its slope is the first slope plus the kinks passed.
    ends = np.append(zeros[order], np.inf)
    kinks = np.append(2 * model.l1 * np.abs(step[crossing[order]]), 0.0)
    slopes = slope + np.concatenate([[0.0], np.cumsum(kinks[:-1])])
    k = int(np.argmax(slopes + kinks + ends * curvature >= 0))
    return float(np.clip(-slopes[k] / curvature, 0.0, ends[k]))
