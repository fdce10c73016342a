"""What a file was when it was read or written: so that a change is noticed whatever its time stamp says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from heteroage.errors import HeteroAgeError, listed

WHOLE = 1 << 20  # bytes of a given file that is digested whole
PART = 1 << 16  # bytes at the start, the middle and the end of a larger one
RECORDED = 64 << 20  # bytes of a result up to which all of it is digested
RECORDS = Path(".snakemake/heteroage")


def state_of(paths: Iterable[str]) -> dict[str, str]:
    """The states of files that a person gives, for a rule's params: a rule runs again when one changes.

    Small files are digested whole. Of larger ones the size, the time, and three parts count. Files below results/ are
    left out: rules make them.
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
    """Record what results were when they were written."""
    RECORDS.mkdir(parents=True, exist_ok=True)
    for path in filter(Path.is_file, map(Path, paths)):
        size = path.stat().st_size
        _record_of(path).write_text(json.dumps([size, _digest(path, size, RECORDED)]), encoding="utf-8")


def verify(paths: Iterable[str]) -> None:
    """Refuse results that have changed since a rule wrote them. One without a record passes.

    Raises
    ------
    HeteroAgeError
        Which files, and what to do.
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
