"""What machines and people do to a run, one after the other, each followed by a plain rerun: `make test-faults`.

On a small simulated study: Snakemake killed with -9 at 20 random moments, every second time with all its jobs, as when
the power goes; a full disk; results that cannot be written; input that changes; a second run in the folder. After each,
the same command again must end with the bytes of an undisturbed run. It prints what it did and the digests compared;
about half an hour on two cores.

    make test-faults                             all of it (full disk and read-only results need root)
    make test-faults FAULTS=change_an_input      some of it (KILLS=5: so many kills)
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mini_study import REPOSITORY, Study, make_study

KILLS = int(os.environ.get("KILLS", "20"))
SEED = 7
START = time.monotonic()


def say(text: str) -> None:
    """Print a line with the time since the start."""
    print(f"{time.monotonic() - START:6.0f} s  {text}", flush=True)


@dataclass(frozen=True)
class Faults:
    """The study before any run, what an undisturbed run makes of it, and how long that takes."""

    inputs: Study
    expected: dict[str, str]
    seconds: float
    scratch: Path

    def new_study(self, name: str) -> Study:
        """A folder to disturb a run in."""
        return self.inputs.inputs_alone(self.scratch / name)

    def recover(self, study: Study, expected: dict[str, str] | None = None) -> None:
        """Run again, and compare all results."""
        again = study.snakemake()
        assert again.returncode == 0, again.stdout[-5000:]
        compare(study, self.expected if expected is None else expected)


def kill_at_random_moments(faults: Faults) -> None:
    """Kill -9, each time in a new run: Snakemake alone, or all its jobs with it."""
    moments = random.Random(SEED)
    for k in range(KILLS):
        study = faults.new_study(f"killed_{k}")
        moment, alone = moments.uniform(0, faults.seconds), k % 2 == 0
        run = start(study)
        time.sleep(moment)
        made = len(list(study.folder.glob("results/**/*")))
        (os.kill if alone else os.killpg)(run.pid, signal.SIGKILL)
        ended = run.wait()
        whom = "snakemake" if alone else "snakemake and its jobs"
        say(f"kill {k + 1} of {KILLS}: {whom} after {moment:.1f} s, {made} results made (ended with {ended})")
        faults.recover(study)
        shutil.rmtree(study.folder)


def fill_the_disk(faults: Faults) -> None:
    """Run on a disk too small, then on one that is large enough."""
    given = sum(path.stat().st_size for path in faults.inputs.folder.rglob("*") if path.is_file())
    needed = sum(path.stat().st_size for path in (faults.scratch / "undisturbed").rglob("*") if path.is_file())
    folder = faults.scratch / "small_disk"
    folder.mkdir()
    for share in (0.3, 0.6, 0.9):
        with mounted("-t", "tmpfs", "-o", f"size={int(given + share * (needed - given))}", "tmpfs", folder):
            study = faults.inputs.inputs_alone(folder / "study")
            failed = study.snakemake()
            assert failed.returncode != 0 and "No space left" in failed.stdout + logs(study), failed.stdout[-3000:]
            room = f"{share:.0%} of {(needed - given) / 1e6:.1f} MB of results"
            say(f"a disk with room for {room}: the run failed, and says No space left on device")
            subprocess.run(["mount", "-o", f"remount,size={4 * needed}", folder], check=True)
            faults.recover(study)


def forbid_writing(faults: Faults) -> None:
    """Results that are read-only from the start, and from the middle of a run."""
    for share in (0.0, 0.5):
        study = faults.new_study(f"read_only_{share}")
        results = study.path("results")
        results.mkdir()
        with mounted("--bind", results, results):
            if share:
                run = start(study)
                time.sleep(share * faults.seconds)
                subprocess.run(["mount", "-o", "remount,bind,ro", results], check=False)
                # A mount with files open for writing cannot become read-only; then a moment later.
                while not os.statvfs(results).f_flag & os.ST_RDONLY:
                    time.sleep(0.1)
                    subprocess.run(["mount", "-o", "remount,bind,ro", results], check=False, stderr=subprocess.DEVNULL)
                code = run.wait()
                said = study.path("run.log").read_text() + logs(study)
            else:
                subprocess.run(["mount", "-o", "remount,bind,ro", results], check=True)
                failed = study.snakemake()
                code, said = failed.returncode, failed.stdout
            assert code != 0 and "Read-only file system" in said, said[-3000:]
            say(f"results read-only from {share:.0%} of the run on: it failed, and says Read-only file system")
            subprocess.run(["mount", "-o", "remount,bind,rw", results], check=True)
            faults.recover(study)


def change_an_input(faults: Faults) -> None:
    """Change a table while it is read, and later; the bytes are then those of the changed study."""
    changed = faults.new_study("changed_before")
    change_a_table(changed)
    changed.run()
    expected = digests(changed)
    assert expected != faults.expected
    for what, awaited in (
        ("while it is read", "logs/build_feature_store.log"),
        ("when it has been read", "results/store/*.npy"),
    ):
        study = faults.new_study(f"changed_{len(what)}")
        run = start(study)
        while not list(study.folder.glob(awaited)):
            time.sleep(0.05)
        change_a_table(study)
        say(f"a CpG changed in data/beta.parquet {what}; the run ended with {run.wait()}")
        faults.recover(study, expected)


def change_a_table(study: Study) -> None:
    """As a person would: other values of a CpG."""

    def change(table):
        cpg = next(name for name in table.columns if name.startswith("cg"))
        return table.assign(**{cpg: 1 - table[cpg]})

    study.edit_table("data/beta.parquet", change)


def start_a_second_run(faults: Faults) -> None:
    """Start a second run in the folder of a first."""
    study = faults.new_study("two_runs")
    run = start(study)
    while not list(study.folder.glob("results/*/*")):
        time.sleep(0.05)
    second = study.snakemake()
    said = next((line for line in second.stdout.splitlines() if "another run is at work" in line), None)
    assert second.returncode != 0 and said, second.stdout[-3000:]
    say(f"a second run in the folder: {said}")
    assert run.wait() == 0, study.path("run.log").read_text()[-3000:]
    compare(study, faults.expected)
    faults.recover(study)


FAULTS: list[Callable[[Faults], None]] = [
    start_a_second_run,
    change_an_input,
    fill_the_disk,
    forbid_writing,
    kill_at_random_moments,
]
NEED_ROOT = {fill_the_disk, forbid_writing}


def start(study: Study) -> subprocess.Popen:
    """Start a run, at the head of a process group."""
    command = [sys.executable, "-m", "snakemake", "-s", str(study.repository / "Snakefile")]
    command += ["--configfile", "config.yaml", "--cores", "2"]
    log = study.path("run.log").open("w")
    return subprocess.Popen(command, cwd=study.folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)


@contextmanager
def mounted(*arguments: str | Path) -> Iterator[None]:
    """Mount something; its last argument is where."""
    subprocess.run(["mount", *arguments], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", arguments[-1]], check=True)


def logs(study: Study) -> str:
    """What the jobs of a run wrote to their logs."""
    return "".join(path.read_text(errors="replace") for path in study.folder.glob("logs/**/*.log"))


def digests(study: Study) -> dict[str, str]:
    """SHA-256 of each result; benchmarks are times."""
    found = study.digests("results")
    return {name: value for name, value in found.items() if not name.startswith("results/benchmarks/")}


def total(found: dict[str, str]) -> str:
    """One digest of all."""
    return hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()[:16]


def compare(study: Study, expected: dict[str, str]) -> None:
    """All results have the expected bytes, and nothing else is there."""
    found = digests(study)
    differing = sorted(name for name in found | expected if found.get(name) != expected.get(name))
    assert not differing, f"{len(differing)} results differ: {differing[:5]}"
    say(f"        {len(found)} results, digest {total(found)}: as undisturbed")


def main(names: list[str], scratch: Path) -> None:
    """Run the study undisturbed, then with each fault."""
    study = make_study(scratch / "inputs", REPOSITORY)
    undisturbed = study.inputs_alone(scratch / "undisturbed")
    begin = time.monotonic()
    undisturbed.run()
    seconds = time.monotonic() - begin
    expected = digests(undisturbed)
    say(f"an undisturbed run: {seconds:.0f} s, {len(expected)} results, digest {total(expected)}")
    faults = Faults(study, expected, seconds, scratch)
    for fault in FAULTS:
        if names and fault.__name__ not in names:
            continue
        if fault in NEED_ROOT and os.geteuid():
            say(f"skipped, as it needs root: {fault.__name__}")
            continue
        say(f"{fault.__name__}: {fault.__doc__}")
        fault(faults)
    say("done")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="heteroage-faults-") as scratch:
        main(sys.argv[1:], Path(scratch))
