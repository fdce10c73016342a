"""Measure what jobs need, on simulated studies of several sizes, and fit workflow/needs.csv to it.

Memory and CPU time are Snakemake's own, from the benchmark of each job. docs/cluster.md says on what the shipped table
was measured. It takes about ten minutes on two cores
that have nothing else to do.

    .venv/bin/python benchmarks/needs.py              simulate, run and fit
    .venv/bin/python benchmarks/needs.py --fit-only   fit what was measured before
"""

from __future__ import annotations

import ast
import csv
import subprocess
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.optimize import nnls

from heteroage import demo
from heteroage.files import write_json, write_table
from heteroage.needs import Need, grids, own_share
from heteroage.probes import MODALITIES

REPOSITORY = Path(__file__).parents[1]
RESULTS = REPOSITORY / "benchmarks/results/needs"
TABLE = REPOSITORY / "workflow/needs.csv"
DEMO = yaml.safe_load((REPOSITORY / "resources/demo/settings.yaml").read_text(encoding="utf-8"))
CONFIG = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text(encoding="utf-8"))
NAMES = "results/store/feature_names.txt"
SWEEP = ("results/full/artifacts/stage1/Stage1_Sweep_Report.csv",)
TARGETS = (
    "results/predictions/held_back.csv",
    "results/audit/sex.csv",
    "results/audit/tables.csv",
    "results/nested-0/held_out/fusion_without_context.csv",
    "results/falsification/near_duplicates.csv",
)
# Not run here: docs/cluster.md says what their rows are.
KEPT = {"read_geo_series", "simulate_demo"}
# The same work, with fewer or more paths.
ALIKE = {"sweep_stage1_part": "sweep_stage1", "score_random_sets": "train_expert"}


@dataclass(frozen=True)
class Size:
    """A simulated study: its samples, the CpGs of each modality, how much is swept, and what is made of it."""

    samples_per_project: int
    cpgs: int
    l1_ratios: tuple[float, ...]
    balancings: int
    targets: tuple[str, ...] = TARGETS

    @property
    def folder(self) -> Path:
        """Where it is made and run."""
        return RESULTS / f"{12 * self.samples_per_project}x{self.cpgs}x{len(self.l1_ratios) * self.balancings}"


SIZES = [
    Size(20, 2_500, (0.5,), 1),
    Size(20, 10_000, (0.1, 0.5, 0.9), 2, SWEEP),
    Size(80, 16_000, (0.5,), 1),
    Size(80, 16_000, (0.1, 0.5, 0.9), 2, SWEEP),
]


