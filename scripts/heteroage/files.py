"""Reading and writing whole files: nothing half-written ever stands under a final name."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from heteroage.errors import HeteroAgeError, listed

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

PARQUET = {".parquet", ".pq"}
NO_NUMBER = ["", "NA", "N/A", "n/a", "NaN", "nan", "-nan", "NULL", "null", "None", "<NA>", "#N/A"]  # missing numbers
# Columns that hold names: read as text, so that 001, 1.5, TRUE and NA stay what they are.
NAMES = {
    *("sample_id", "sample_1", "sample_2", "donor_id", "project_id", "project_1", "project_2", "group"),
    *("Tissue", "Sex", "hallmark", "level", "first", "second"),
}


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a path beside `path` to write to; it takes `path`'s name only if the block ends without error."""
    path = Path(path)
    check_writable(path)
    for left in path.parent.glob(f".{glob.escape(path.name)}.[0-9]*.part"):  # by a process that was killed
        left.unlink(missing_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def check_writable(path: str | Path) -> None:
    """Say before the work, not after it, that there is no folder to write to."""
    if not Path(path).parent.is_dir():
        raise HeteroAgeError(f"cannot write {path}: there is no folder {Path(path).parent}. Make it first.")


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV or Parquet table, chosen by the file's ending; the columns NAMES are text, missing where empty."""
    import pandas as pd  # slow to import: `heteroage` starts without

    path = Path(path)
    if not path.is_file():
        raise HeteroAgeError(f"no file {path}. Check the path; relative paths start at the working directory.")
    try:
        if path.suffix in PARQUET:
            table = pd.read_parquet(path)
            return table.reset_index() if table.index.name == "sample_id" else table
        columns = pd.read_csv(path, nrows=0).columns
        names = [name for name in columns if name in NAMES]
        # pandas looks for its missing words in the columns of `na_values` alone.
        words = {name: [""] if name in NAMES else NO_NUMBER for name in columns}
        return pd.read_csv(path, dtype=dict.fromkeys(names, str), keep_default_na=False, na_values=words)
    except (ValueError, OSError) as error:
        raise HeteroAgeError(f"cannot read {path}: {error}. Give CSV (.csv, .csv.gz) or Parquet (.parquet).") from error


def rows_of(sample_ids: Sequence[str], table: pd.DataFrame, where: str | Path) -> NDArray[np.int64]:
    """Return the row of each sample in a table with a column `sample_id`.

    Raises
    ------
    HeteroAgeError
        Samples without a row, or with several.
    """
    import pandas as pd

    index = pd.Index(table["sample_id"])
    twice = index[index.duplicated()].unique()
    if len(twice):
        raise HeteroAgeError(f"{where} has several rows for samples ({listed(twice)}). Keep one row per sample.")
    rows = index.get_indexer(list(sample_ids))
    absent = [sample for sample, row in zip(sample_ids, rows, strict=True) if row < 0]
    if absent:
        raise HeteroAgeError(
            f"{where} has no row for samples ({listed(absent)}): it is of another run. Remove the file and run again."
        )
    return rows.astype("int64")


def write_table(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table as CSV, or as Parquet where the path says so. Floats are written so as to read back equal."""
    with atomic_path(path) as beside:
        if Path(path).suffix in PARQUET:
            table.to_parquet(beside, index=False)
        else:
            table.to_csv(beside, index=False, lineterminator="\n")


def write_json(content: object, path: str | Path) -> None:
    """Write JSON, indented, keys in the order given, NaN refused (it is not JSON)."""
    with atomic_path(path) as beside:
        beside.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: str | Path) -> object:
    """Read a JSON file."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise HeteroAgeError(f"no file {path}. Check the path.") from error
    except ValueError as error:
        raise HeteroAgeError(
            f"{path} is not valid JSON: {error}. Mend it, or check that it is the right file."
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
