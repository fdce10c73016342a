"""Reading and writing of files. A file appears under its final name only when it is complete."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from heteroage.errors import HeteroAgeError, listed

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

PARQUET = {".parquet", ".pq"}
CUT_SHORT = "Is it cut short? Copy or download it again."
LEAST_COVERAGE = 5  # default minimum number of reads per position of Bismark coverage files
NO_NUMBER = ["", "NA", "N/A", "n/a", "NaN", "nan", "-nan", "NULL", "null", "None", "<NA>", "#N/A"]  # missing numbers
# Columns with names. They are read as text, so that 001, 1.5, TRUE and NA are unchanged.
TEXT_COLUMNS = {
    *("sample_id", "sample_1", "sample_2", "donor_id", "project_id", "project_1", "project_2", "group"),
    *("Tissue", "Sex", "Platform", "hallmark", "level", "first", "second"),
}


# Paths of open files of a process. They are never replaced, even if a shell has redirected them to a regular file.
OPEN = re.compile(r"/dev/(?:stdin|stdout|stderr|fd/\d+)|/proc/(?:self|\d+)/fd/\d+")

# Errors of flock on a file system without locks.
NO_LOCKS = (errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS, errno.EINVAL)


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; it is renamed to `path` if the block ends without an error.

    Only regular files are replaced. For a symbolic link, its target is replaced. Devices and pipes are yielded
    unchanged, and written directly.

    Raises HeteroAgeError: the folder does not exist, `path` is a folder or a socket, or another process is writing the
    same file.
    """
    check_writable(path)
    if is_stream(path):
        yield Path(path)
        return
    path = Path(os.path.realpath(path))
    beside = path.with_name(f".{path.name}.part")
    handle = _open_locked(beside, path)
    try:
        yield beside
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)


def is_stream(path: str | Path) -> bool:
    """Tell whether a path is a device, a pipe or an open file of a process, which is written directly."""
    path = Path(path)
    return OPEN.fullmatch(str(path)) is not None or path.is_char_device() or path.is_fifo()


def check_writable(path: str | Path) -> None:
    """Raise an error before the work starts if a path cannot be written."""
    if is_stream(path):
        return
    real = Path(os.path.realpath(path))
    if not real.parent.is_dir():
        raise HeteroAgeError(f"cannot write {path}: there is no folder {real.parent}. Make it first.")
    if real.is_dir():
        raise HeteroAgeError(f"cannot write {path}: it is a folder. Give a file in it.")
    if real.exists() and not real.is_file():
        raise HeteroAgeError(f"cannot write {path}: it is a disk or a socket. Give a regular file or a pipe.")


