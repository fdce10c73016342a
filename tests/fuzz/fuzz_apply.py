"""Spoil artifact folders and tables at random, apply them, and see that nothing but documented errors comes of it.

    python tests/fuzz/fuzz_apply.py --cases 10000

Each case spoils a copy of the golden folder or of a table, predicts, checks or verifies, and must end within half
a minute and 3 GiB with predictions or a HeteroAgeError; after an error nothing may have been written. Cases run in
child processes, so that a crash of a library counts as a failure and not as the end. A case is told by its number.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path

# Arrow's own allocator reserves addresses by the GiB, which the limit would count as memory.
os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"

from heteroage.clock import artifacts
from heteroage.clock.apply import run_step
from heteroage.clock.check import check
from heteroage.clock.loading import load_clock, verify_folder
from heteroage.errors import HeteroAgeError

GOLDEN = Path(__file__).parents[1] / "data/golden_clock_2"  # of the format version that `seal` writes
SECONDS, BYTES = 30, 3 * 2**30
NASTY = [b"", b"NaN", b"nan", b"inf", b"-1", b"1e400", b"0", b"null", b"true", b'"', b",", b"\n", b"\x00", b"\xff\xfe"]
NASTY += [
    b"[" * 5000,
    b"9" * 5000,
    b"../../etc/passwd",
    b"(intercept)",
    b"=",
    b"{}",
    b"\r\n",
    b"4294967296",
    b"-2147483649",
]
TEXTS = [artifacts.STAGE1_WEIGHTS, artifacts.STAGE2_WEIGHTS, artifacts.STAGE3_MODEL, artifacts.STAGE3_META]
TEXTS += [artifacts.APPLICABILITY, artifacts.COVARIANCE, artifacts.PC_LOADINGS, artifacts.MANIFEST]
TEXTS += [artifacts.REFERENCE_SAMPLES, artifacts.REFERENCE_PREDICTIONS]


def spoil(content: bytes, rng: random.Random) -> bytes:
    """Change some bytes, cells or lines."""
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        kind, at = rng.randrange(7), rng.randrange(len(content) + 1)
        if kind == 0:
            content = content[:at] + bytes([rng.randrange(256)]) + content[at + 1 :]
        elif kind == 1:
            content = content[:at]
        elif kind == 2:
            content = content[:at] + rng.choice(NASTY) + content[at:]
        elif kind == 3:  # a whole cell
            end = min((k for k in (content.find(c, at) for c in (b",", b" ", b"\n", b":")) if k >= 0), default=at)
            content = content[:at] + rng.choice(NASTY) + content[end:]
        elif kind == 4:  # a line left out, twice, or moved
            lines = content.split(b"\n")
            line = lines.pop(rng.randrange(len(lines)))
            for _ in range(rng.choice([0, 1, 2])):
                lines.insert(rng.randrange(len(lines) + 1), line)
            content = b"\n".join(lines)
        elif kind == 5:
            content = content[:at] + content[rng.randrange(len(content) + 1) :]
        else:
            end = min(at + rng.randrange(1, 200), len(content))
            content = content[:at] + content[at:end] * rng.choice([2, 3, 50]) + content[end:]
    return content


def spoil_folder(folder: Path, rng: random.Random) -> None:
    """Spoil one or two files; mostly seal the folder anew, so that the content is looked at."""
    present = [name for name in TEXTS if (folder / name).is_file()]
    for name in rng.sample(present, rng.choice([1, 1, 2])):
        path = folder / name
        kind = rng.randrange(12)
        if kind == 0:
            path.unlink()
        elif kind == 1:
            target = rng.choice(["/dev/zero", "/etc/passwd", "..", str(path.parent), "nowhere"])
            path.unlink()
            path.symlink_to(target)
        elif kind == 2:
            path.unlink()
            os.mkfifo(path)
        elif kind == 3:
            with path.open("ab") as stream:
                stream.truncate(rng.choice([2**26, 2**33]))
        else:
            path.write_bytes(spoil(path.read_bytes(), rng))
    regular = all(not p.is_symlink() and (p.is_dir() or p.is_file()) for p in folder.rglob("*"))
    small = sum(p.lstat().st_size for p in folder.rglob("*")) < 2**30
    if rng.random() < 0.85 and regular and small and artifacts.MANIFEST not in present[-1:]:
        artifacts.seal(folder, {})


def one_case(number: int, folder: Path) -> str:
    """Run a case; returns how it ended, or raises."""
    rng = random.Random(number)
    clock = Path(shutil.copytree(GOLDEN / "folder", folder / "clock"))
    form = rng.choice(["csv", "parquet", "feather", "csv.gz"])
    table = Path(shutil.copy(GOLDEN / f"tables/samples.{form}", folder / f"samples.{form}"))
    out = folder / f"out.{rng.choice(['csv', 'parquet'])}"
    old = rng.random() < 0.5
    if old:
        out.write_text("old")
    if rng.random() < 0.5:
        spoil_folder(clock, rng)
    else:
        table.write_bytes(spoil(table.read_bytes(), rng))
    step = rng.choice(
        ["predict"] * 6 + ["predict_stage1", "predict_stage2", "predict_stage3", "check", "verify", "explain"]
    )
    before = sorted(path.name for path in folder.iterdir())
    try:
        if step == "check":
            check(load_clock(clock), [table], None)
        elif step == "verify":
            verify_folder(clock)
        elif step == "explain":
            run_step("predict", clock, [table], out, contributions=folder / "why.csv")
        else:
            run_step(step, clock, [table], out, allow_missing=rng.random() < 0.3)
    except HeteroAgeError as error:
        assert sorted(path.name for path in folder.iterdir()) == before, "something was written"
        assert not old or out.read_text() == "old", "the old output is gone"
        assert len(str(error)) < 5000, f"a message too long to read: {str(error)[:300]}"
        return "refused"
    return "done"


def run_slice(numbers: list[int], report: Path) -> None:
    """Run cases one after the other in this process; write how each ended."""
    import lightgbm  # noqa: F401, at leisure: an import that the clock or the limit cuts off would fail later cases

    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))

    def too_long(*_: object) -> None:
        raise TimeoutError(f"over {SECONDS} s")

    signal.signal(signal.SIGALRM, too_long)
    with report.open("w") as stream:
        for number in numbers:
            print(number, end=" ", file=stream, flush=True)
            with tempfile.TemporaryDirectory() as folder:
                signal.setitimer(signal.ITIMER_REAL, SECONDS)
                try:
                    end = one_case(number, Path(folder))
                except BaseException as error:
                    last = traceback.extract_tb(error.__traceback__)[-1]
                    end = f"FAILED {error!r:.300} at {Path(last.filename).name}:{last.lineno}".replace("\n", " ")
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
            print(end, file=stream, flush=True)


def fuzz(first: int, cases: int, slice_size: int = 100) -> Counter:
    """Run cases in child processes; returns how many ended how, and prints each failure."""
    ends: Counter = Counter()
    waiting = list(range(first, first + cases))
    while waiting:
        numbers, waiting = waiting[:slice_size], waiting[slice_size:]
        with tempfile.NamedTemporaryFile() as file:
            child = os.fork()
            if child == 0:
                try:
                    run_slice(numbers, Path(file.name))
                finally:
                    os._exit(0)
            _, status = os.waitpid(child, 0)
            lines = [line.split(" ", 1) for line in Path(file.name).read_text().splitlines()]
        if len(lines) < len(numbers) or (lines and not lines[-1][1].strip()):
            # The child died in the last case that it began; the rest is run by another.
            last = int(lines[-1][0])
            lines[-1] = [str(last), f"FAILED: the process died (status {status})"]
            waiting = [number for number in numbers if number > last] + waiting
        for number, end in lines:
            ends["failed" if end.startswith("FAILED") else end.strip()] += 1
            if end.startswith("FAILED"):
                print(f"case {number}: {end}", flush=True)
    return ends


def main() -> None:
    """Fuzz, and say how it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    options = parser.parse_args()
    ends = fuzz(options.first, options.cases)
    print(", ".join(f"{count:,} {end}" for end, count in sorted(ends.items())))
    sys.exit(1 if ends["failed"] else 0)


if __name__ == "__main__":
    main()
