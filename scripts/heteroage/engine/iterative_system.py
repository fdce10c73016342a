"""Linear systems on a changing active set by preconditioned conjugate gradients, without a Gram matrix.

The matrix is Z_A Z_A'/n + diag(l2_A) for standardised features Z. Tissue, study and cell composition change most
features together, so it has a few large eigenvalues. With orthonormal directions U of the samples, V = Z_A U and
E = Z_A - V U', the matrix is exactly V V'/n + E E'/n + diag(l2_A). The preconditioner keeps the diagonal of E E'/n:

    M = V V'/n + diag(l2_A + 1 - |V_j|^2 / n).

M^-1 follows from the Woodbury identity. If U has the leading directions, few iterations are enough.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DIRECTIONS = 16
ROUNDS = 2  # of the subspace iteration
FEATURES = 256  # from which the directions are computed: what moves most features together shows in these
REDUCTION = 1e-2  # of the residual's norm, in one solve
ITERATIONS = 60  # of one solve, at most


def leading_directions(Z: NDArray) -> NDArray:
    """Return approximate leading directions of the samples, (samples, directions), of Z (features, samples)."""
    Z = Z[:: -(-len(Z) // FEATURES)]
    found = np.random.default_rng(0).standard_normal((Z.shape[1], min(DIRECTIONS, *Z.shape))).astype(Z.dtype)
    for _ in range(ROUNDS):
        found = np.linalg.qr(Z.T @ (Z @ found))[0]
    return found


class IterativeSystem:
    """Solves (Z_A Z_A'/n + diag(l2_A)) x = g approximately.

    Z : (features, samples), standardised
    l2 : (features,), positive
    directions : (samples, directions), orthonormal
    """

    def __init__(self, Z: NDArray, l2: NDArray[np.float64], directions: NDArray) -> None:
        self._Z, self._l2, self._along = Z, l2.astype(Z.dtype), Z @ directions
        explained = np.einsum("ij,ij->i", self._along, self._along) / Z.shape[1]
        self._inverse = 1 / (self._l2 + np.maximum(1 - explained, 0))

    def solve(self, active: NDArray[np.bool_], right: NDArray[np.float64]) -> NDArray[np.float64]:
        """Solve on the active features; `right` and the result have all features, the result 0 for inactive ones."""
        Z, own = self._Z, active.astype(self._Z.dtype)
        dtype, n = Z.dtype.type, Z.dtype.type(Z.shape[1])
        along, inverse = own[:, None] * self._along, own * self._inverse
        scaled = inverse[:, None] * along
        inner = (along.T @ scaled).astype(np.float64)
        inner.flat[:: len(inner) + 1] += n
        inner = np.linalg.inv(inner).astype(dtype)
        # Divide by the largest number, because squares of small numbers are lost in single precision.
        scale = max(float(np.abs(right[active]).max(initial=0)), float(np.finfo(np.float32).tiny))
        residual = own * (right / scale).astype(dtype)
        x, direction, product = np.zeros_like(residual), np.zeros_like(residual), 1.0
        enough = REDUCTION**2 * float(residual @ residual)
        for _ in range(ITERATIONS):
            if float(residual @ residual) <= enough:
                break
            z = inverse * residual - scaled @ (inner @ (residual @ scaled))
            before, product = product, float(residual @ z)
            direction = z + dtype(product / before) * direction
            image = own * (Z @ ((direction @ Z) / n)) + self._l2 * direction
            step = dtype(product / float(direction @ image))
            x += step * direction
            residual -= step * image
        return scale * x.astype(np.float64)
