"""Time the sweep beside its peers on simulated methylomes, in one run; writes a table and a plot.

    python run.py [peers-large peers-small scaling balancings] [--folder benchmarks/results/sweep]

Every solver runs alone, in a process of its own, on two threads. Where a peer solves one path at a time,
one or three of them are timed and multiplied; the table says so. `larger-than-memory` (by name only) wants root,
control groups and 24 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from problem import simulate
from tables import balancing_table, larger_table, peer_table, plot_scaling, scaling_table

HERE = Path(__file__).parent
PEERS = Path(os.environ.get("PEERS_PYTHON", HERE.parent / ".venv/bin/python"))
SWEEP = ["0.1", "0.3", "0.5", "0.7", "0.9"]
LIMIT = 8 * 2**30
log = logging.getLogger("benchmark")


def timed(*command: str | Path) -> dict:
    """Run one solver and read what it prints."""
    log.info("%s", " ".join(map(str, command)))
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stderr}")
    result = json.loads(done.stdout.splitlines()[-1])
    seconds = result.get("seconds") or sum(result["each"].values())
    log.info("    %.2f s", seconds)
    return result | {"seconds": seconds}


def ours(folder: Path, *options: str, l1: list[str]) -> dict:
    """Our paths of all folds and these l1_ratios."""
    return timed(sys.executable, HERE / "ours.py", folder, "--l1", *l1, *options)


def peer(folder: Path, solver: str, l1: list[str], folds: int, paths: int) -> dict:
    """A peer's paths, and what `paths` of them would take."""
    result = timed(PEERS, HERE / "peer.py", folder, solver, "--folds", str(folds), "--l1", *l1)
    return _scaled(result, paths)


def glmnet(folder: Path, l1: list[str], paths: int) -> dict | None:
    """Paths of R's glmnet on one fold, and what `paths` of them would take; None without it."""
    if not shutil.which("Rscript"):
        return None
    X, fold = np.load(folder / "features.npy", mmap_mode="r"), np.load(folder / "fold.npy")
    rows = np.flatnonzero(fold != 0)
    with (folder / "X.bin").open("wb") as out:
        for start in range(0, len(X), 5_000):
            np.take(X[start : start + 5_000], rows, axis=1).astype("<f8").tofile(out)
    np.load(folder / "target.npy")[rows].astype("<f8").tofile(folder / "y.bin")
    try:
        return _scaled(timed("Rscript", HERE / "peer.R", folder, *l1), paths)
    finally:
        (folder / "X.bin").unlink()


def _scaled(result: dict, paths: int) -> dict:
    timed_paths = len(result["each"])
    return result | {"timed": timed_paths, "paths": paths, "whole": result["seconds"] / timed_paths * paths}


def peers_large(folder: Path) -> dict:
    """2,000 x 300,000, 5 folds x 5 l1_ratios."""
    problem = folder / "2000x300000"
    simulate(2_000, 300_000, problem)
    of_five = ["0.1", "0.5", "0.9"]
    runs = [ours(problem, l1=SWEEP), peer(problem, "adelie", of_five, 1, 25), glmnet(problem, of_five, 25)]
    return {"title": "2,000 x 300,000, 5 folds x 5 l1_ratios x 30 alphas", "runs": [run for run in runs if run]}


def peers_small(folder: Path) -> dict:
    """1,500 x 50,000, 5 folds x 1 l1_ratio; the cold fits on one fold only."""
    problem = folder / "1500x50000"
    simulate(1_500, 50_000, problem)
    runs = [
        ours(problem, l1=["0.5"]),
        peer(problem, "celer", ["0.5"], 5, 5),
        peer(problem, "adelie", ["0.5"], 5, 5),
        glmnet(problem, ["0.5"], 5),
        peer(problem, "sklearn-path", ["0.5"], 1, 5),
        peer(problem, "sklearn-cold", ["0.5"], 1, 5),
    ]
    return {"title": "1,500 x 50,000, 5 folds x l1_ratio 0.5 x 30 alphas", "runs": [run for run in runs if run]}


def scaling(folder: Path) -> list[dict]:
    """The whole sweep over sizes, ours alone."""
    problem = folder / "2000x300000"
    simulate(2_000, 300_000, problem)
    return [
        ours(problem, "--samples", str(n), "--cpgs", str(p), l1=SWEEP)
        for n in (500, 1_000, 2_000)
        for p in (37_500, 75_000, 150_000, 300_000)
    ]


def balancings(folder: Path) -> list[dict]:
    """One and three balancings, 2,000 x 150,000, 5 folds x 5 l1_ratios each."""
    problem = folder / "2000x300000"
    simulate(2_000, 300_000, problem)
    return [ours(problem, "--cpgs", "150000", "--balancings", count, l1=SWEEP) for count in ("1", "3")]


def larger_than_memory(folder: Path) -> dict:
    """A 24 GB store, the process and its page cache limited to 8 GiB; 5 folds, one l1_ratio, 12 alphas."""
    problem = folder / "2000x3000000"
    simulate(2_000, 3_000_000, problem)
    path = problem / "features.npy"
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        begun, size = time.perf_counter(), 0
        while size < 6e9:
            size += len(file.read(8 * 2**20))
        disk = size / (time.perf_counter() - begun)
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    log.info("    the disk reads %.2f GB/s", disk / 1e9)
    group = Path("/sys/fs/cgroup/memory/heteroage") if Path("/sys/fs/cgroup/memory").is_dir() else None
    group, key = (group, "memory.limit_in_bytes") if group else (Path("/sys/fs/cgroup/heteroage"), "memory.max")
    group.mkdir(exist_ok=True)
    (group / key).write_text(str(LIMIT))
    solve = f"{sys.executable} {HERE / 'ours.py'} {problem} --l1 0.5 --alphas 12 --cold"
    enter = f"echo $$ > {group}/cgroup.procs && exec {solve}"
    result = timed("sh", "-c", enter)
    return result | {"disk": disk, "size": path.stat().st_size}


SECTIONS = {
    "peers-large": peers_large,
    "peers-small": peers_small,
    "scaling": scaling,
    "balancings": balancings,
    "larger-than-memory": larger_than_memory,
}


def main() -> None:
    """Run the sections and write what was found, section by section."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="section", help=" ".join(SECTIONS))
    parser.add_argument("--folder", type=Path, default=HERE.parent / "results/sweep")
    given = parser.parse_args()
    unknown = sorted(set(given.sections) - set(SECTIONS))
    if unknown:
        parser.error(f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    given.folder.mkdir(parents=True, exist_ok=True)
    store = given.folder / "results.json"
    results = json.loads(store.read_text()) if store.exists() else {}
    for section in given.sections or list(SECTIONS)[:-1]:
        results[section] = SECTIONS[section](given.folder)
        store.write_text(json.dumps(results, indent=1))
    tables = [
        *(peer_table(results[section]) for section in ("peers-large", "peers-small") if section in results),
        *([scaling_table(results["scaling"])] if "scaling" in results else []),
        *([balancing_table(results["balancings"])] if "balancings" in results else []),
        *([larger_table(results["larger-than-memory"])] if "larger-than-memory" in results else []),
    ]
    (given.folder / "results.md").write_text("\n\n".join(tables) + "\n")
    if "scaling" in results:
        plot_scaling(results["scaling"], given.folder / "sweep_scaling.png")
    print((given.folder / "results.md").read_text())


if __name__ == "__main__":
    main()
