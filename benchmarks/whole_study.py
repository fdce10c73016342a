"""A whole study, from a table to its report: wall time, CPU time, memory and disk of every rule, by size.

    make benchmark-study                                     three sizes, two cores: half an hour, 30 GB of disk
    python benchmarks/whole_study.py --folder scratch --sizes 250x112500 --targets all evaluate
    python benchmarks/whole_study.py --folder scratch --sizes 5000x450000 --targets all --memory 8    as root, on Linux

Each study is simulated: ten projects, four tissues, ten hallmarks of 2,500 CpGs, a Parquet table with CpGs in rows.
Growth is the factor from each size to the next (samples and CpGs both double: 4 is linear in the values).
"""

import argparse
import ast
import csv
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import yaml

REPOSITORY = Path(__file__).parents[1]
SIZES = ("250x112500", "500x225000", "1000x450000")
BLOCK = 10_000  # CpGs simulated at a time
PROJECTS, TISSUES, HALLMARKS, CPGS_PER_HALLMARK = 10, 4, 10, 2500


def main() -> None:
    """Simulate, run and print tables in Markdown."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--folder", type=Path, required=True)
    arguments.add_argument("--sizes", nargs="+", default=SIZES)
    arguments.add_argument("--targets", nargs="+", default=["all", "evaluate", "report"], help="made in this order")
    arguments.add_argument("--cores", type=int, default=2)
    arguments.add_argument("--repository", type=Path, default=REPOSITORY, help="another version, to compare")
    arguments.add_argument("--memory", type=float, help="limit in GB for all jobs and their pages of files together")
    given = arguments.parse_args()
    group = limited_group(given.memory) if given.memory else None
    rules, steps = {}, {}
    for size in given.sizes:
        study = given.folder / size
        simulate(study, *map(int, size.split("x")))
        steps[size] = {}
        for target in given.targets:
            anonymous: list[float] = []
            with sampled(group, anonymous):
                steps[size][target] = run(study, target, given.cores, given.repository, group)
            if group:
                steps[size][f"{target}, GB without pages of files"] = max(anonymous)
        steps[size]["sweep of the full run"] = sweep_seconds(study / "logs/full/train_stage1.log")
        steps[size]["results, GB"] = sum(f.stat().st_size for f in (study / "results").rglob("*") if f.is_file()) / 1e9
        steps[size]["store, GB"] = (study / "results/store/features.npy").stat().st_size / 1e9
        rules[size] = by_rule(study / "results/benchmarks")
    print_steps(steps)
    print_rules(rules)


def simulate(study: Path, n_samples: int, n_cpgs: int) -> None:
    """Write beta.parquet (CpGs in rows), samples.csv, hallmarks.json and config.yaml."""
    if (study / "config.yaml").is_file():
        return
    study.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(1)
    project = np.arange(n_samples) * PROJECTS // n_samples
    tissue = (project % TISSUES + (rng.random(n_samples) < 0.3)) % TISSUES
    age = np.clip(rng.normal(45 + 3 * (project - 5), 16), 0, 95).round(1)
    ids = [f"sample_{k:05d}" for k in rng.permutation(n_samples)]
    samples = pd.DataFrame({"sample_id": ids, "project_id": [f"study_{k:02d}" for k in project]})
    samples = samples.assign(Tissue=[f"tissue_{k}" for k in tissue], Sex=rng.choice(["F", "M"], n_samples), Age=age)
    samples.assign(Is_Healthy=True).to_csv(study / "samples.csv", index=False)
    cpgs = np.array([f"cg{k:08d}" for k in range(n_cpgs)])
    pc_of_cells = rng.normal(size=(3, n_samples))
    schema = pa.schema([("CpG", pa.string()), *((name, pa.float32()) for name in ids)])
    with pa.parquet.ParquetWriter(study / "beta.parquet", schema, compression="none", use_dictionary=["CpG"]) as writer:
        for start in range(0, n_cpgs, BLOCK):
            own = cpgs[start : start + BLOCK]
            n = len(own)
            logit = np.outer(rng.normal(0, 0.02, n) * (rng.random(n) < 0.1), age - 45) + rng.normal(0, 2, (n, 1))
            logit += rng.normal(0, 0.4, (n, TISSUES))[:, tissue] + rng.normal(0, 0.15, (n, PROJECTS))[:, project]
            logit += rng.normal(0, 0.2, (n, 3)) @ pc_of_cells + rng.normal(0, 0.3, (n, n_samples))
            beta = (1 / (1 + np.exp(-logit))).astype(np.float32)
            beta[rng.random(beta.shape, np.float32) < 0.002] = np.nan
            columns = [pa.array(own), *(pa.array(column) for column in beta.T)]
            writer.write_table(pa.table(columns, schema=schema))
    chosen = [rng.choice(cpgs, min(CPGS_PER_HALLMARK, n_cpgs // 20), replace=False) for _ in range(HALLMARKS)]
    hallmarks = {f"Hallmark_{k}": sorted(own.tolist()) for k, own in enumerate(chosen)}
    (study / "hallmarks.json").write_text(json.dumps(hallmarks))
    inputs = {"beta": "beta.parquet", "sample_sheet": "samples.csv", "hallmarks": "hallmarks.json"}
    (study / "config.yaml").write_text(yaml.safe_dump({"inputs": {**inputs, "context_pcs": "compute"}}))


def limited_group(gigabytes: float) -> Path:
    """Make a memory control group with this limit, which counts pages of files too; returns its folder."""
    root = Path("/sys/fs/cgroup")
    first = (root / "memory").is_dir()  # version 1 of control groups
    group = root / ("memory/heteroage" if first else "heteroage")
    group.mkdir(exist_ok=True)
    (group / ("memory.limit_in_bytes" if first else "memory.max")).write_text(str(int(gigabytes * 1e9)))
    return group


@contextmanager
def sampled(group: Path | None, anonymous: list[float]) -> Iterator[None]:
    """Append to `anonymous`, five times a second, the group's memory in GB that is no page of a file."""
    done = threading.Event()

    def sample() -> None:
        while group and not done.wait(0.2):
            stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            anonymous.append(int(stat.get("anon", stat.get("rss", 0))) / 1e9)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def run(study: Path, target: str, cores: int, repository: Path, group: Path | None = None) -> float:
    """Make a target, in a control group if one is given; returns wall seconds."""
    command = [sys.executable, "-m", "snakemake", target, "--snakefile", str(repository / "Snakefile")]
    command += ["--configfile", "config.yaml", "--cores", str(cores), "--benchmark-extended"]
    if group:
        command = ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(group), *command]
    start = time.perf_counter()
    with (study / f"{target}.log").open("w") as log:
        done = subprocess.run(command, cwd=study, stdout=log, stderr=subprocess.STDOUT, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{target} failed: see {study}/{target}.log")
    return seconds


def sweep_seconds(log: Path) -> float:
    """Return how long the sweep took, by the times in its log; NaN if no sweep was made."""
    lines = log.read_text().splitlines() if log.is_file() else []
    times = [pd.Timestamp(line.split()[0]) for line in lines if " sweep: " in line]
    return (times[-1] - times[0]).seconds if times else np.nan


def by_rule(benchmarks: Path) -> pd.DataFrame:
    """Sum Snakemake's own benchmarks: jobs, wall and CPU s, the longest job, the most memory of one and the most that
    one requested, the largest fraction of its request that a job used, GB written."""
    paths = benchmarks.rglob("*.tsv")
    jobs = pd.concat(pd.read_csv(path, sep="\t", na_values="-", quoting=csv.QUOTE_NONE) for path in paths)
    jobs["requested"] = [ast.literal_eval(resources).get("mem_mb", np.nan) for resources in jobs["resources"]]
    jobs["used"] = jobs["max_rss"] / jobs["requested"]
    groups = jobs.groupby("rule_name")
    return pd.DataFrame(
        {"jobs": groups.size(), "wall s": groups["s"].sum(), "CPU s": groups["cpu_time"].sum()}
        | {"longest s": groups["s"].max(), "memory GB": groups["max_rss"].max() / 1000}
        | {"requested GB": groups["requested"].max() / 1000, "of request": groups["used"].max()}
        | {"written GB": groups["io_out"].sum() / 1000}
    ).sort_values("wall s", ascending=False)


def print_steps(steps: dict[str, dict[str, float]]) -> None:
    """Print seconds of each target, and disk, by size."""
    print("| | " + " | ".join(steps) + " |\n|---|" + "---|" * len(steps))
    for name in next(iter(steps.values())):
        unit = "" if "GB" in name else ", s"
        print(f"| {name}{unit} | " + " | ".join(f"{of[name]:.1f}" for of in steps.values()) + " |")


def print_rules(rules: dict[str, pd.DataFrame]) -> None:
    """Print the largest size by rule, and from each size to the next the growth of CPU, longest job and memory."""
    sizes = list(rules)
    table = rules[sizes[-1]].round(2)
    texts = {name: table[name].map("{:g}".format) for name in table.columns}
    if len(sizes) > 1:
        for column in ("CPU s", "longest s", "memory GB"):
            steps = [rules[after][column] / rules[before][column] for before, after in pairwise(sizes)]
            growth = pd.concat(steps, axis=1).reindex(table.index).round(1)
            texts[f"growth of {column}"] = growth.apply(lambda row: ", ".join(map("{:g}".format, row)), axis=1)
    print(f"\n**{sizes[-1]}**\n\n| rule | " + " | ".join(texts) + " |\n|---|" + "---|" * len(texts))
    for rule, row in pd.DataFrame(texts).iterrows():
        print(f"| {rule} | " + " | ".join(row) + " |")


if __name__ == "__main__":
    main()
