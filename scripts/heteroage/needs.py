"""How much memory and time a job asks for: by the size of what it reads and the elastic-net paths it solves.

A table, fitted to measured jobs (benchmarks/needs.py), has a row per rule. With `values` the float32 values read (by an
expert: those of its hallmark), `paths` the elastic-net paths and `solutions` their steps along the alphas,

    memory  =  mb  +  values x (bytes_per_value + bytes_per_path x paths)
    seconds =  seconds  +  values x (ns_per_value + ns_per_solution x solutions)      of one core

Read while the workflow is, by every job: the standard library alone.
"""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

MARGIN = 1.5  # of memory: the fit goes through the largest measured jobs, others may be larger
OF_SNAKEMAKE_MB = 600  # on a cluster, Snakemake itself runs in the job
PATIENCE = 4  # of run time: other machines are slower, and shared disks
LEAST_MINUTES = 10
CORE_SECONDS_PER_THREAD = 30  # below, more threads are not worth their start


@dataclass(frozen=True)
class Need:
    """One rule's row of the table: see the module."""

    mb: float
    bytes_per_value: float
    bytes_per_path: float
    seconds: float
    ns_per_value: float
    ns_per_solution: float

    def memory_mb(self, values: float, paths: int) -> float:
        """Resident memory, pages of the mapped matrix included."""
        return self.mb + values * (self.bytes_per_value + self.bytes_per_path * paths) / 1e6

    def core_seconds(self, values: float, solutions: int) -> float:
        """Run time on one core."""
        return self.seconds + values * (self.ns_per_value + self.ns_per_solution * solutions) / 1e9


@dataclass(frozen=True)
class Request:
    """What a job asks the scheduler for."""

    mem_mb: int
    minutes: int
    threads: int


def read_needs(path: Path) -> dict[str, Need]:
    """Read the table: {rule: Need}."""
    with path.open(encoding="utf-8", newline="") as stream:
        names = [field.name for field in fields(Need)]
        return {row["rule"]: Need(*(float(row[name]) for name in names)) for row in csv.DictReader(stream)}


def request(need: Need, values: float, grid: tuple[int, int], most_threads: int = 1, attempt: int = 1) -> Request:
    """What a job asks for: more than the table says, and more with every attempt.

    Parameters
    ----------
    values : float32 values that it reads (bytes / 4)
    grid : its elastic-net paths, and the alphas of each
    most_threads : that it can use
    attempt : 1, then 2, ... when it has failed before
    """
    paths, alphas = grid
    core_seconds = need.core_seconds(values, paths * alphas)
    threads = min(most_threads, max(1, math.ceil(core_seconds / CORE_SECONDS_PER_THREAD)))
    memory = MARGIN * need.memory_mb(values, paths) + OF_SNAKEMAKE_MB
    minutes = LEAST_MINUTES + PATIENCE * core_seconds / threads / 60
    return Request(100 * math.ceil(attempt * memory / 100), math.ceil(attempt * minutes), threads)


def grids(config: Mapping) -> dict[str, tuple[int, int]]:
    """Elastic-net paths and alphas of each rule that solves any; by the (checked, complete) configuration."""
    folds, stage1, stage2 = config["cross_validation"]["folds"], config["stage1"], config["stage2"]
    without_two = folds * (folds - 1) // 2
    of_anchor, of_expert = stage1["alpha"]["steps"], stage2["alpha"]["steps"]
    expert = len(stage2["l1_ratio"]) * (1 + folds + without_two)
    return {
        "sweep_stage1": (len(stage1["balancing"]) * len(stage1["l1_ratio"]) * folds, of_anchor),
        "sweep_stage1_part": (folds, of_anchor),
        "cross_fit_stage1": (folds + without_two, of_anchor),
        "train_stage1": (1, of_anchor),
        "train_expert": (expert, of_expert),
        "score_random_sets": (expert * config["falsification"]["random_sets"], of_expert),
    }


@cache
def own_share(dictionary: str, hallmark: str, names: str, modalities: int) -> float:
    """The share of all features that a hallmark has at most: its expert reads no others.

    Parameters
    ----------
    dictionary : path of {hallmark: [CpG, ...]}
    names : path of the features' names, one a line
    modalities : in which a CpG may be
    """
    cpgs = json.loads(Path(dictionary).read_text(encoding="utf-8"))[hallmark]
    with Path(names).open("rb") as stream:
        return min(1.0, len(cpgs) * modalities / max(1, sum(1 for _ in stream)))


def values_read(paths: Iterable[str], features: str | None) -> float:
    """Float32 values of the feature matrix that a job reads; where it reads none, what all its input would hold.

    Raises
    ------
    FileNotFoundError
        They are not there yet.
    """
    return sum(os.stat(path).st_size for path in ([features] if features else paths)) / 4  # noqa: PTH116
