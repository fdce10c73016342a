"""The commands that predict: they read a folder and tables in blocks, and write a table of predictions.

The output file appears under its name only when it is complete.
"""

from __future__ import annotations

import gzip
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from heteroage.clock.artifacts import MISSING, REFERENCE_PREDICTIONS, REFERENCE_SAMPLES
from heteroage.clock.cohort import CohortSummary
from heteroage.clock.loading import load_clock, predicted_reference, reference_samples
from heteroage.clock.master_table import open_tables
from heteroage.clock.predict import Clock
from heteroage.clock.published import read_compared, report_of
from heteroage.clock.sums import Beside
from heteroage.clock.trees import booster_of, contributions_of
from heteroage.errors import HeteroAgeError
from heteroage.files import PARQUET, atomic_path, check_writable, is_stream, write_json
from heteroage.tables.metadata import Conventions

ROW_GROUP = 65_536  # samples per row group of a Parquet file
KINDS = {".csv": ",", ".tsv": "\t", "": ",", ".feather": "feather", ".arrow": "feather"}
KINDS |= dict.fromkeys(PARQUET, "parquet")
ENDINGS = ".csv, .tsv (both also with .gz), .parquet, .feather"


def run_step(
    step: str,
    artifact_dir: Path,
    inputs: Sequence[Path],
    out: Path,
    *,
    contributions: Path | None = None,
    summary: Path | None = None,
    compare: Mapping[str, Mapping[str, object]] | None = None,
    offset: Path | None = None,
    allow_missing: bool = False,
    public_key: Path | None = None,
    conventions: Mapping[str, object] | None = None,
) -> str:
    """Predict tables with a clock, block by block.

    compare : published clocks whose ages are added, in the form of the config's `compare`
    offset : file written by `calibrate`; its offset is added to each HeteroAge
    conventions : conventions of the tables, as in `load_clock`

    Returns a summary line to print, and a warning if the table has a systematic offset.
    Raises HeteroAgeError: the folder, the tables or the output path are invalid. Nothing is written.
    """
    from tqdm import tqdm

    outputs = [path for path in (out, contributions) if path is not None]
    check_places([*inputs, offset], [*outputs, summary], outputs)
    clock = load_clock(artifact_dir, public_key, **(conventions or {}))
    booster = booster_of(clock) if contributions is not None else None
    if offset is not None:
        clock = clock.with_offset(offset)
    beside = Beside(read_compared(compare), clock) if compare else None
    table = open_tables(inputs, (beside or clock).wanted, clock.conventions)
    if beside:
        beside.find(table)
    cohort = CohortSummary(studies=clock.studies)
    # The progress bar is shown only if standard error is a terminal.
    with writing(outputs) as writers, tqdm(total=table.n_rows, unit=" samples", unit_scale=True, disable=None) as bar:
        for rows, features in clock.stream(step, table, allow_missing, beside):
            writers[0].write(rows)
            cohort.add(rows)
            if booster is not None:
                writers[1].write(contributions_of(clock, booster, rows, features))
            bar.update(len(rows["sample_id"]))
    if summary is not None:
        write_json(cohort.as_json(), summary)
    warning = cohort.warning()
    return f"{out}: {cohort.line()}" + (f"\nWarning: {warning}" if warning else "")


def check_places(
    inputs: Sequence[Path | None], outputs: Sequence[Path | None], tables: Sequence[Path | None] = ()
) -> None:
    """Reject outputs that cannot be written, or are equal to each other or to an input, before the work starts."""
    for path in filter(None, tables):
        kind_of(path)
    given = {path.resolve() for path in inputs if path is not None}
    outputs = [path for path in outputs if path is not None]
    for path in outputs:
        check_writable(path)
    places = [path.resolve() for path in outputs]
    if twice := [path for path, place in zip(outputs, places, strict=True) if places.count(place) > 1]:
        raise HeteroAgeError(f"two outputs have the same file name ({twice[0]}). Change one of them.")
    if same := [path for path, place in zip(outputs, places, strict=True) if place in given]:
        raise HeteroAgeError(f"{same[0]} is an input and would be overwritten. Choose another output file.")


