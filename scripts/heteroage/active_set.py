"""One elastic-net path at a time: semi-smooth Newton steps on a working set of features.

On a working set V the optimum of the elastic net is the root of a piecewise linear equation: with c = Z'r/n,

    c_j - l2 w_j = l1 sign(w_j)  where w_j is not 0,      |c_j| <= l1  where it is.

Given the active set A and its signs s, Newton's step for that equation is one linear system,

    (Z_A'Z_A/n + l2 I) d = c_A - l2 w_A - l1 s_A,

and the signs and correlations after it say which features must leave and enter A: the primal-dual active set
method (Hintermüller, Ito and Kunisch, SIAM J. Optim. 13:865, 2002; for the elastic net: Boschi, Reimherr and
Chiaromonte, arXiv:2006.03970). Warm-started along a path it settles in a few steps. Where it does not, the same
steps are made monotone by an exact line search, as in feature-sign search (Lee et al., NIPS 2006), and then
always end at the optimum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack, solve_triangular

# Of l1, on the optimality conditions. An inactive feature enters above l1 (1 + tolerance): rounding must not make
# it come and go.
TOLERANCE = {np.float32: 2e-5, np.float64: 1e-10}
ROUNDING = {
    np.float32: 1e-6,
    np.float64: 1e-15,
}  # of a product with the Gram matrix, relative to the norm of the weights
RIDGE = {np.float32: 1e-5, np.float64: 1e-9}  # least, for Newton's steps only: keeps duplicated features solvable
NEWTON_STEPS = 10  # before the monotone search takes over
MONOTONE_STEPS = 1000
REFINEMENTS = 8
PANEL = 256


class PathSolver:
    """The working set of one path and the solution on it. It knows no samples but its own.

    The Gram matrix only steers Newton's steps: after each solve the residual and the correlations are computed
    anew from Z, and the step repeated until they are optimal. So single precision suffices for the matrices.

    Parameters
    ----------
    y : (training samples,), centred
    l1_ratio : in (0, 1]
    dtype : of the matrices; float64 where the ridge part is too small to keep float32 well conditioned
    """

    def __init__(self, y: NDArray[np.float64], l1_ratio: float, dtype: type) -> None:
        self.y, self.l1_ratio, self.dtype = y, l1_ratio, dtype
        self.tolerance = TOLERANCE[dtype]
        self.features = np.empty(0, np.int64)  # the working set, in order of entry
        self.w, self.c = np.empty(0), np.empty(0)
        self.residual = y.copy()
        self._Z, self._gram = np.empty((0, len(y)), dtype), np.empty((0, 0), dtype)
        self._last = (np.inf, np.empty(0))  # alpha and correlations of the previous solution

    @property
    def Z(self) -> NDArray:  # noqa: N802
        """Standardised rows of the working set (features x training samples)."""
        return self._Z[: len(self.features)]

    @property
    def gram(self) -> NDArray:
        """ZZ'/n of the working set."""
        v = len(self.features)
        return self._gram[:v, :v]

    def add(self, features: NDArray[np.int64], Z: NDArray) -> None:
        """Let features (standardised rows Z) into the working set, at weight 0."""
        v, total = len(self.features), len(self.features) + len(features)
        if total > len(self._Z):
            self._reserve(int(1.25 * total) + 32)
        self._Z[v:total] = Z
        self.features = np.concatenate([self.features, features])
        self.w = np.concatenate([self.w, np.zeros(len(features))])
        new = self._gram[v:total, :total]
        np.matmul(self._Z[v:total], self._Z[:total].T, out=new)
        new /= len(self.y)
        self._gram[:v, v:total] = new[:, :v].T
        c = self._Z[v:total] @ self.residual.astype(self.dtype) / len(self.y)
        self.c = np.concatenate([self.c, c])
        self._last = (self._last[0], np.concatenate([self._last[1], np.full(len(features), np.nan)]))

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Forget the features of the working set that are not `kept` (their weights must be 0)."""
        at, v = np.flatnonzero(kept), int(kept.sum())
        self._Z[:v] = self._Z[at]
        self._gram[:v, :v] = self.gram[at][:, at]
        self.features, self.w, self.c = self.features[at], self.w[at], self.c[at]
        self._last = (self._last[0], self._last[1][at])

    def solve(self, alpha: float, previous_alpha: float) -> None:
        """Move to the optimum at `alpha` on the working set."""
        l1, l2 = alpha * self.l1_ratio, alpha * (1 - self.l1_ratio)
        # 1. Guess who will be active: correlations follow nearly straight lines between alphas.
        before, c_before = self._last
        slope = (self.c - c_before) / (previous_alpha - before) if before > previous_alpha else np.zeros_like(self.c)
        expected = self.c + np.nan_to_num(slope) * (alpha - previous_alpha)
        if alpha < previous_alpha:
            self._last = (previous_alpha, self.c.copy())
        signs = np.where(self.w != 0, np.sign(self.w), np.sign(expected) * (np.abs(expected) > l1))
        for _ in range(REFINEMENTS):
            # 2. Solve on the Gram matrix.
            self.w = _newton(_Model(self.gram, self.w, self.c, l1, l2, self.tolerance), signs)
            # 3. Check against the data.
            self._refresh()
            signs = np.sign(self.w)
            error = np.where(signs != 0, np.abs(self.c - l2 * self.w - l1 * signs), np.abs(self.c) - l1)
            if error.max(initial=0) <= self.tolerance * l1:
                break
            entering = (signs == 0) & (np.abs(self.c) > l1 * (1 + self.tolerance))
            signs[entering] = np.sign(self.c[entering])

    def _refresh(self) -> None:
        fitted = self.w.astype(self.dtype) @ self.Z
        self.residual = self.y - fitted
        # Z and y are centred, so this is only rounding; the screening of all features relies on it.
        self.residual -= self.residual.mean()
        self.c = (self.Z @ self.residual.astype(self.dtype)).astype(np.float64) / len(self.y)

    def _reserve(self, capacity: int) -> None:
        v = len(self.features)
        Z, gram = np.empty((capacity, len(self.y)), self.dtype), np.empty((capacity, capacity), self.dtype)
        Z[:v], gram[:v, :v] = self.Z, self.gram
        self._Z, self._gram = Z, gram


@dataclass(frozen=True)
class _Model:
    """The quadratic model of one path's objective around the weights `w`, where the correlations are `c`."""

    gram: NDArray
    w: NDArray[np.float64]
    c: NDArray[np.float64]
    l1: float
    l2: float
    tolerance: float

    def correlations(self, w: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """Correlations at w, and what may be rounding in them."""
        change = w - self.w
        noise = ROUNDING[self.gram.dtype.type] * float(np.linalg.norm(change))
        return self.c - _times(self.gram, change), self.tolerance * self.l1 + noise

    def newton_step(
        self, w: NDArray[np.float64], c: NDArray[np.float64], signs: NDArray[np.float64], active: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Step of the active features towards their optimum, as if their signs were right."""
        gradient = c[active] - self.l2 * w[active] - self.l1 * signs[active]
        return _solve_ridge(self.gram, active, self.l2, gradient)


def _newton(model: _Model, signs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Minimise the model by the primal-dual active set method.

    `signs` holds the signs of the active set that is tried first, 0 for the inactive.
    """
    w = model.w
    for _ in range(NEWTON_STEPS):
        active = np.flatnonzero(signs)
        # Features that leave do so at once; the step is taken by the others.
        w = np.where(signs != 0, w, 0.0)
        c, _ = model.correlations(w)
        w[active] += model.newton_step(w, c, signs, active)
        c, slack = model.correlations(w)
        leaving = (signs != 0) & (w * signs <= 0)
        entering = (signs == 0) & (np.abs(c) > model.l1 + slack)
        if not (leaving.any() or entering.any()):
            return w
        signs = np.where(leaving, 0.0, np.where(entering, np.sign(c), signs))
    return _monotone(model)


def _monotone(model: _Model) -> NDArray[np.float64]:
    """Minimise the model with an exact line search along every step, so that it never rises."""
    l1, l2 = model.l1, model.l2
    w = model.w.copy()
    # Without a ridge part many at once would make the system singular.
    regular = l2 >= RIDGE[model.gram.dtype.type]
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
        active = np.flatnonzero(signs)
        step = model.newton_step(w, c, signs, active)
        length = _line_search(model.gram[np.ix_(active, active)], c[active], w[active], step, l1, l2)
        several = regular and length > 0
        moved = w[active] + length * step
        # Where the search stops at a feature's zero, the feature leaves.
        moved[np.abs(moved) <= 1e-12 * np.maximum(np.abs(w[active]), np.abs(length * step))] = 0.0
        w[active] = moved
    return w


def _line_search(
    gram: NDArray, c: NDArray[np.float64], w: NDArray[np.float64], step: NDArray[np.float64], l1: float, l2: float
) -> float:
    """Length of the step that minimises the model: a convex function, quadratic between the zeros of w + t step."""
    curvature = step @ _times(gram, step) + l2 * step @ step
    slope = -(c - l2 * w) @ step + l1 * (np.where(w != 0, np.sign(w), np.sign(step)) @ step)
    with np.errstate(divide="ignore", invalid="ignore"):
        zeros = np.where(w * step < 0, -w / step, np.inf)
    order = np.argsort(zeros, kind="stable")
    order = order[np.isfinite(zeros[order])]
    # The slope just before the k-th zero, had only the earlier kinks been passed.
    kinks = 2 * l1 * np.abs(step[order])
    passed = slope + np.concatenate([[0.0], np.cumsum(kinks)])
    ends = np.append(zeros[order], np.inf)
    after = passed + np.append(kinks, 0.0) + ends * curvature
    k = int(np.argmax(after >= 0)) if np.isfinite(curvature) and curvature > 0 else len(order)
    if curvature <= 0:
        return float(ends[k - 1]) if k else 0.0
    return float(np.clip(-passed[k] / curvature, 0.0, ends[k]))


def _solve_ridge(
    gram: NDArray, active: NDArray[np.int64], l2: float, right: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Solve (gram + l2 I) x = right on the active features."""
    if not len(active):
        return np.empty(0)
    ridge = max(l2, RIDGE[gram.dtype.type])
    whole = len(active) == len(gram)
    while True:
        system = np.array(gram) if whole else gram.take(active, axis=0).take(active, axis=1)
        system.flat[:: len(active) + 1] += gram.dtype.type(ridge)
        factor = _cholesky(system)
        if factor is not None:
            x = solve_triangular(factor, right.astype(gram.dtype), lower=True, check_finite=False)
            return solve_triangular(factor, x, lower=True, trans="T", check_finite=False).astype(np.float64)
        # Duplicated or collinear features without a ridge part: a little more makes the step safe, and the
        # repeated steps still end at an optimum.
        ridge *= 100


def _cholesky(a: NDArray) -> NDArray | None:
    """Lower Cholesky factor of a symmetric matrix (overwritten), by panels; None if it is not positive definite.

    The products of panels are NumPy's and let other threads run meanwhile; LAPACK through SciPy does not.
    """
    n = len(a)
    potrf = lapack.get_lapack_funcs("potrf", (a,))
    for start in range(0, n, PANEL):
        stop = min(start + PANEL, n)
        panel = a[start:, start:stop]
        if start:
            panel -= a[start:, :start] @ a[start:stop, :start].T
        corner, info = potrf(panel[: stop - start], lower=1, clean=1)
        if info != 0:
            return None
        panel[: stop - start] = corner
        if stop < n:
            inverse = solve_triangular(corner, np.eye(stop - start, dtype=a.dtype), lower=True, check_finite=False)
            panel[stop - start :] = panel[stop - start :] @ inverse.T
    return a


def _times(gram: NDArray, w: NDArray[np.float64]) -> NDArray[np.float64]:
    return (gram @ w.astype(gram.dtype)).astype(np.float64)
