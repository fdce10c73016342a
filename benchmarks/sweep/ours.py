"""Time heteroage-clock's paths on one problem; prints a line of JSON.

    python ours.py FOLDER --l1 0.5 ... [--samples N] [--cpgs P] [--balancings B] [--alphas K] [--threads 2]

A balancing leaves a part of the training samples out, another part in each. Memory is sampled: "anonymous" is what the
process needs beyond the file that it maps.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from shared import ALPHAS, SHOWN, objective, resident_gib

from heteroage.engine import path_walk
from heteroage.engine.elastic_net import Paths, fit_paths
from heteroage.engine.feature_pass import FeaturePass
from heteroage.engine.training_set import TrainingSet


class TimedPass(FeaturePass):
    """A pass over the features that keeps its own time."""

    seconds: float = 0.0
    passes: int = 0

    def __init__(self, *args: object) -> None:
        begun = time.perf_counter()
        super().__init__(*args)
        TimedPass.seconds, TimedPass.passes = time.perf_counter() - begun, 1

    def above(self, *args: object) -> list:
        """Go over all features."""
        begun = time.perf_counter()
        found = super().above(*args)
        TimedPass.seconds += time.perf_counter() - begun
        TimedPass.passes += 1
        return found


def peak_anonymous(job: Callable[[], object]) -> tuple[object, float]:
    """Run a job; returns its result and the most anonymous memory of this process meanwhile, in GiB."""
    peak, done = 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.02):
            peak = max(peak, resident_gib("RssAnon"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        result = job()
    finally:
        done.set()
        watcher.join()
    return result, peak


def training_sets(fold: NDArray, target: NDArray, balancings: int) -> list[TrainingSet]:
    """Of each fold: everybody who is not in it; with more balancings, the b-th leaves 0, 20, 40 ... % of them out."""
    place = np.random.default_rng(0).permutation(len(fold))
    sets = []
    for b in range(balancings):
        for k in range(fold.max() + 1):
            rows = np.flatnonzero((fold != k) & (place >= 0.2 * b * len(fold)))
            sets.append(TrainingSet(rows, target[rows].astype(np.float64)))
    return sets


def objectives(
    X: NDArray, sets: list[TrainingSet], paths: list[Paths], l1_ratios: list[float], alphas: NDArray
) -> dict:
    """Objective of the first fold's solutions, at a few alphas."""
    rows, y = sets[0].rows, sets[0].y
    found = {}
    for j, l1_ratio in enumerate(l1_ratios):
        for k in (k for k in SHOWN if k < len(alphas)):
            features, weights = paths[0].coefficients(0, j, k)
            raw = np.asarray(X[features]).take(rows, axis=1).astype(np.float64)
            found[f"{l1_ratio:g} {alphas[k]:.4g}"] = objective(raw, y, weights, alphas[k], l1_ratio)
    return found


def main() -> None:
    """Read the arguments, solve, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--l1", type=float, nargs="+", default=[0.5])
    parser.add_argument("--samples", type=int)
    parser.add_argument("--cpgs", type=int)
    parser.add_argument("--balancings", type=int, default=1)
    parser.add_argument("--alphas", type=int, default=len(ALPHAS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cold", action="store_true", help="do not read the file beforehand")
    given = parser.parse_args()
    X = np.load(given.folder / "features.npy", mmap_mode="r")[: given.cpgs]
    target, fold = np.load(given.folder / "target.npy"), np.load(given.folder / "fold.npy")
    if given.samples:
        # A store of its own, as a lab with fewer samples has.
        chosen = np.sort(np.random.default_rng(1).choice(len(fold), given.samples, replace=False))
        target, fold = target[chosen], fold[chosen]
        with tempfile.NamedTemporaryFile(dir=given.folder, suffix=".npy") as store:
            np.save(store, X.take(chosen, axis=1))  # features in rows, which indexing would not keep
            X = np.load(store.name, mmap_mode="r")
    if not given.cold:
        # Into the page cache, as the peers' matrices are in memory when their clock starts.
        for start in range(0, len(X), 10_000):
            X[start : start + 10_000].max()
    alphas = ALPHAS[: given.alphas]
    path_walk.FeaturePass = TimedPass
    sets = training_sets(fold, target, given.balancings)
    begun, cpu = time.perf_counter(), time.process_time()
    paths, anonymous = peak_anonymous(lambda: fit_paths(X, sets, given.l1, alphas, threads=given.threads))
    print(
        json.dumps(
            {
                "solver": "heteroage-clock",
                "samples": X.shape[1],
                "cpgs": X.shape[0],
                "paths": len(sets) * len(given.l1),
                "seconds": time.perf_counter() - begun,
                "cpu": time.process_time() - cpu,
                "passes": TimedPass.passes,
                "pass_seconds": TimedPass.seconds,
                "anonymous_gib": anonymous,
                "resident_gib": resident_gib("VmHWM"),
                "objectives": objectives(X, sets, paths, given.l1, alphas),
            }
        )
    )


if __name__ == "__main__":
    main()