def _open_locked(beside: Path, path: Path) -> int:
    """Create the temporary file `beside` and lock it. A file of a killed process is not locked, and is reused."""
    while True:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise HeteroAgeError(
                f"cannot write {path}: another process is writing it. Wait until it ends, or name another file."
            ) from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                os.close(handle)
                raise
        # Try again if another process renamed or removed the file between the two calls.
        if beside.exists() and os.fstat(handle).st_ino == beside.stat().st_ino:
            os.ftruncate(handle, 0)
            return handle
        os.close(handle)


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV or Parquet table (by file extension). The columns TEXT_COLUMNS are text, missing if empty."""
    import pandas as pd  # slow to import: `heteroage` starts without

    path = Path(path)
    if not path.is_file():
        raise HeteroAgeError(f"no file {path}. Check the path; relative paths start at the working directory.")
    try:
        if path.suffix in PARQUET:
            table = pd.read_parquet(path)
            return table.reset_index() if table.index.name == "sample_id" else table
        columns = pd.read_csv(path, nrows=0).columns
        names = [name for name in columns if name in TEXT_COLUMNS]
        # pandas looks for missing values only in the columns of `na_values`.
        words = {name: [""] if name in TEXT_COLUMNS else NO_NUMBER for name in columns}
        return pd.read_csv(
            path, dtype=dict.fromkeys(names, str), keep_default_na=False, na_values=words, float_precision="round_trip"
        )
    except (ValueError, OSError) as error:
        raise HeteroAgeError(f"cannot read {path}: {error}. Give CSV (.csv, .csv.gz) or Parquet (.parquet).") from error


def rows_of(sample_ids: Sequence[str], table: pd.DataFrame, where: str | Path) -> NDArray[np.int64]:
    """Return each sample's row in a table with sample_id. Raises HeteroAgeError: samples with no or several rows."""
    import pandas as pd

    index = pd.Index(table["sample_id"])
    if len(twice := index[index.duplicated()].unique()):
        raise HeteroAgeError(f"{where} has several rows for samples ({listed(twice)}). Keep one row per sample.")
    rows = index.get_indexer(list(sample_ids))
    if absent := [sample for sample, row in zip(sample_ids, rows, strict=True) if row < 0]:
        raise HeteroAgeError(
            f"{where} has no row for samples ({listed(absent)}): it is from another run. Remove the file and run again."
        )
    return rows.astype("int64")


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table as CSV or Parquet (by file extension). Floats are written exactly."""
    with atomic_path(path) as beside:
        if Path(path).suffix in PARQUET:
            table.to_parquet(beside, index=False)
        else:
            table.to_csv(beside, index=False, lineterminator="\n")


def write_text(text: str, path: str | Path) -> None:
    """Write UTF-8 text."""
    with atomic_path(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(content: object, path: str | Path) -> None:
    """Write indented JSON with the keys in the given order. NaN is rejected, because it is not valid JSON."""
    write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", path)


def read_json(path: str | Path) -> object:
    """Read a JSON file."""
    try:
        return parse_json(Path(path).read_bytes(), path)
    except FileNotFoundError as error:
        raise HeteroAgeError(f"no file {path}. Check the path.") from error


def parse_json(content: bytes, where: str | Path) -> Any:  # noqa: ANN401
    """Parse untrusted JSON. NaN, infinity and very deep nesting are rejected."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is not valid JSON")

    try:
        return json.loads(content.decode("utf-8-sig"), parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise HeteroAgeError(
            f"{where} is not valid JSON: {error}. Fix it, or check that it is the right file."
        ) from error


def write_model(model: object, path: str | Path) -> None:
    """Store a fitted model with joblib, uncompressed: equal models give equal bytes."""
    import joblib

    with atomic_path(path) as beside:
        joblib.dump(model, beside)


def sha256_of(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_coverage(path: str | Path) -> bool:
    """Tell whether a path or pattern refers to Bismark coverage files."""
    return str(path).endswith((".cov", ".cov.gz"))


def coverage_files(*patterns: str) -> dict[str, str]:
    """Find the files of patterns: {sample_id: path}. The id is the part of the file name that matches `*`.

    Raises HeteroAgeError: no file, or two of one sample.
    """
    found: dict[str, str] = {}
    for pattern in patterns:
        name = Path(pattern).name
        paths = sorted(map(str, Path(pattern).parent.glob(name)))
        if not paths:
            raise HeteroAgeError(
                f"no file matches {pattern}. Check the path; relative paths start at the working directory."
            )
        inside = re.compile("(.*)".join(map(re.escape, name.split("*"))), re.DOTALL)
        for path in paths:
            found_by = inside.fullmatch(Path(path).name)
            starred = found_by[1] if found_by and inside.groups else ""
            one = starred or re.sub(r"(\.bismark)?\.cov(\.gz)?$", "", Path(path).name)
            if one in found:
                raise HeteroAgeError(f"two files are of sample {one} ({found[one]}, {path}). Keep one of them.")
            found[one] = path
    return found


def files_of(paths: Iterable[str]) -> list[str]:
    """Expand patterns of coverage files (`data/*.cov.gz`) to the files that match."""
    return [file for path in paths for file in (coverage_files(path).values() if is_coverage(path) else [path])]


@contextmanager
def opened(path: Path, where: str) -> Iterator[BinaryIO]:
    """Open a file's bytes, unpacked if it is gzip.

    Raises HeteroAgeError: no such file, a file that cannot be read, or a gzip stream that is cut short.
    """
    if path.is_dir():
        raise HeteroAgeError(f"{where} is a folder, not a table. Give the file in it.")
    if not path.exists():
        raise HeteroAgeError(f"no file {path}. Check the path; relative paths start at the working directory.")
    packed = False
    broken: tuple[type[Exception], ...] = (EOFError, OSError, zlib.error)
    try:
        packed = is_gzip(path)
        if packed:
            try:
                from isal import igzip as gzip
                from isal import isal_zlib

                broken = (*broken, isal_zlib.error)
            except ImportError:  # half as fast
                import gzip
            stream = gzip.open(path, "rb")  # noqa: SIM115
        else:
            stream = path.open("rb", buffering=1 << 20)
        with stream:
            yield stream
    except broken as error:
        what = " as gzip" if packed else ""
        raise HeteroAgeError(f"cannot read {where}{what}: {error}. {CUT_SHORT}") from error


def is_gzip(path: Path) -> bool:
    """Tell whether a file is gzipped."""
    with path.open("rb") as raw:
        return raw.read(2) == b"\x1f\x8b"
