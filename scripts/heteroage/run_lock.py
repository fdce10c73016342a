"""One run at a time in a folder, and no job that outlives its run.

Snakemake's own lock outlives a killed run, and somebody then has to take it away. This one is the kernel's (flock),
which ends with its process, however that ends; the profiles choose it by `nolock`. What a killed run leaves goes:
its scripts end by themselves (`end_with`), its jobs in Slurm's queue are cancelled (`cancel_leftover_jobs`).
"""

from __future__ import annotations

import atexit
import fcntl
import os
import select
import shutil
import socket
import subprocess
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path

from heteroage.errors import HeteroAgeError

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
            f"If it is no more, delete {lock} and start again."
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
    with suppress(ProcessLookupError, PermissionError):
        other = os.pidfd_open(pid)

        def watch() -> None:
            select.select([other], [], [])
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()


def cancel_leftover_jobs(folder: Path) -> list[str]:
    """Cancel the jobs that a killed run has left in Slurm's queue, and wait until they are gone; returns their ids.

    Raises
    ------
    HeteroAgeError
        They do not go.
    """
    left = found = _jobs_of_runs(folder)
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
        left = _jobs_of_runs(folder)
    return found


def _jobs_of_runs(folder: Path) -> list[str]:
    """Slurm jobs that work in a folder and have the kind of name that Snakemake gives: they end with a UUID."""
    if not shutil.which("squeue"):
        return []
    command = ["squeue", "--me", "--noheader", "--format=%i|%j|%Z"]
    listed = subprocess.run(command, text=True, capture_output=True, check=False).stdout
    rows = (line.split("|", 2) for line in listed.splitlines() if line.count("|") >= 2)
    return [job for job, name, place in rows if Path(place).resolve() == folder.resolve() and _has_uuid(name)]


def _has_uuid(name: str) -> bool:
    with suppress(ValueError):
        return name.endswith(str(uuid.UUID(name[-36:])))
    return False
