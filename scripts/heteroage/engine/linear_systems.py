"""Linear systems of Newton's steps on a changing active set: by factors of the Gram matrix, or without one.

**`ActiveSystem`**: one Cholesky factor, and Schur complements for later changes.

H_BB = G_BB + diag(ridge) is factored once, for the active set B. For a later active set A = (B without D) and E, the
solution is that of a bordered system. Multipliers m hold the removed features D at 0:

    [ H_BB  C ] [x_B]   [g_B]                          [ H_EE  0 ]       [x_E]
    [ C'    K ] [ z ] = [g_z],   C = [ G_BE  I_D ], K = [  0    0 ],  z = [ m ],

It follows that (K - C' H_BB^-1 C) z = g_z - C' H_BB^-1 g_B. With few changes this is much faster than a new factor.

**`IterativeSystem`**: preconditioned conjugate gradients, without a Gram matrix.

The matrix is Z_A Z_A'/n + diag(l2_A) for standardised features Z. Tissue, study and cell composition change most
features together, so it has a few large eigenvalues. With orthonormal directions U of the samples, V = Z_A U and
E = Z_A - V U', the matrix is exactly V V'/n + E E'/n + diag(l2_A). The preconditioner keeps the diagonal of E E'/n:

    M = V V'/n + diag(l2_A + 1 - |V_j|^2 / n).

M^-1 follows from the Woodbury identity. If U has the leading directions, few iterations are enough.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

PANEL = 96
MANY_TO_COPY = 256  # number of active features from which compiled code is faster, including its loading time
FEW_CHANGES = 8  # the system is factored again if more than one in this many active features has changed
# Minimum ridge, so that systems with duplicated or collinear features can be solved. It makes steps shorter, but not
# wrong, because steps are repeated until the solution is optimal.
RIDGE = {np.float32: 1e-5, np.float64: 1e-9}
DIRECTIONS = 16  # of the preconditioner
ROUNDS = 2  # of the subspace iteration
FEATURES_SAMPLED = 256  # for the directions: what moves most features together shows in these
REDUCTION = 1e-2  # of the residual's norm, in one solve
ITERATIONS = 60  # of one solve, at most


class ActiveSystem:
    """Solves (G_AA + diag(ridge_A)) x = g for a Gram matrix G. It is fast if successive active sets A are similar."""

    def __init__(self, gram: NDArray, ridge: NDArray[np.float64]) -> None:
        self.gram, self.ridge = gram, np.maximum(ridge, RIDGE[gram.dtype.type])
        self._base = np.empty(0, np.int64)  # B
        self._in_base = np.zeros(len(gram), bool)
        self._factor: PanelCholesky | None = None
        self._place = np.full(len(gram), -1)  # position of a feature's column in L^-1 C; -1 if not yet computed
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
        """Return L^-1 C for these changes; only new columns are computed."""
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
    """Return the lower triangle of the chosen rows and columns, with 0 above."""
    if len(chosen) < MANY_TO_COPY:
        return np.tril(gram[np.ix_(chosen, chosen)])
    from heteroage.engine import compiled  # loads Numba

    return compiled.lower_triangle(gram, chosen)


class PanelCholesky:
    """Lower Cholesky factor of a symmetric matrix, computed by panels of columns. The input triangle is overwritten.

    All large products are NumPy's, which release the interpreter lock. LAPACK called through SciPy does not. The
    diagonal blocks are inverted, so that triangular solves are also products.
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


def leading_directions(Z: NDArray) -> NDArray:
    """Return approximate leading directions of the samples, (samples, directions), of Z (features, samples)."""
    Z = Z[:: -(-len(Z) // FEATURES_SAMPLED)]
    found = np.random.default_rng(0).standard_normal((Z.shape[1], min(DIRECTIONS, *Z.shape))).astype(Z.dtype)
    for _ in range(ROUNDS):
        found = np.linalg.qr(Z.T @ (Z @ found))[0]
    return found


class IterativeSystem:
    """Solves (Z Z'/n + diag(l2)) x = g approximately.

    Z : (features, samples), standardised
    l2 : (features,), positive
    along : (features, directions), Z times orthonormal directions of the samples
    """

    def __init__(self, Z: NDArray, l2: NDArray[np.float64], along: NDArray) -> None:
        self._Z, self._l2 = Z, l2.astype(Z.dtype)
        n = Z.dtype.type(Z.shape[1])
        explained = np.einsum("ij,ij->i", along, along) / n
        self._inverse = 1 / (self._l2 + np.maximum(1 - explained, 0))
        self._scaled = self._inverse[:, None] * along
        inner = (along.T @ self._scaled).astype(np.float64)
        inner.flat[:: len(inner) + 1] += n
        self._inner = np.linalg.inv(inner).astype(Z.dtype)

    def solve(self, right: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return x, and x'Z, (samples,)."""
        Z, dtype, n = self._Z, self._Z.dtype.type, self._Z.dtype.type(self._Z.shape[1])
        # Divide by the largest number, because squares of small numbers are lost in single precision.
        scale = max(float(np.abs(right).max(initial=0)), float(np.finfo(np.float32).tiny))
        residual = (right / scale).astype(dtype)
        x, direction, moved = (np.zeros(size, dtype) for size in (len(Z), len(Z), Z.shape[1]))
        product = 1.0
        enough = REDUCTION**2 * float(residual @ residual)
        for _ in range(ITERATIONS):
            if float(residual @ residual) <= enough:
                break
            z = self._inverse * residual - self._scaled @ (self._inner @ (residual @ self._scaled))
            before, product = product, float(residual @ z)
            direction = z + dtype(product / before) * direction
            of_samples = direction @ Z
            image = Z @ (of_samples / n) + self._l2 * direction
            step = dtype(product / float(direction @ image))
            x += step * direction
            moved += step * of_samples
            residual -= step * image
        return scale * x.astype(np.float64), scale * moved.astype(np.float64)
