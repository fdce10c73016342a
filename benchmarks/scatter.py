"""When it pays to split the sweep into jobs: a simulated cluster of 1, 10 and 100 nodes, with measured job times.

The jobs of a full and five nested runs are put on nodes of eight cores as they become ready, the longest first. What a
job takes is what workflow/needs.csv, fitted to measured jobs, says for its size; a job that runs threads is taken to
share its work evenly between eight, and each job has the overhead of a submission besides. Writes docs/scatter.png.

    .venv/bin/python benchmarks/scatter.py
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import yaml

from heteroage.needs import grids, read_needs

matplotlib.use("Agg")
import matplotlib.pyplot as plt

REPOSITORY = Path(__file__).parents[1]
PICTURE = REPOSITORY / "docs/scatter.png"
NEEDS = read_needs(REPOSITORY / "workflow/needs.csv")
CONFIG = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text(encoding="utf-8"))
CORES = 8
NODES = (1, 10, 100)
OVERHEAD = 10.0  # seconds of a submission: Slurm, Snakemake's start, the interpreter; see docs/cluster.md
OF_HALLMARK = 1_000  # features
RUNS = 1 + CONFIG["cross_validation"]["outer_folds"]
THREADED = {"sweep_stage1", "sweep_stage1_part", "cross_fit_stage1", "train_stage1"}


@dataclass(frozen=True)
class Study:
    """A study's size, and how much is swept."""

    name: str
    samples: int
    features: int
    hallmarks: int
    balancings: int
    l1_ratios: int


STUDIES = [
    Study("1,000 samples x 50,000 features\n6 parts, 8 hallmarks", 1_000, 50_000, 8, 2, 3),
    Study("1,000 samples x 450,000 features\n6 parts, 12 hallmarks", 1_000, 450_000, 12, 2, 3),
    Study("10,000 samples x 450,000 features\n40 parts, 40 hallmarks", 10_000, 450_000, 40, 8, 5),
]


@dataclass(frozen=True)
class Job:
    """A job: what it takes on the cores it asks for, and the jobs it waits for, by their numbers."""

    seconds: float
    cores: int
    after: tuple[int, ...]


def jobs_of(study: Study, scatter: bool) -> list[Job]:
    """The jobs of all runs."""
    stage1 = CONFIG["stage1"] | {
        "balancing": [{}] * study.balancings,
        "l1_ratio": [0.5] * study.l1_ratios,
    }
    solved = grids(CONFIG | {"stage1": stage1})
    values = study.samples * study.features
    jobs: list[Job] = []

    def add(rule: str, *after: int) -> int:
        paths, alphas = solved.get(rule, (0, 0))
        own = study.samples * OF_HALLMARK if rule == "train_expert" else values
        seconds = NEEDS[rule].core_seconds(own, paths * alphas)
        cores = CORES if rule in THREADED else 1
        jobs.append(Job(OVERHEAD + seconds / cores, cores, after))
        return len(jobs) - 1

    store = add("assign_groups", add("build_feature_store"))
    for _ in range(RUNS):
        matrix = add("build_training_matrix", store)
        correlation = add("correlate_features", matrix)
        if scatter:
            sweep = [add("sweep_stage1_part", matrix) for _ in range(study.balancings * study.l1_ratios)]
        else:
            sweep = [add("sweep_stage1", matrix)]
        anchor = add("cross_fit_stage1", *sweep)
        final = add("train_stage1", *sweep)
        experts = [add("train_expert", anchor, correlation) for _ in range(study.hallmarks)]
        assembled = add("assemble_artifacts", final, add("train_stage3", add("cross_fit_stage3", *experts)))
        add("predict_held_out", assembled)
    return jobs


def hours(jobs: list[Job], nodes: int) -> float:
    """How long all jobs take on some nodes, each begun as soon as it is ready and a node has the cores."""
    waits = [len(job.after) for job in jobs]
    followers: list[list[int]] = [[] for _ in jobs]
    for number, job in enumerate(jobs):
        for before in job.after:
            followers[before].append(number)
    free, now = [CORES] * nodes, 0.0
    ready = {number for number, count in enumerate(waits) if not count}
    running: list[tuple[float, int, int]] = []  # end, job, node
    while ready or running:
        for number in sorted(ready, key=lambda number: -jobs[number].seconds):
            node = max(range(nodes), key=free.__getitem__)
            fitting = next((k for k in (node, *range(nodes)) if free[k] >= jobs[number].cores), None)
            if fitting is not None:
                ready.discard(number)
                free[fitting] -= jobs[number].cores
                heapq.heappush(running, (now + jobs[number].seconds, number, fitting))
        now, number, node = heapq.heappop(running)
        free[node] += jobs[number].cores
        for follower in followers[number]:
            waits[follower] -= 1
            if not waits[follower]:
                ready.add(follower)
    return now / 3600


def simulated() -> Iterator[tuple[Study, list[float], list[float]]]:
    """Of each study, the hours on 1, 10 and 100 nodes: in one job, and in parts."""
    for study in STUDIES:
        whole, parts = ([hours(jobs_of(study, scatter), n) for n in NODES] for scatter in (False, True))
        yield study, whole, parts


def main() -> None:
    """Simulate, print and draw."""
    figure, panels = plt.subplots(1, len(STUDIES), figsize=(10.5, 3.6), layout="constrained")
    for panel, (study, whole, parts) in zip(panels, simulated(), strict=True):
        print(study.name.replace("\n", ", "), "in one job:", whole, "in parts:", parts)
        unit, scale = ("minutes", 60) if max(whole) < 2 else ("hours", 1)
        for k, (label, took, colour) in enumerate((("in one job", whole, "#4477aa"), ("in parts", parts, "#ee8866"))):
            bars = panel.bar([n + 0.38 * (k - 0.5) for n in range(3)], [t * scale for t in took], 0.36, color=colour)
            panel.bar_label(bars, [f"{t * scale:.3g}" for t in took], fontsize=8)
            bars.set_label(label)
        panel.set_xticks(range(3), [str(n) for n in NODES])
        panel.set(title=study.name, xlabel="nodes of 8 cores", ylabel=unit)
        panel.title.set_fontsize(9)
        panel.spines[["top", "right"]].set_visible(False)
        panel.margins(y=0.12)
    panels[0].legend(title="the sweep", frameon=False)
    figure.suptitle("A full and five nested runs: simulated scheduling of measured job times", fontsize=10)
    figure.savefig(PICTURE, dpi=130, metadata={"Software": None})


if __name__ == "__main__":
    main()
