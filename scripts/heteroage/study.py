"""The study of a results folder: its lock, leftovers of killed runs, changed files, and the final text.

Snakemake's own lock remains after a run is killed, and has to be removed by hand. This lock uses flock, which is
released when its process ends for any reason. The profiles select it with `nolock`. Scripts of a killed run end by
themselves (`end_with`), and its jobs in Slurm's queue are cancelled (`cancel_leftover_jobs`).
"""

from __future__ import annotations

import atexit
import csv
import fcntl
import hashlib
import json
import os
import re
import select
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from heteroage.errors import HeteroAgeError, listed

RUN_ID = re.compile(r"SLURM run ID: .*?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
KEPT_LOGS = 20  # number of logs of earlier runs that are searched
WAIT_SECONDS = 120  # maximum time until cancelled jobs have left the queue

ADVICE = re.compile(r"^Make the report.*\n.*\n", re.MULTILINE)  # two lines of the summary
OPTIONS = ("-s", "--snakefile", "--configfile", "--configfiles", "-d", "--directory", "--workflow-profile", "--profile")
WHOLE = 1 << 20  # input files up to this size (bytes) are digested completely
PART = 1 << 16  # bytes that are digested at the start, the middle and the end of larger files
RECORDED = 64 << 20  # results up to this size (bytes) are digested completely
RECORDS = Path(".snakemake/heteroage")


def hold(lock: Path) -> None:
    """Lock a folder by a file in it, until this process ends.

    Raises HeteroAgeError: another run has locked it, or a run on another machine did not end properly. In the second
    case the user has to check, because some shared file systems do not share locks between machines.
    """
    here = socket.gethostname()
    stream = lock.open("a+", encoding="utf-8")  # closed by the end of the process, which frees the lock
    stream.seek(0)
    holder = stream.read().strip()
    host, _, pid = holder.partition(" ")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise HeteroAgeError(
            f"another run is at work in this folder (process {pid or 'unknown'} on {host or here}). "
            "Wait for its end, or stop it (Ctrl-C, or kill and its number), then start again."
        ) from error
    if host not in ("", here):
        raise HeteroAgeError(
            f"a run on {host} (process {pid}) is at work in this folder, or was killed there. "
            f"If that run has ended, delete {lock} and start again."
        )
    stream.seek(0)
    stream.truncate()
    stream.write(f"{here} {os.getpid()}\n")
    stream.flush()
    atexit.register(stream.truncate, 0)  # a run that ends properly leaves no name


def end_with(pid: int) -> None:
    """End this process when process `pid` (its Snakemake) ends: it must not write files during the next run."""
    if not hasattr(os, "pidfd_open"):  # only Linux has it; elsewhere such a script ends by itself, later
        return
    try:
        other = os.pidfd_open(pid)
    except ProcessLookupError:  # it ended before this script began
        os._exit(1)
    except PermissionError:
        return

    def watch() -> None:
        select.select([other], [], [])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def earlier_runs(folder: Path, log: str | None) -> set[str]:
    """Return the Slurm run ids of earlier runs of this workflow in a folder, and record this run's log.

    Snakemake uses one id in the names of all jobs of a run, and writes it to its log. Logs of other workflows are not
    read.
    """
    notes = folder / ".snakemake/heteroage.logs"
    logs = notes.read_text(encoding="utf-8").splitlines() if notes.is_file() else []
    found: set[str] = set()
    for path in filter(Path.is_file, map(Path, logs)):
        found |= set(RUN_ID.findall(path.read_text(encoding="utf-8", errors="replace")))
    if log:
        kept = [*logs[-KEPT_LOGS:], log]
        notes.write_text("".join(f"{path}\n" for path in kept), encoding="utf-8")
    return found


def cancel_leftover_jobs(folder: Path, runs: Collection[str]) -> list[str]:
    """Cancel jobs of killed runs in Slurm's queue, and wait until they have ended; returns their ids.

    folder : working directory of the jobs
    runs : ids of earlier runs of this workflow; other jobs are not cancelled

    Raises HeteroAgeError: the jobs are still in the queue after `WAIT_SECONDS`.
    """
    if not (found := _jobs_of_runs(folder, runs)):
        return []
    subprocess.run(["scancel", *found], check=True)
    end = time.monotonic() + WAIT_SECONDS
    while left := _jobs_of_runs(folder, runs):
        if time.monotonic() > end:
            raise HeteroAgeError(
                f"jobs of a killed run are still in the queue after {WAIT_SECONDS} s: {', '.join(left[:5])}. "
                "Start again when they are gone (squeue --me)."
            )
        time.sleep(1)
    return found


def _jobs_of_runs(folder: Path, runs: Collection[str]) -> list[str]:
    """Return Slurm jobs with this working directory whose names end with the id of one of the runs."""
    if not runs or not shutil.which("squeue"):
        return []
    command = ["squeue", "--me", "--noheader", "--format=%i|%j|%Z"]
    listed = subprocess.run(command, text=True, capture_output=True, check=False).stdout
    rows = (line.split("|", 2) for line in listed.splitlines() if line.count("|") >= 2)
    return [job for job, name, place in rows if Path(place).resolve() == folder.resolve() and name[-36:] in runs]


def remember_study(record: Path, configfile: str, inputs: Mapping[str, object]) -> None:
    """Record the study of a results folder, or raise an error if the folder has results of another study.

    A study is the same if it has the same config file (possibly edited) or the same inputs.
    """
    # Paths are relative to the study's folder, which may be moved or copied.
    name = os.path.relpath(configfile) if Path(configfile).is_file() else configfile
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True, default=str).encode()).hexdigest()
    if record.is_file():
        before = json.loads(record.read_text(encoding="utf-8"))
        if before["configfile"] != name and before["inputs"] != digest:
            raise HeteroAgeError(
                f"{record.parent}/ has the results of another study, configured by {before['configfile']}; this run is "
                f"configured by {name} and has other inputs. To continue that study, add --configfile "
                f"{before['configfile']}. To run this one, name another folder (-d), or delete {record} to replace "
                "the results."
            )
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({"configfile": name, "inputs": digest}, indent=1) + "\n", encoding="utf-8")


