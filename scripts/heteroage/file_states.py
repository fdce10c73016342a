"""States of files (size, time, digest), to detect changes independently of time stamps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from heteroage.errors import HeteroAgeError, listed

WHOLE = 1 << 20  # input files up to this size (bytes) are digested completely
PART = 1 << 16  # bytes that are digested at the start, the middle and the end of larger files
RECORDED = 64 << 20  # results up to this size (bytes) are digested completely
RECORDS = Path(".snakemake/heteroage")


def state_of(paths: Iterable[str]) -> dict[str, str]:
    """Return the states of input files, for a rule's params, so that the rule reruns when one changes.

    Small files are digested completely. For larger files, the size, the time and three parts are used. Files in
    results/ are left out, because rules create them.
    """
    return {path: _state(Path(path)) for path in paths if not path.startswith("results/")}


def _state(path: Path) -> str:
    if not path.is_file():
        return "missing"
    stat = path.stat()
    time = "" if stat.st_size <= WHOLE else f", {stat.st_mtime_ns}"
    return f"{stat.st_size} bytes{time}, {_digest(path, stat.st_size, WHOLE)}"


def _digest(path: Path, size: int, whole: int) -> str:
    sha = hashlib.sha256()
    with path.open("rb") as stream:
        for start in [0] if size <= whole else (0, size // 2, size - PART):
            stream.seek(start)
            sha.update(stream.read(whole if size <= whole else PART))
    return sha.hexdigest()[:16]


def record(paths: Iterable[str]) -> None:
    """Record the states of results after they were written."""
    RECORDS.mkdir(parents=True, exist_ok=True)
    for path in filter(Path.is_file, map(Path, paths)):
        size = path.stat().st_size
        _record_of(path).write_text(json.dumps([size, _digest(path, size, RECORDED)]), encoding="utf-8")


def verify(paths: Iterable[str]) -> None:
    """Check that results have not changed since a rule wrote them. Files without a record are accepted.

    Raises HeteroAgeError: at least one file has changed.
    """
    changed = []
    for path in map(Path, paths):
        if path.is_file() and _record_of(path).is_file():
            size = path.stat().st_size
            if json.loads(_record_of(path).read_text(encoding="utf-8")) != [size, _digest(path, size, RECORDED)]:
                changed.append(path)
    if changed:
        raise HeteroAgeError(
            f"results have changed since the workflow wrote them ({listed(changed)}). Delete them and run "
            "again: they are made again."
        )


def _record_of(path: Path) -> Path:
    return RECORDS / f"{quote(str(path), safe='')}.json"