def simulate(size: Size) -> None:
    """Write a study's tables, its dictionary, an annotation and its config."""
    settings = DEMO | {
        "projects": 12,
        "samples_per_project": size.samples_per_project,
        "cpgs": size.cpgs,
        "cpgs_per_modality": size.cpgs,
        "hallmarks": DEMO["hallmarks"][-3:],
        "accelerated_hallmark": DEMO["hallmarks"][-1],
        "cpgs_per_hallmark": size.cpgs // 10,
    }
    dictionary = demo.simulate_dictionary(settings)
    cohorts = demo.simulate(settings, dictionary)
    data = size.folder / "data"
    data.mkdir(parents=True)
    for modality in MODALITIES:
        write_table(cohorts.tables[modality], data / f"{modality}.parquet")
    write_table(cohorts.held_back, data / "held_back.parquet")
    write_json(dictionary, data / "hallmarks.json")
    lines = [f"{cpg},{'XY'[k % 2] if k < 400 else 1}" for k, cpg in enumerate(demo.cpg_names(settings))]
    (data / "annotation.csv").write_text("\n".join(["cpg,chromosome", *lines, ""]), encoding="utf-8")
    stage1 = CONFIG["stage1"] | {
        "balancing": CONFIG["stage1"]["balancing"][: size.balancings],
        "l1_ratio": list(size.l1_ratios),
    }
    config = {
        "inputs": {modality: f"data/{modality}.parquet" for modality in MODALITIES}
        | {"hallmarks": "data/hallmarks.json", "annotation": "data/annotation.csv"},
        "predict": {"held_back": "data/held_back.parquet"},
        "stage1": stage1,
    }
    (size.folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")


def run(size: Size) -> None:
    """Run the workflow as far as the targets."""
    command = [sys.executable, "-m", "snakemake", "-s", str(REPOSITORY / "Snakefile"), "--configfile", "config.yaml"]
    subprocess.run([*command, "--cores", "2", "--benchmark-extended", *size.targets], cwd=size.folder, check=True)


@dataclass(frozen=True)
class Job:
    """A measured job: the float32 values it read, its elastic-net paths and alphas, its memory and CPU time."""

    rule: str
    values: float
    paths: int
    solutions: int
    mb: float
    seconds: float


def measured_jobs(size: Size) -> list[Job]:
    """Read the benchmarks of a study's jobs."""
    config = CONFIG | yaml.safe_load((size.folder / "config.yaml").read_text(encoding="utf-8"))
    jobs = []
    for path in sorted((size.folder / "results/benchmarks").rglob("*.tsv")):
        with path.open(encoding="utf-8", newline="") as stream:
            row = next(csv.DictReader(stream, delimiter="\t"))
        if row["max_rss"] == "NA":  # over before it could be looked at
            continue
        read = ast.literal_eval(row["input_size_mb"])  # {path: MB}
        matrix = [mb for name, mb in read.items() if name.endswith("/features.npy")]
        values = (sum(matrix) or sum(read.values())) * 1024**2 / 4
        if row["rule_name"] == "train_expert":
            dictionary, names = (str(size.folder / name) for name in ("data/hallmarks.json", NAMES))
            values *= own_share(dictionary, ast.literal_eval(row["wildcards"])["hallmark"], names, len(MODALITIES))
        paths, alphas = grids(config).get(row["rule_name"], (0, 0))
        seconds = max(float(row["cpu_time"]), float(row["s"]) * float(row["mean_load"]) / 100)
        jobs.append(Job(row["rule_name"], values, paths, paths * alphas, float(row["max_rss"]), seconds))
    return jobs


def fit(jobs: list[Job]) -> Need:
    """The table's row of a rule: no coefficient below 0, least relative squares, then raised to the largest job."""
    values, paths, solutions = (np.array([getattr(job, name) for job in jobs]) for name in _SIZES)
    # Where all jobs solve as many, nothing tells what goes by them from what does not: then all does.
    plain = values * (len(set(solutions)) > 1 or solutions[0] == 0)
    one = np.ones(len(jobs))
    memory = _fit(np.column_stack([one, values / 1e6, values * paths / 1e6]), np.array([job.mb for job in jobs]))
    time = _fit(np.column_stack([one, plain / 1e9, values * solutions / 1e9]), np.array([job.seconds for job in jobs]))
    return Need(*memory, *time)


_SIZES = ("values", "paths", "solutions")


def _fit(terms: NDArray[np.float64], measured: NDArray[np.float64]) -> list[float]:
    relative = terms / measured[:, None]
    scale = relative.max(axis=0)
    scale[scale == 0] = 1
    coefficients = nnls(relative / scale, np.ones(len(measured)))[0] / scale
    above = (measured / (terms @ coefficients)).max()
    return [float(f"{coefficient * max(above, 1):.3g}") for coefficient in coefficients]


def main() -> None:
    """Measure, fit and write the table."""
    for size in SIZES if "--fit-only" not in sys.argv else []:
        if not size.folder.exists():
            simulate(size)
        run(size)
    jobs = [job for size in SIZES for job in measured_jobs(size)]
    with TABLE.open(encoding="utf-8", newline="") as stream:
        rows = {row["rule"]: row for row in csv.DictReader(stream)}
    for rule, row in rows.items():
        own = [job for job in jobs if job.rule == ALIKE.get(rule, rule)]
        largest = max(own, key=lambda job: job.values, default=None)
        print(f"{rule}: {len(own)} jobs, the largest {largest}")
        if own:
            rows[rule] = {"rule": rule} | {name: f"{value:g}" for name, value in asdict(fit(own)).items()}
        elif rule not in KEPT:
            print("  not measured: its row stays", row)
    with TABLE.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, ["rule", *(field.name for field in fields(Need))], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows.values())


if __name__ == "__main__":
    main()