def unseal_incomplete(folder: Path) -> list[str]:
    """Remove the manifest of an artifact folder with missing files, to assemble it again; returns the files."""
    manifest = folder / "MANIFEST.json"
    if not manifest.is_file():
        return []
    lost = [name for name in json.loads(manifest.read_text(encoding="utf-8"))["files"] if not (folder / name).is_file()]
    if lost:
        manifest.unlink()
    return lost


def command_with_options(text: str, arguments: Sequence[str]) -> str:
    """Add the options of this run that select the study to the snakemake commands in a text."""
    own: list[str] = []
    for k, argument in enumerate(arguments):
        if argument.partition("=")[0] in OPTIONS:
            own += arguments[k : k + (1 if "=" in argument else 2)]
    if own:
        text = text.replace("snakemake --cores 2 report", f"snakemake --cores 2 report {' '.join(own)}")
        text = text.replace(" (and the --configfile of this run, if it had one)", "")
    return text


def closing_words(started: float, arguments: Sequence[str]) -> str:
    """Return the text printed at the end: findings, summary, nested error and report that this run created.

    started : start time, seconds since the epoch
    arguments : arguments of the command that started the run
    """

    def made(path: str) -> Path | None:
        file = Path(path)
        return file if file.is_file() and file.stat().st_mtime >= started else None

    report = made("results/report/index.html")
    texts = filter(None, map(made, ("results/audit/findings.txt", "results/summary.txt")))
    words = [f"\n{command_with_options(text.read_text(encoding='utf-8'), arguments)}" for text in texts]
    if report:  # the advice to make it has been followed
        words = [ADVICE.sub("", text) for text in words]
    if accuracy := made("results/evaluation/accuracy.csv"):
        words.append(nested_error(accuracy))
    if page := report or made("results/report/training.html"):
        words.append(f"The report is written. Open {page.resolve()}")
    return "\n".join(words)


def nested_error(accuracy: Path) -> str:
    """Describe the nested error in `results/evaluation/accuracy.csv`."""
    with accuracy.open(encoding="utf-8", newline="") as table:
        overall = {row["model"]: row for row in csv.DictReader(table) if row["stratum"] == "all"}
    clock, anchor = overall["HeteroAge"], overall["Stage1_Pred_Age"]
    return (
        f"Nested error, the one to quote: HeteroAge {float(clock['MAE']):.2f} years, mean over projects "
        f"{float(clock['MacroMAE']):.2f}; anchor alone {float(anchor['MAE']):.2f} and {float(anchor['MacroMAE']):.2f}."
    )


def state_of(paths: Iterable[str]) -> dict[str, str]:
    """Return the states of the user's input files; as a parameter, they rerun a rule when a file changes.

    Small files are digested completely. For larger files, the size, the time and three parts are used. Files in
    results/ are left out, because rules create them.
    """
    return {path: _state(Path(path)) for path in paths if not path.startswith("results/")}


def _state(path: Path) -> str:
    if not path.is_file():
        return "missing"
    size, digest = _measured(path, WHOLE)
    time = "" if size <= WHOLE else f", {path.stat().st_mtime_ns}"
    return f"{size} bytes{time}, {digest}"


def _measured(path: Path, whole: int) -> list[int | str]:
    """Return the size of a file and its digest: of the complete file up to `whole` bytes, else of three parts."""
    size, sha = path.stat().st_size, hashlib.sha256()
    with path.open("rb") as stream:
        for start in [0] if size <= whole else (0, size // 2, size - PART):
            stream.seek(start)
            sha.update(stream.read(whole if size <= whole else PART))
    return [size, sha.hexdigest()[:16]]


def record(paths: Iterable[str]) -> None:
    """Record the states of results after they were written."""
    RECORDS.mkdir(parents=True, exist_ok=True)
    for path in filter(Path.is_file, map(Path, paths)):
        _record_of(path).write_text(json.dumps(_measured(path, RECORDED)), encoding="utf-8")


def verify_unchanged(paths: Iterable[str]) -> None:
    """Raise HeteroAgeError if results have changed since a rule wrote them. Files without a record are accepted."""
    recorded = [path for path in map(Path, paths) if path.is_file() and _record_of(path).is_file()]
    if changed := [p for p in recorded if json.loads(_record_of(p).read_bytes()) != _measured(p, RECORDED)]:
        raise HeteroAgeError(
            f"results have changed since the workflow wrote them ({listed(changed)}). Delete them and run again."
        )


def _record_of(path: Path) -> Path:
    return RECORDS / f"{quote(str(path), safe='')}.json"