def compare(
    inputs: Sequence[Path],
    given: Mapping[str, Mapping[str, object]],
    clock: Clock | None = None,
    out: Path | None = None,
    conventions: Mapping[str, object] | None = None,
) -> str:
    """Compare published clocks, and optionally a trained clock, on tables with ages; returns a report to print.

    given : entries of the config's `compare`
    clock : a trained clock to compare them with
    out : file for the ages of every sample
    conventions : conventions of the tables, as in `load_clock`, without a trained clock

    Raises HeteroAgeError: invalid tables; no ages; no CpG in common with a published clock.
    """
    check_places(inputs, [out], [out])
    beside = Beside(read_compared(given), clock, projects=True)
    how = clock.conventions if clock else Conventions.of(**(conventions or {}))
    table = open_tables(inputs, beside.wanted, how)
    beside.find(table)
    if "Age" not in table.names:
        raise HeteroAgeError(
            f"{table.where} has no column Age, with which predicted ages are compared. Add it, or name your column by "
            "--columns Age=YOURS. `heteroage pipeline-predict --compare` predicts without ages."
        )
    if clock is not None:
        wanted = ["sample_id", "project_id", "Age", "HeteroAge"]
        wanted += [name for one in beside.compared for name in (one.name, one.name + MISSING)]
        blocks = clock.stream("predict", table, beside=beside)
        parts = [{name: rows[name] for name in wanted if name in rows} for rows, _ in blocks]
    else:
        parts = [
            {"sample_id": part.ids, "Age": np.array(part.metadata("Age"), np.float64), **beside.rows(part)}
            for part in table.parts(table.names)
        ]
    if out is not None:
        with writing([out]) as (writer,):
            for rows in parts:
                writer.write(rows)
    cpgs = {one.name: len(one.features) for one in beside.compared}
    return report_of(parts, cpgs, table.where)


def write_reference(folder: Path, clock: Clock) -> None:
    """Store reference samples and their predictions."""
    (folder / REFERENCE_SAMPLES).parent.mkdir(exist_ok=True)
    with writing([folder / REFERENCE_SAMPLES]) as (writer,):
        writer.write(reference_samples(clock))
    with writing([folder / REFERENCE_PREDICTIONS]) as (writer,):
        for rows in predicted_reference(folder, clock):
            writer.write(rows)


def kind_of(path: Path) -> str:
    """Return "parquet", "feather" or the separator of a text file. A name without an extension means CSV.

    Raises HeteroAgeError: unknown extension.
    """
    suffix = path.suffix.lower()
    kind = KINDS.get(path.with_suffix("").suffix.lower() if suffix == ".gz" else suffix, "")
    if is_stream(path):
        return ","
    if not kind or (suffix == ".gz" and len(kind) > 1):
        raise HeteroAgeError(f"cannot write {path}: unknown file extension {path.suffix}. Use one of {ENDINGS}.")
    return kind


class RowWriter:
    """Writes a table block by block. The bytes of a CSV row do not depend on the block sizes.

    path : temporary file to open
    final : final name of the file, whose extension sets the format
    """

    def __init__(self, path: Path, final: Path) -> None:
        self.kind, self._to_disk, self.rows = kind_of(final), not is_stream(path), 0
        self._waiting: list[pa.Table] = []
        self._columnar: object | None = None
        self._stream = _opened(path, self._to_disk)
        # No time or file name in the header, so equal tables give equal bytes.
        zipped = final.suffix.lower() == ".gz" and self._to_disk
        self._text = gzip.GzipFile("", "wb", 6, self._stream, mtime=0) if zipped else self._stream

    def write(self, rows: Mapping[str, Sequence]) -> None:
        """Add a block: columns by name, lists of text or arrays of numbers, missing as None or NaN."""
        table = pa.Table.from_arrays([_column(cells) for cells in rows.values()], names=list(rows))
        if len(self.kind) > 1:
            self._waiting.append(table)
            if sum(one.num_rows for one in self._waiting) >= ROW_GROUP:
                self._write_group()
        else:
            header = [] if self.rows else [pa.Table.from_arrays([_column([name]) for name in rows], list(rows))]
            self._text.writelines(_csv_lines(part, self.kind) for part in (*header, table))
        self.rows += table.num_rows

    def close(self) -> None:
        """Write buffered rows and flush the file to disk."""
        if self._waiting:
            self._write_group()
        if self._columnar is not None:
            self._columnar.close()
        if self._text is not self._stream:
            self._text.close()
        self._stream.flush()
        if self._to_disk:
            os.fsync(self._stream.fileno())
        self._stream.close()

    def abandon(self) -> None:
        """Close the file without completing it."""
        with suppress(OSError):  # the file is discarded anyway
            self._stream.close()

    def _write_group(self) -> None:
        table, self._waiting = pa.concat_tables(self._waiting), []
        if self._columnar is None and self.kind == "feather":
            self._columnar = pa.ipc.new_file(self._stream, table.schema)
        elif self._columnar is None:
            import pyarrow.parquet as pq

            self._columnar = pq.ParquetWriter(self._stream, table.schema)
        self._columnar.write_table(table)


