"""A Slurm of one node on this machine, for tests: all that it keeps is in one folder, but for a link in /etc/slurm, and
it ends with the block.

Needs root and, on Debian or Ubuntu, `apt-get install slurm-wlm munge`. It has no accounting, and kills jobs that go
over their memory.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo")
# Where srun looks within a job: the plugin takes SLURM_CONF out of a job's environment.
DEFAULT = Path("/etc/slurm/slurm.conf")
# Jobs are looked at each second: memory over the request ends them, as cgroups do on a cluster. Finished jobs are
# remembered for long, since squeue, without accounting, is all that tells how they ended. The node may claim more CPUs
# than the machine has.
CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={node_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdParameters=config_overrides
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
ReturnToService=2
KillWait=2
MinJobAge=3600
SlurmdTimeout=60
SchedulerParameters=sched_interval=2,batch_sched_delay=1
EnforcePartLimits=ALL
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


@dataclass(frozen=True)
class Slurm:
    """A running one-node Slurm."""

    folder: Path

    def start_controller(self) -> None:
        """Start slurmctld; it takes up the jobs that its state names."""
        self._call("slurmctld")

    def stop_controller(self) -> None:
        """Stop slurmctld as a service is stopped: it saves what it knows.

        One killed with -9 forgets what it did since it saved last; Slurm itself then starts a job twice, and drains
        the node for it ("Duplicate jobid").
        """
        _end(self.folder / "slurmctld.pid", signal.SIGTERM)

    def jobs(self, state: str = "RUNNING,PENDING") -> dict[str, str]:
        """{job id: its comment, which names the rule} of the jobs in a state."""
        listed = self._call("squeue", "--noheader", "--states", state, "--format", "%i %k", check=False)
        return dict(line.split(maxsplit=1) for line in listed.splitlines() if " " in line.strip())

    def cancel(self, job: str) -> None:
        self._call("scancel", job)

    def _call(self, *command: str, check: bool = True) -> str:
        return subprocess.run(command, check=check, text=True, capture_output=True).stdout


def missing_programs() -> list[str]:
    """What has to be installed first."""
    folders = f"{os.environ['PATH']}:/usr/sbin"
    return [program for program in PROGRAMS if shutil.which(program, path=folders) is None]


@contextmanager
def one_node(folder: Path, cpus: int = 2, memory: int = 12_000) -> Iterator[Slurm]:
    """Start a Slurm whose node claims `cpus` and `memory` (MB)."""
    if DEFAULT.is_symlink():  # of a test that was killed
        DEFAULT.unlink()
    if DEFAULT.exists():
        raise RuntimeError(f"this machine has a Slurm of its own ({DEFAULT}): the test would be in its way.")
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)
    host = socket.gethostname().split(".")[0]
    configuration = folder / "slurm.conf"
    port, node_port = _free_ports()
    configuration.write_text(
        CONFIGURATION.format(folder=folder, host=host, port=port, node_port=node_port, cpus=cpus, memory=memory)
    )
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o600)
    os.environ["PATH"] += ":/usr/sbin"
    DEFAULT.parent.mkdir(exist_ok=True)
    DEFAULT.symlink_to(configuration)
    slurm = Slurm(folder)
    try:
        places = [f"--{name}={folder}/munge.{ending}" for name, ending in _MUNGE.items()]
        slurm._call("munged", "--force", *places)
        slurm.start_controller()
        slurm._call("slurmd", "-N", host)
        wait_until(lambda: "idle" in slurm._call("sinfo", "--noheader", "--format=%T", check=False), "the node is idle")
        yield slurm
    finally:
        for name in ("slurmd", "slurmctld", "munge"):
            _end(folder / f"{name}.pid", signal.SIGTERM)
        DEFAULT.unlink()


_MUNGE = {"key-file": "key", "socket": "socket", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}


def wait_until(condition: Callable[[], object], what: str, seconds: float = 120) -> None:
    """Wait for a condition, or fail by saying what did not come true."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{seconds:.0f} s went by before: {what}")
        time.sleep(0.2)


def _end(pid_file: Path, how: signal.Signals) -> None:
    """End the daemon that wrote this file, and wait until it is gone."""
    with suppress(FileNotFoundError, ProcessLookupError, ValueError):
        pid = int(pid_file.read_text())
        os.kill(pid, how)
        wait_until(lambda: not _runs(pid), f"process {pid} is gone", 20)


def _runs(pid: int) -> bool:
    """A process that has ended but that nobody has asked about (Z) runs no more."""
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
