"""Bismark coverage files (`.cov`, `.cov.gz`), one per sample, as one table of beta values by position.

A line of a coverage file is: chromosome, start, end, percent methylated, methylated reads, unmethylated reads
(Bismark, `bismark_methylation_extractor --bedGraph`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from heteroage.errors import HeteroAgeError, listed
from heteroage.files import atomic_path
from heteroage.probes import is_probe, plain_name

COLUMNS = {"chromosome": pa.string(), "start": pa.int64(), "end": pa.int64(), "percent": pa.float64()}
COLUMNS |= {"methylated": pa.int64(), "unmethylated": pa.int64()}
CHROMOSOME = np.int64(1 << 40)  # positions are numbered chromosome by chromosome
BLOCK = 1 << 16  # number of positions written at a time


def coverage_files(pattern: str) -> dict[str, str]:
    """Find the files of a pattern: {sample_id: path}. The id is the part of the file name that matches `*`.

    Raises
    ------
    HeteroAgeError
        No file, or two of one sample.
    """
    name = Path(pattern).name
    paths = sorted(map(str, Path(pattern).parent.glob(name)))
    if not paths:
        raise HeteroAgeError(
            f"no file matches {pattern}. Check the path; relative paths start at the working directory."
        )
    inside = re.compile("(.*)".join(map(re.escape, name.split("*"))), re.DOTALL)
    found: dict[str, str] = {}
    for path in paths:
        match = inside.fullmatch(Path(path).name)
        groups = match.groups() if match else ()
        one = groups[0] if groups and groups[0] else re.sub(r"(\.bismark)?\.cov(\.gz)?$", "", Path(path).name)
        if one in found:
            raise HeteroAgeError(f"{pattern} has two files of sample {one} ({found[one]}, {path}). Keep one of them.")
        found[one] = path
    return found


def read_coverage(path: str, least: int, codes: dict[str, int]) -> tuple[NDArray[np.int64], NDArray[np.float32], int]:
    """Read a sample's beta values at positions with at least `least` reads.

    Parameters
    ----------
    codes : {chromosome: number}, to which new chromosomes are added

    Returns
    -------
    numbers of the positions, increasing; their beta values; and the number of positions with fewer reads

    Raises
    ------
    HeteroAgeError
        Another format, counts below 0, or a repeated position.
    """
    try:
        table = pv.read_csv(
            path,
            pv.ReadOptions(column_names=list(COLUMNS), use_threads=False),
            pv.ParseOptions(delimiter="\t"),
            pv.ConvertOptions(column_types=COLUMNS),
        )
    except (pa.ArrowInvalid, OSError) as error:
        said = " ".join(str(error).split())[:200]
        raise HeteroAgeError(
            f"{path} is not a Bismark coverage file ({said}): a line has chromosome, start, end, percent, methylated "
            "and unmethylated reads, separated by tabs. Check the file."
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
        shown = [position(known[int(key // CHROMOSOME)], int(key % CHROMOSOME)) for key in twice[:6]]
        raise HeteroAgeError(
            f"{path} has positions more than once ({len(twice)}; first {listed(shown)}). Keep one line."
        )
    return keys, betas, int(((reads < least) & (place >= 0)).sum())


def position(chromosome: str, start: int) -> str:
    """Return the name of a position: chr1_10469, whether the chromosome is `chr1` or `1`."""
    return plain_name(f"{chromosome if chromosome.lower().startswith('chr') else f'chr{chromosome}'}_{start}")


def write_coverage(files: Mapping[str, str], least: int, table: str | Path) -> tuple[int, int]:
    """Write the samples' beta values as a table, positions in rows; missing where fewer than `least` reads cover one.

    Memory: 12 bytes per sample and covered position.

    Returns
    -------
    numbers of positions, and of values that were left out for too few reads

    Raises
    ------
    HeteroAgeError
        As `read_coverage`; no position that is covered often enough.
    """
    codes: dict[str, int] = {}
    samples, below = {}, 0
    for one, path in files.items():
        keys, betas, few = read_coverage(path, least, codes)
        samples[one] = (keys, betas)
        below += few
    everything = np.unique(np.concatenate([keys for keys, _ in samples.values()]))
    if not len(everything):
        raise HeteroAgeError(f"no position of {listed(files.values())} has {least} reads. Lower least_coverage.")
    known = {code: name for name, code in codes.items()}
    schema = pa.schema([("cpg", pa.string()), *((one, pa.float32()) for one in samples)])
    with atomic_path(table) as beside, pq.ParquetWriter(beside, schema) as writer:
        for at in range(0, len(everything), BLOCK):
            block = everything[at : at + BLOCK]
            chromosomes, starts = (block // CHROMOSOME).tolist(), (block % CHROMOSOME).tolist()
            names = [position(known[c], s) for c, s in zip(chromosomes, starts, strict=True)]
            columns = [pa.array(names), *(pa.array(_values(block, *own)) for own in samples.values())]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    return len(everything), below


def _values(block: NDArray[np.int64], keys: NDArray[np.int64], betas: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a sample's values at some positions, NaN if it has none."""
    values = np.full(len(block), np.nan, np.float32)
    at = np.searchsorted(keys, block)
    at[at == len(keys)] = 0
    if len(keys):
        has = keys[at] == block
        values[has] = betas[at[has]]
    return values
