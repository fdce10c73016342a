"""Files that are converted to Parquet before they are read: Bismark coverage files, and GEO's series matrices.

A coverage file (`.cov`, `.cov.gz`) has the positions of one sample. A line is: chromosome, start, end, percent
methylated, methylated reads, unmethylated reads (Bismark, `bismark_methylation_extractor --bedGraph`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from heteroage.errors import HeteroAgeError, listed
from heteroage.files import LEAST_COVERAGE, atomic_path, coverage_files, is_coverage, is_gzip, opened
from heteroage.probes import is_probe, plain_name, split_modality
from heteroage.tables.source import BadCells
from heteroage.tables.text import TextSource

COLUMN_TYPES = {"chromosome": pa.string(), "start": pa.int64(), "end": pa.int64(), "percent": pa.float64()}
COLUMN_TYPES |= {"methylated": pa.int64(), "unmethylated": pa.int64()}
CHROMOSOME = 1 << 40  # positions are numbered chromosome by chromosome
MOST_ABOVE = 100  # maximum number of lines above the first call
POSITIONS_PER_BLOCK = 1 << 16  # number of positions written at a time
VALUES_PER_ROW_GROUP = 1 << 23  # number of values of a series matrix per row group: 32 MB
BEGIN, END = "!series_matrix_table_begin", "!series_matrix_table_end"


def gather(
    paths: Sequence[str | Path], features: Collection[str], least: int | None
) -> tuple[list[str | Path], IO[bytes] | None]:
    """Replace the coverage files among `paths` (or patterns of them) by one temporary table of the features' positions.

    Returns the paths; and the temporary file, to be kept open while it is read, or None if there are no coverage files.
    Raises HeteroAgeError: as `coverage_files` and `write_coverage`.
    """
    patterns = [str(path) for path in paths if is_coverage(path)]
    if not patterns:
        return list(paths), None
    table = tempfile.NamedTemporaryFile(suffix=".parquet")  # noqa: SIM115, the caller keeps it open
    write_coverage(coverage_files(*patterns), least or LEAST_COVERAGE, table.name, features)
    return [table.name, *(path for path in paths if not is_coverage(path))], table


def _read_coverage(path: str, least: int, codes: dict[str, int]) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
    """Read the numbers of a sample's covered positions (increasing), their beta values, and how many were left out.

    codes : {chromosome: number}, to which new chromosomes are added
    """
    try:
        above = _lines_above(path)
        table = pv.read_csv(
            pa.input_stream(path, compression="gzip" if is_gzip(Path(path)) else None),
            pv.ReadOptions(column_names=list(COLUMN_TYPES), skip_rows=above, use_threads=False),
            pv.ParseOptions(delimiter="\t"),
            pv.ConvertOptions(column_types=COLUMN_TYPES),
        )
    except (pa.ArrowInvalid, OSError) as error:
        raise HeteroAgeError(
            f"{path} is not a Bismark coverage file ({' '.join(str(error).split())[:200]}): a line has chromosome, "
            "start, end, percent, methylated and unmethylated reads, separated by tabs. Check the file."
        ) from error
    encoded = table.column("chromosome").combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    usable = [position(name, 0).removesuffix("_0") if is_probe(position(name, 0)) else None for name in names]
    place = np.array([-1 if name is None else codes.setdefault(name, len(codes)) for name in usable], np.int64)
    place = place[encoded.indices.to_numpy()] if len(names) else place
    start, methylated, unmethylated = (table.column(c).to_numpy() for c in ("start", "methylated", "unmethylated"))
    if (methylated < 0).any() or (unmethylated < 0).any():
        raise HeteroAgeError(f"{path} has counts below 0. Check the file.")
    reads = methylated + unmethylated
    covered = (reads >= max(least, 1)) & (place >= 0)
    keys = place[covered] * CHROMOSOME + start[covered]
    order = np.argsort(keys, kind="stable")
    keys, betas = keys[order], (methylated[covered] / reads[covered])[order].astype(np.float32)
    twice = keys[1:][keys[1:] == keys[:-1]]
    if len(twice):
        known = {code: name for name, code in codes.items()}
        shown = [position(known[key // CHROMOSOME], key % CHROMOSOME) for key in twice[:6].tolist()]
        raise HeteroAgeError(
            f"{path} has positions more than once ({len(twice)}; first {listed(shown)}). Keep one line."
        )
    return keys, betas, int(((reads < least) & (place >= 0)).sum())


def _lines_above(path: str) -> int:
    """Return the number of lines above the first call: names of columns, comments, or `track`."""
    with opened(Path(path), path) as stream:
        starts = (line.split(b"\t", 2)[1:2] for line in islice(stream, MOST_ABOVE))
        return next((k for k, start in enumerate(starts) if start and start[0].isdigit()), 0)


def position(chromosome: str, start: int) -> str:
    """Return the name of a position: chr1_10469, whether the chromosome is `chr1` or `1`."""
    return plain_name(f"{chromosome if chromosome.lower().startswith('chr') else f'chr{chromosome}'}_{start}")


def write_coverage(
    files: Mapping[str, str], least: int, table: str | Path, features: Collection[str] | None = None
) -> tuple[int, int]:
    """Write the samples' beta values as a table, positions in rows; missing where fewer than `least` reads cover one.

    features : names of features; only their positions are kept. None keeps all.

    Memory: 12 bytes per sample and covered position.

    Returns the numbers of positions, and of values that were left out for too few reads.
    Raises HeteroAgeError: another format, counts below 0, a repeated position; no position that is covered often
    enough.
    """
    codes: dict[str, int] = {}
    samples, below = {}, 0
    for one, path in files.items():
        keys, betas, few = _read_coverage(path, least, codes)
        if features is not None:
            kept = np.isin(keys, _keys(features, codes), assume_unique=True)
            keys, betas = keys[kept], betas[kept]
        samples[one] = (np.append(keys, -1), np.append(betas, np.float32(np.nan)))  # the last is for other positions
        below += few
    everything = np.unique(np.concatenate([keys[:-1] for keys, _ in samples.values()]))
    if not len(everything):
        which = "no position" if features is None else "no position that the clock reads,"
        raise HeteroAgeError(
            f"{which} of {listed(files.values())} has {least} reads. Lower least_coverage, or check the genome build."
        )
    known = {code: name for name, code in codes.items()}
    suffix = "" if features is None else "_beta"  # which a clock of several modalities needs
    schema = pa.schema([("cpg", pa.string()), *((one, pa.float32()) for one in samples)])
    with atomic_path(table) as beside, pq.ParquetWriter(beside, schema) as writer:
        for at in range(0, len(everything), POSITIONS_PER_BLOCK):
            block = everything[at : at + POSITIONS_PER_BLOCK]
            columns = [pa.array([position(known[k // CHROMOSOME], k % CHROMOSOME) + suffix for k in block.tolist()])]
            for keys, betas in samples.values():
                at_key = np.searchsorted(keys[:-1], block)
                columns.append(pa.array(np.where(keys[at_key] == block, betas[at_key], np.float32(np.nan))))
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    return len(everything), below


def _keys(features: Collection[str], codes: dict[str, int]) -> NDArray[np.int64]:
    """Return the numbers of the features that are positions, in increasing order."""
    places = [split_modality(name)[0].rpartition("_") for name in features]
    found = [codes[c] * CHROMOSOME + int(start) for c, _, start in places if c in codes and start.isdigit()]
    return np.unique(np.array(found, np.int64))


def write_values(path: str | Path, table: str | Path) -> tuple[int, int]:
    """Copy a series matrix' values to a Parquet table, CpGs in rows (`cpg`, then a float32 column per sample).

    Returns the numbers of CpGs and of samples.
    Raises HeteroAgeError: no values, text among them, or a file that ends early.
    """
    with opened(Path(path), str(path)) as stream:
        lines = len(list(header_lines(stream, path))) + 1
        begin = stream.tell(), lines
    source = TextSource(Path(path), str(path), begin=begin, end=END.encode())
    samples = range(1, len(source.header))
    if not samples:
        raise HeteroAgeError(f"{path} has no table of values. Check the file.")
    schema = pa.schema([("cpg", pa.string()), *((source.header[k], pa.float32()) for k in samples)])
    waiting: list[pa.RecordBatch] = []
    with atomic_path(table) as beside, pq.ParquetWriter(beside, schema, use_dictionary=False) as writer:
        for batch in source.batches([0], samples):
            bad = BadCells()
            values = np.ascontiguousarray(batch.numbers(samples, bad).T, np.float32)
            if bad.total:
                cells = listed((f"{text!r} of {source.header[k + 1]}" for _, k, text in bad.first), bad.total)
                raise HeteroAgeError(f"cannot read the values of {source.where}: text ({cells}). Check the file.")
            waiting.append(pa.RecordBatch.from_arrays([*batch.arrays([0]), *map(pa.array, values)], schema=schema))
            if sum(map(len, waiting)) >= VALUES_PER_ROW_GROUP // len(schema):
                writer.write_table(pa.Table.from_batches(waiting))
                waiting = []
        if waiting:
            writer.write_table(pa.Table.from_batches(waiting))
        if not source.ended:
            raise HeteroAgeError(f"{path} ends early: {source.n_rows} rows and no {END}. Remove it and run again.")
        if not source.n_rows:
            raise HeteroAgeError(
                f"{path} contains samples but no values; the authors put the values into supplementary files. "
                "Download these files and give them as inputs.beta."
            )
    return source.n_rows, len(samples)


def header_lines(stream: BinaryIO, path: str | Path) -> Iterator[str]:
    """Yield the lines of a series matrix above its table of values."""
    for line in stream:
        text = line.decode("utf-8", errors="replace").rstrip("\r\n")
        if text == BEGIN:
            return
        yield text
    raise HeteroAgeError(f"{path} is not a series matrix: it has no line {BEGIN}. Check the file.")
