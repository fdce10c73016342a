"""The workflow on a real Slurm of one node, with what clusters do to it: `make test-slurm`.

A study is run with --cores 2. Then it is run through sbatch, and meanwhile a running job is cancelled, one goes over
its memory, slurmctld is stopped and started again, and Snakemake is killed with -9 and started again. No job must
be done twice, and all results must have the bytes of the undisturbed run. It prints what it did and the digests
compared.

    make test-slurm                 the demo with its nested evaluation
    make test-slurm STUDY=mini      a smaller study, without evaluation
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

from mini_study import REPOSITORY, make_study
from one_node import Slurm, missing_programs, one_node, wait_until

TARGETS = {
    "demo": ["all", "evaluate"],
    "mini": ["results/predictions/held_back.csv"],
}
CPUS = 4
CLUSTER = ["--workflow-profile", str(REPOSITORY / "profiles/slurm")]
CLUSTER += ["--slurm-init-seconds-before-status-checks", "3"]  # little patience, since this one is near
CLUSTER += ["--cores", str(CPUS)]  # the profile's are more than this node has
WITHOUT_ACCOUNTING = REPOSITORY / "profiles/slurm/without_accounting"
CLUSTER += ["--default-resources", "slurm_partition=main", "mem_mb=1000 * attempt", "runtime=30 * attempt"]
# Too little for the first attempt, and enough for the second: how retries ask for more.
TOO_LITTLE = "train_stage3"
CLUSTER += ["--set-resources", f"{TOO_LITTLE}:mem_mb=120 + 1400 * (attempt - 1)"]


def say(text: str) -> None:
    """Print a line with the time since the start."""
    print(f"{time.monotonic() - START:6.0f} s  {text}", flush=True)


START = time.monotonic()


def main(kind: str, scratch: Path) -> None:
    """Run and compare."""
    missing = missing_programs()
    if missing or os.geteuid() or find_spec("snakemake_executor_plugin_slurm") is None:
        why = f"{', '.join(missing)} not found (apt-get install slurm-wlm munge)" if missing else "run it as root"
        if not missing and not os.geteuid():
            why = "snakemake-executor-plugin-slurm is not installed (make .venv/slurm-ready)"
        print(f"skipped: a one-node Slurm needs root, Slurm and its plugin: {why}")
        return
    os.environ["PATH"] = f"{WITHOUT_ACCOUNTING}:{os.environ['PATH']}"
    alone, cluster = make_folder(kind, scratch / "alone"), make_folder(kind, scratch / "cluster")
    targets = TARGETS[kind]
    say(f"the {kind} study ({' '.join(targets)}) with --cores 2")
    log = scratch / "alone.log"
    finish(start(alone, [*targets, "--cores", "2"], log), log)
    expected, jobs = digest(alone), finished(log)
    say(f"{jobs.total()} jobs; {len(expected)} results, digest {total(expected)}")

    with one_node(scratch / "slurm", cpus=CPUS) as slurm:
        logs = [scratch / "cluster_1.log", scratch / "cluster_2.log"]
        say("the same through sbatch, on a Slurm of one node")
        run = start(cluster, [*targets, *CLUSTER], logs[0])
        disturb(slurm, run, logs[0])
        say("the same command again")
        finish(start(cluster, [*targets, *CLUSTER], logs[1]), logs[1])
        over = slurm.jobs("OUT_OF_MEMORY,FAILED")

    done = finished(logs[0]) + finished(logs[1])
    say(f"jobs that went over their memory and were tried again: {over}")
    say(f"finished before snakemake was killed: {finished(logs[0]).total()}, after: {finished(logs[1]).total()}")
    result = digest(cluster)
    say(f"through sbatch: {len(result)} results, digest {total(result)}")
    assert any(TOO_LITTLE in comment for comment in over.values()), "no job was ended for its memory"
    say(f"finished while snakemake was down, and not done again: {(jobs - done).total()}")
    assert not done - jobs, f"jobs done twice: {done - jobs}"
    differing = sorted(name for name in expected | result if expected.get(name) != result.get(name))
    assert not differing, f"{len(differing)} results differ: {differing[:5]}"
    say("the same bytes; no job was done twice")


def make_folder(kind: str, folder: Path) -> Path:
    """Make the folder that a study is run in; it has all that the study reads."""
    if kind == "mini":
        return make_study(folder, REPOSITORY).folder
    for name in ("config", "resources"):
        shutil.copytree(REPOSITORY / name, folder / name)
    return folder


def start(folder: Path, options: list[str], log: Path) -> subprocess.Popen:
    """Start Snakemake in a folder."""
    command = [sys.executable, "-m", "snakemake", "-s", str(REPOSITORY / "Snakefile"), *options]
    command += ["--configfile", "config.yaml"] if (folder / "config.yaml").is_file() else []
    return subprocess.Popen(command, cwd=folder, stdout=log.open("w"), stderr=subprocess.STDOUT)


def finish(run: subprocess.Popen, log: Path) -> None:
    """Wait for the end of a run, which must be good."""
    assert run.wait() == 0, log.read_text()[-5000:]


def disturb(slurm: Slurm, run: subprocess.Popen, log: Path) -> None:
    """Cancel a job, stop slurmctld and start it again, kill Snakemake."""

    def running(rule: str) -> list[str]:
        return [job for job, comment in slurm.jobs("RUNNING").items() if rule in comment]

    wait_until(lambda: running("train_stage1"), "a sweep runs", 600)
    cancelled = running("train_stage1")[0]
    slurm.cancel(cancelled)
    say(f"scancel {cancelled}, a running sweep")
    wait_until(lambda: finished(log)["train_stage1"], "a sweep finishes", 600)
    slurm.stop_controller()
    say("slurmctld stopped")
    time.sleep(15)
    slurm.start_controller()
    say("slurmctld started again, after 15 s")
    # Late enough that much is done and something runs.
    wait_until(lambda: finished(log)["train_stage3"] and slurm.jobs("RUNNING"), "a run is trained", 3600)
    run.send_signal(signal.SIGKILL)
    run.wait()
    say(f"snakemake killed with -9 while {len(slurm.jobs())} jobs were in the queue")


def finished(log: Path) -> Counter[str]:
    """Count the jobs that a run has finished, by rule."""
    return Counter(re.findall(r"^Finished jobid: \d+ \(Rule: (\w+)\)", log.read_text(), re.MULTILINE))


def digest(folder: Path) -> dict[str, str]:
    """SHA-256 of each result; benchmarks are times."""
    results = folder / "results"
    files = (path for path in sorted(results.rglob("*")) if path.is_file() and path.is_relative_to(results))
    return {
        str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.relative_to(results).parts[0] != "benchmarks"
    }


def total(digests: dict[str, str]) -> str:
    """One digest of all."""
    return hashlib.sha256("".join(f"{name} {value}\n" for name, value in digests.items()).encode()).hexdigest()[:16]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="heteroage-slurm-") as scratch:
        main(sys.argv[1] if len(sys.argv) > 1 else "demo", Path(scratch))
