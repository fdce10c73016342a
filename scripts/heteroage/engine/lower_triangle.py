"""Gathering the lower triangle of chosen rows and columns, compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heteroage.engine.compiled import compiled


@compiled
def lower_triangle(gram: NDArray, chosen: NDArray[np.int64]) -> NDArray:
    """As `active_system.lower_triangle`: a tenth of its time where many are chosen."""
    part = np.zeros((len(chosen), len(chosen)), gram.dtype)
    for i in range(len(chosen)):
        row = gram[chosen[i]]
        for j in range(i + 1):
            part[i, j] = row[chosen[j]]
    return part
