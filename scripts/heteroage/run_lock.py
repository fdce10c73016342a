"""One run at a time in a folder, and no job that outlives its run.

Snakemake's own lock outlives a killed run, and somebody then has to take it away. This one is the kernel's (flock),
which ends with its process, however that ends; the profiles choose it by `nolock`. What a killed run leaves goes:
its scripts end by themselves (`end_with`), its jobs in Slurm's queue are cancelled (`cancel_leftover_jobs`).
"""

from __future__ import annotations

import atexit
import fcntl
import os
import re
import select
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Collection
from pathlib import Path

from heteroage.errors import HeteroAgeError

RUN_ID = re.compile(r"SLURM run ID: .*?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
KEPT_LOGS = 20  # of earlier runs
WAIT_SECONDS = 120  # for cancelled jobs to leave the queue


def hold(lock: Path) -> None:
    """Hold a folder, by a file in it, as long as this process lives.

    Raises
    ------
    HeteroAgeError
        Another run holds it; or one on another machine did not end properly: not every shared file system tells
        machines of each other's locks, so that a person has to look.
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
    """End this process, at once, when another one of this machine ends: a script must not outlive its Snakemake.

    A killed run would otherwise leave scripts that go on writing beside those of the run that follows.
    """
    if not hasattr(os, "pidfd_open"):  # Linux alone has it; elsewhere such a script ends by itself, later
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
    """The Slurm run ids of earlier runs of this workflow in a folder, by their logs; notes this run's log for later.

    Snakemake names all jobs of a run by one id, which its log has. Logs of other workflows are not looked at.
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
    """Cancel the jobs that killed runs have left in Slurm's queue, and wait until they are gone; returns their ids.

    Parameters
    ----------
    folder : where the jobs work
    runs : ids of this workflow's earlier runs; jobs of others stay

    Raises
    ------
    HeteroAgeError
        They do not go.
    """
    left = found = _jobs_of_runs(folder, runs)
    if found:
        subprocess.run(["scancel", *found], check=True)
    end = time.monotonic() + WAIT_SECONDS
    while left:
        if time.monotonic() > end:
            raise HeteroAgeError(
                f"jobs of a killed run are still in the queue after {WAIT_SECONDS} s: {', '.join(left[:5])}. "
                "Start again when they are gone (squeue --me)."
            )
        time.sleep(1)
        left = _jobs_of_runs(folder, runs)
    return found


def _jobs_of_runs(folder: Path, runs: Collection[str]) -> list[str]:
    """Slurm jobs that work in a folder and are named by one of the runs: their names end with its id."""
    if not runs or not shutil.which("squeue"):
        return []
    command = ["squeue", "--me", "--noheader", "--format=%i|%j|%Z"]
    listed = subprocess.run(command, text=True, capture_output=True, check=False).stdout
    rows = (line.split("|", 2) for line in listed.splitlines() if line.count("|") >= 2)
    return [job for job, name, place in rows if Path(place).resolve() == folder.resolve() and name[-36:] in runs]
