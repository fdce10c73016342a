"""Simulate a methylome for the sweep's benchmark, the same for every solver.

    python problem.py SAMPLES CPGS FOLDER [--seed S]

Writes features.npy (CpGs x samples, float32 beta values, a CpG's samples contiguous: the feature store's order),
target.npy (Horvath-transformed age) and fold.npy (0 to 4, whole studies in one). The truth is simulated: tissue, study
and cell composition move most CpGs by more than age does, and one CpG in fifty drifts with age.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

FOLDS = 5
TISSUES, CELL_TYPES = 6, 12
SAMPLES_PER_STUDY = 50
BLOCK = 2_000  # CpGs drawn at a time, each block from a seed of its own


def simulate(samples: int, cpgs: int, folder: Path, seed: int = 0) -> None:
    """Write one problem into `folder`, if it is not there yet."""
    if (folder / "fold.npy").exists() and (folder / "features.npy").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, 0])
    study = np.sort(rng.integers(max(10, samples // SAMPLES_PER_STUDY), size=samples))
    tissue = study % TISSUES
    age = np.clip(28 + 9 * (study % 6) + 13 * rng.standard_normal(samples), 0.5, 99)
    # Cell composition: one type of cells becomes commoner with age, the others come and go.
    cells = rng.standard_normal((CELL_TYPES, samples))
    cells[0] += (age - 45) / 50
    design = {"study": study, "tissue": tissue, "age": (age - 45) / 100, "cells": cells.astype(np.float32)}

    X = open_memmap(folder / "features.npy", mode="w+", dtype=np.float32, shape=(cpgs, samples))

    def fill(start: int) -> None:
        stop = min(start + BLOCK, cpgs)
        X[start:stop] = _beta_values(stop - start, design, np.random.default_rng([seed, 1, start]))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fill, range(0, cpgs, BLOCK)))
    X.flush()
    # Horvath 2013.
    np.save(folder / "target.npy", np.where(age <= 20, np.log((age + 1) / 21), (age - 20) / 21))
    # Studies of one tissue stand TISSUES apart, so that every fold gets some of each.
    np.save(folder / "fold.npy", study // TISSUES % FOLDS)


def _beta_values(cpgs: int, design: dict[str, NDArray], rng: np.random.Generator) -> NDArray[np.float32]:
    def normal(*shape: int, sd: float) -> NDArray[np.float32]:
        return sd * rng.standard_normal(shape, dtype=np.float32)

    samples = len(design["study"])
    m_value = normal(cpgs, samples, sd=0.5)
    m_value += (rng.choice(np.float32([-2.5, 0, 2.5]), cpgs) + normal(cpgs, sd=0.5))[:, None]
    m_value += normal(cpgs, TISSUES, sd=0.5)[:, design["tissue"]]
    m_value += normal(cpgs, design["study"].max() + 1, sd=0.25)[:, design["study"]]
    loading = normal(cpgs, CELL_TYPES, sd=0.4) * (rng.random((cpgs, CELL_TYPES)) < 0.3)
    m_value += loading.astype(np.float32) @ design["cells"]
    drift = normal(cpgs, sd=1.0) * (rng.random(cpgs) < 0.02)
    m_value += np.outer(drift, design["age"]).astype(np.float32)
    np.negative(m_value, out=m_value)
    np.exp(m_value, out=m_value)
    m_value += 1
    return np.reciprocal(m_value, out=m_value)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("samples", type=int)
    parser.add_argument("cpgs", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    simulate(given.samples, given.cpgs, given.folder, given.seed)
