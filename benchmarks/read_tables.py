"""Time and memory of reading a table into the feature store, against pandas and writing the same array.

    python benchmarks/read_tables.py --folder scratch                        1,000 samples x 450,000 CpGs, simulated
    python benchmarks/read_tables.py --folder scratch --cpgs 20000 --tables tall.csv.gz

Each reading runs in a process of its own; files that are there already are not made again. Ratios are pandas' figure
over ours in the same run: above 1, ours is better.
"""

import argparse
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
from isal import igzip

TABLES = ("tall.parquet", "wide.parquet", "tall.csv.gz", "wide.csv.gz")
BLOCK = 10_000
# pyarrow's own limits refuse the footer of 450,000 columns; pandas hands these on.
FOOTER = {"thrift_string_size_limit": 2**31 - 1, "thrift_container_size_limit": 2**31 - 1}


def main() -> None:
    """Make the tables, read each with both, and print a table in Markdown."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--folder", type=Path, required=True)
    arguments.add_argument("--samples", type=int, default=1000)
    arguments.add_argument("--cpgs", type=int, default=450_000)
    arguments.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    arguments.add_argument("--readers", nargs="+", choices=READERS, default=list(READERS))
    arguments.add_argument("--read", nargs=2, help=argparse.SUPPRESS)  # one reading, in a process of its own
    given = arguments.parse_args()
    given.folder.mkdir(exist_ok=True, parents=True)
    os.chdir(given.folder)
    if given.read:
        READERS[given.read[0]](given.read[1])
        return
    make_tables(given.tables, given.samples, given.cpgs)
    print("| table | GB | | wall s | CPU s | memory GiB |\n|---|---|---|---|---|---|")
    for table in given.tables:
        size = Path(table).stat().st_size / 1e9
        figures = {reader: measure(reader, table) for reader in given.readers}
        for reader, row in figures.items():
            print(f"| {table} | {size:.2f} | {reader} | " + " | ".join(f"{x:.2f}" for x in row) + " |", flush=True)
        if len(figures) == 2:
            ratios = [theirs / ours for theirs, ours in zip(figures["pandas"], figures["heteroage"], strict=True)]
            print(f"| {table} | | ratio | " + " | ".join(f"{x:.1f}" for x in ratios) + " |", flush=True)


def measure(reader: str, table: str) -> tuple[float, float, float]:
    """Wall and CPU seconds of a reading, and the most memory of its own that it held (not pages of files)."""
    Path("features.npy").unlink(missing_ok=True)  # replacing a file would wait for the disk
    os.sync()
    start = time.perf_counter()
    command = [sys.executable, __file__, "--folder", ".", "--read", reader, table]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    peak = [0.0]
    watch = threading.Thread(target=_watch, args=(process, peak))
    watch.start()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - start
    watch.join()
    if process.returncode:
        raise SystemExit(f"{reader} failed on {table}")
    return wall, usage.ru_utime + usage.ru_stime, peak[0]


def _watch(process: subprocess.Popen, peak: list[float]) -> None:
    status = Path(f"/proc/{process.pid}/status")
    while process.returncode is None:
        try:
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
            peak[0] = max(peak[0], int(lines["RssAnon"].split()[0]) / 2**20)
        except (OSError, KeyError, ValueError):
            return
        time.sleep(0.02)


def read_with_heteroage(table: str) -> None:
    """Read into a store, with a sample sheet beside, as the rule build_feature_store does."""
    from heteroage.inputs.cohorts import InputOptions, read_cohorts
    from heteroage.inputs.store import Intake, TableEntry, write_store

    record = Intake()
    entries, sheets = {"beta": [TableEntry(table)]}, [TableEntry("samples.csv")]
    cohorts = read_cohorts(entries, sheets, InputOptions(), record)
    write_store(cohorts, "features.npy", "feature_names.txt", record)


def read_with_pandas(table: str) -> None:
    """Read with pandas, and write the same array: float32, CpGs x samples."""
    tall = table.startswith("tall")
    frame = pd.read_parquet(table, **FOOTER) if table.endswith(".parquet") else pd.read_csv(table)
    names = next((name for name in ("ID_REF", "sample_id") if name in frame.columns), None)
    values = (frame.drop(columns=names) if names else frame).to_numpy(np.float32)
    np.save("features.npy", values if tall else np.ascontiguousarray(values.T))


READERS = {"heteroage": read_with_heteroage, "pandas": read_with_pandas}


def make_tables(tables: list[str], n_samples: int, n_cpgs: int) -> None:
    """Simulate beta values of five decimals and write them in each form, a block of CpGs or samples at a time."""
    ids = [f"GSM{k}" for k in range(n_samples)]
    sheet = pd.DataFrame({"sample_id": ids, "project_id": "p", "Tissue": "Blood", "Sex": "F", "Age": 40})
    sheet.assign(Is_Healthy=True).to_csv("samples.csv", index=False)
    rng = np.random.default_rng(1)
    cpgs = [f"cg{k:08d}" for k in rng.choice(99_999_999, n_cpgs, replace=False)]
    for table in tables:
        if Path(table).exists():
            continue
        tall = table.startswith("tall")
        if table.endswith(".csv.gz"):
            _write_text(table, ids, cpgs, tall)
            continue
        label, rows, columns = ("ID_REF", cpgs, ids) if tall else ("sample_id", ids, cpgs)
        schema = pa.schema([(label, pa.string()), *((name, pa.float64()) for name in columns)])
        with pa.parquet.ParquetWriter(table, schema) as writer:
            for block in _blocks(label, rows, columns, BLOCK if tall else 50):
                writer.write_batch(block, row_group_size=1 << 20)  # one row group, as pandas writes


def _write_text(table: str, ids: list[str], cpgs: list[str], tall: bool) -> None:
    """Write text. The values of the first CpGs are repeated for the others, further apart than gzip looks back."""
    values = [list(map(repr, row)) for row in _values(np.random.default_rng(2), BLOCK, len(ids)).tolist()]
    with igzip.open(table, "wb", compresslevel=3) as stream:
        if tall:
            lines = [",".join(row) for row in values]
            stream.write((",".join(["ID_REF", *ids]) + "\n").encode())
            for start in range(0, len(cpgs), BLOCK):
                names = cpgs[start : start + BLOCK]
                stream.write("".join(f"{name},{line}\n" for name, line in zip(names, lines)).encode())  # noqa: B905
            return
        stream.write((",".join(["sample_id", *cpgs]) + "\n").encode())
        for name, own in zip(ids, zip(*values, strict=True), strict=True):
            whole, rest = divmod(len(cpgs), BLOCK)
            parts = [*[",".join(own)] * whole, *own[:rest]]
            stream.write((",".join([name, *parts]) + "\n").encode())


def _values(rng: np.random.Generator, n_rows: int, n_columns: int) -> np.ndarray:
    return np.clip(rng.beta(2, 2, (n_rows, n_columns)), 0.001, 0.999).round(5)


def _blocks(label: str, rows: list[str], columns: list[str], step: int) -> Iterator[pa.RecordBatch]:
    rng = np.random.default_rng(2)
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        values = _values(rng, len(columns), len(part))
        yield pa.RecordBatch.from_arrays([pa.array(part), *map(pa.array, values)], names=[label, *columns])


if __name__ == "__main__":
    main()
