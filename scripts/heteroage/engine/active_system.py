"""Linear systems on a changing active set: one Cholesky factor, and Schur complements for the changes since.

With the factor of H_BB = G_BB + diag(ridge) at hand, the solution on A = (B without D) and E is that of the bordered
system in which the features D that left are held at 0 by multipliers m:

    [ H_BB  C ] [x_B]   [g_B]                          [ H_EE  0 ]       [x_E]
    [ C'    K ] [ z ] = [g_z],   C = [ G_BE  I_D ], K = [  0    0 ],  z = [ m ],

that is (K - C' H_BB^-1 C) z = g_z - C' H_BB^-1 g_B: for few changes far cheaper than another factor.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

PANEL = 96
MANY = 512  # active features for whose matrix compiled code is worth its loading
FEW_CHANGES = 8  # at most one change per this many active features, or the system is factored anew
# Least ridge: keeps duplicated and collinear features solvable. Steps are repeated until they are optimal, so it
# only shortens them.
RIDGE = {np.float32: 1e-5, np.float64: 1e-9}


class ActiveSystem:
    """Solves (G_AA + diag(ridge_A)) x = g for a Gram matrix G and active sets A, best where each is like the last."""

    def __init__(self, gram: NDArray, ridge: NDArray[np.float64]) -> None:
        self.gram, self.ridge = gram, np.maximum(ridge, RIDGE[gram.dtype.type])
        self._base = np.empty(0, np.int64)  # B
        self._in_base = np.zeros(len(gram), bool)
        self._factor: PanelCholesky | None = None
        self._place = np.full(len(gram), -1)  # of a feature's column in L^-1 C, if it has been solved for
        self._solved = np.empty((0, 0), gram.dtype)  # L^-1 C

    def solve(self, active: NDArray[np.bool_], right: NDArray[np.float64]) -> NDArray[np.float64]:
        """Solve on the active features; `right` and the result are in their order."""
        changes = np.flatnonzero(active != self._in_base)
        if self._factor is None or len(changes) * FEW_CHANGES > len(self._base) + 8 * FEW_CHANGES:
            self._refactor(active)
            changes = changes[:0]
        full = np.zeros(len(self.gram))
        full[active] = right
        half = self._factor.forward(full[self._base].astype(self.gram.dtype))
        if len(changes):
            C = self._columns(changes)
            enters = active[changes]
            corner = np.zeros((len(changes), len(changes)))
            corner[np.ix_(enters, enters)] = self.gram[np.ix_(changes[enters], changes[enters])]
            corner[enters, enters] += self.ridge[changes[enters]]
            z = np.linalg.solve(corner - C.T @ C, full[changes] - C.T @ half)
            half -= C @ z.astype(half.dtype)
        full[self._base] = self._factor.backward(half)
        if len(changes):
            full[changes] = np.where(enters, z, 0.0)
        return full[active]

    def _refactor(self, active: NDArray[np.bool_]) -> None:
        self._base, self._in_base = np.flatnonzero(active), active.copy()
        self._place[:], self._solved = -1, np.empty((len(self._base), 0), self.gram.dtype)
        while True:
            system = lower_triangle(self.gram, self._base)
            system.flat[:: len(system) + 1] += self.ridge[self._base].astype(self.gram.dtype)
            try:
                self._factor = PanelCholesky(system)
                return
            except np.linalg.LinAlgError:
                self.ridge = 100 * self.ridge

    def _columns(self, changes: NDArray[np.int64]) -> NDArray:
        """L^-1 C for these changes, solving for those that are new."""
        new = changes[self._place[changes] < 0]
        if len(new):
            C = self.gram[np.ix_(self._base, new)]
            leaves = np.flatnonzero(self._in_base[new])
            C[:, leaves] = 0
            C[np.searchsorted(self._base, new[leaves]), leaves] = 1
            self._place[new] = self._solved.shape[1] + np.arange(len(new))
            self._solved = np.concatenate([self._solved, self._factor.forward(C)], axis=1)
        return self._solved[:, self._place[changes]]


def lower_triangle(gram: NDArray, chosen: NDArray[np.int64]) -> NDArray:
    """Lower triangle of the chosen rows and columns, 0 above: all that the factor is made of."""
    if len(chosen) < MANY:
        return np.tril(gram[np.ix_(chosen, chosen)])
    from heteroage.engine import lower_triangle as compiled  # loads Numba

    return compiled.lower_triangle(gram, chosen)


class PanelCholesky:
    """Lower Cholesky factor of a symmetric matrix (its lower triangle is given, and overwritten), by panels of columns.

    All large products are NumPy's and let other threads run meanwhile, as LAPACK called through SciPy does not;
    with the panels' corners inverted, so are the triangular solves.
    """

    def __init__(self, a: NDArray) -> None:
        n = len(a)
        potrf, trtri = lapack.get_lapack_funcs(("potrf", "trtri"), (a,))
        self._a = a
        self._panels = [(start, min(start + PANEL, n)) for start in range(0, n, PANEL)]
        self._inverses = []
        for start, stop in self._panels:
            panel = a[start:, start:stop]
            if start:
                panel -= a[start:, :start] @ a[start:stop, :start].T
            corner, info = potrf(panel[: stop - start], lower=1)
            if info != 0:
                raise np.linalg.LinAlgError("not positive definite")
            inverse, _ = trtri(corner, lower=1)
            self._inverses.append(inverse)
            if stop < n:
                panel[stop - start :] = panel[stop - start :] @ inverse.T

    def forward(self, b: NDArray) -> NDArray:
        """L^-1 b."""
        x = b.copy()
        for (start, stop), inverse in zip(self._panels, self._inverses, strict=True):
            x[start:stop] = inverse @ x[start:stop]
            if stop < len(x):
                x[stop:] -= self._a[stop:, start:stop] @ x[start:stop]
        return x

    def backward(self, b: NDArray) -> NDArray:
        """L^-T b."""
        x = b.copy()
        for (start, stop), inverse in zip(reversed(self._panels), reversed(self._inverses), strict=True):
            if stop < len(x):
                x[start:stop] -= self._a[stop:, start:stop].T @ x[stop:]
            x[start:stop] = inverse.T @ x[start:stop]
        return x
