"""What every solver of the benchmark shares: the grid, and the objective that its answer is judged by."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ALPHAS = np.geomspace(0.6, 0.006, 30)
SHOWN = (0, 15, 29)  # positions on the grid whose objective is compared


def objective(raw: NDArray, y: NDArray, weights: NDArray, alpha: float, l1_ratio: float) -> float:
    """Elastic-net objective of weights on the standardised scale; `raw` (features x samples) are those with weight."""
    mean, scale = raw.mean(axis=1, keepdims=True), raw.std(axis=1, keepdims=True)
    residual = y - y.mean() - weights @ ((raw - mean) / scale)
    penalty = l1_ratio * np.abs(weights).sum() + (1 - l1_ratio) / 2 * np.square(weights).sum()
    return float(np.square(residual).mean() / 2 + alpha * penalty)


def resident_gib(what: str) -> float:
    """Resident memory of this process: at its highest (`VmHWM`), or what is no file's now (`RssAnon`).

    Not getrusage's, which begins with what the process was forked from.
    """
    return int(re.search(rf"{what}:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 2**20