def _opened(path: Path, to_disk: bool) -> BinaryIO:
    """Open a file for writing, or a pipe or device for appending."""
    number = {"/dev/stdout": 1, "/dev/stderr": 2}.get(str(path))
    if number or str(path).startswith("/dev/fd/"):
        return os.fdopen(os.dup(number or int(path.name)), "wb")
    return path.open("ab" if not to_disk and stat.S_ISREG(path.stat().st_mode) else "wb")


@contextmanager
def writing(paths: Sequence[Path]) -> Iterator[list[RowWriter]]:
    """Open a writer for each path. All files get their final names together, if the block ends without an error.

    Raises HeteroAgeError: missing folder, no permission, full disk or unknown extension. Existing files are kept. Pipes
    and devices keep the output that was written before the error.
    """
    for path in paths:
        kind_of(path)
    try:
        with ExitStack() as stack:
            writers = []
            for path in paths:
                writers.append(RowWriter(stack.enter_context(atomic_path(path)), path))
                stack.callback(writers[-1].abandon)
            yield writers
            for writer in writers:
                writer.close()
    except OSError as error:
        names = ", ".join(map(str, paths))
        left = "Nothing was written; existing files were kept."
        if any(map(is_stream, paths)):
            left = "The output to a pipe or a device is incomplete."
        raise HeteroAgeError(f"cannot write {names}: {error.strerror or error}. {left}") from error


def _column(cells: Sequence) -> pa.Array:
    """Convert numbers or text to an Arrow array, missing as null. (`pa.array` would import pandas.)"""
    if isinstance(cells, np.ndarray):
        kind, valid, buffers = pa.float64(), ~np.isnan(cells), [np.ascontiguousarray(cells, dtype=np.float64)]
    else:
        encoded = [(cell or "").encode() for cell in cells]
        ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
        kind, valid, buffers = pa.string(), np.array([cell is not None for cell in cells]), [ends, b"".join(encoded)]
    buffers.insert(0, None if valid.all() else np.packbits(valid, bitorder="little"))
    return pa.Array.from_buffers(kind, len(valid), [None if one is None else pa.py_buffer(one) for one in buffers])


def _csv_lines(table: pa.Table, separator: str) -> bytes:
    """Format rows as CSV: minimal quoting, shortest exact representation of numbers, empty cells for missing values."""
    columns = []
    for column in table.columns:
        text = pc.cast(column.combine_chunks(), pa.string())
        if pa.types.is_string(column.type):
            special = pc.match_substring_regex(text, f'["{separator}\r\n]')
            if pc.any(special).as_py():
                doubled = pc.replace_substring(text, '"', '""')
                text = pc.if_else(special, pc.binary_join_element_wise('"', doubled, '"', ""), text)
        columns.append(text)
    # The separator is passed as a column, because Arrow would import pandas for a scalar.
    between = _column([separator] * table.num_rows)
    options = pc.JoinOptions("replace", "")
    lines = pc.call_function("binary_join_element_wise", [*columns, between], options)
    return b"".join(line.encode() + b"\n" for line in lines.to_pylist())
