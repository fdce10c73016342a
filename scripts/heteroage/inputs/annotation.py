"""Genes and chromosomes of probes, from Illumina's manifest or any table with these columns."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from heteroage.errors import HeteroAgeError, listed
from heteroage.files import PARQUET
from heteroage.probes import plain_name

if TYPE_CHECKING:  # the Snakefile reads headers without pandas
    import pandas as pd

PREAMBLE = 100  # number of lines that may precede `[Assay]`

# The first of these that the table has, in any case.
NAMES = {
    "cpg": ("cpg", "name", "ilmnid", "probe", "probe_id", "probeid", "id"),
    "gene": ("ucsc_refgene_name", "gene", "genes", "symbol", "gene_symbol", "genesymbol", "gene_name"),
    "chromosome": ("chromosome", "chr", "chrom", "cpg_chrm", "chr_hg38", "seqnames", "mapinfo_chr"),
}


def read_annotation(path: str | Path, needed: str) -> pd.DataFrame:
    """Read the column `needed` ("gene" or "chromosome") of an annotation, by probe.

    Illumina's manifests (CSV) start with lines up to `[Assay]` and end with `[Controls]`; both parts are skipped.
    Several genes of a probe are separated by `;`, or in several rows.

    Returns a frame of `cpg` and `needed`, one row per pair, without suffixes of replicates, duplicates, empty values.
    Chromosomes have no `chr`: 1, ..., 22, X, Y.
    Raises HeteroAgeError: the file does not exist, or has no column of probes or no column `needed`.
    """
    import pandas as pd

    path = Path(path)
    if not path.is_file():
        raise HeteroAgeError(f"no file {path}. Check inputs.annotation.")
    with _reading(path):
        columns = _columns(path)
        found = {ours: _named(columns, ours) for ours in ("cpg", needed)}
        for ours, named in found.items():
            if not named:
                raise HeteroAgeError(
                    f"the annotation {path} has no column of {ours}s (it has {listed(columns)}). Name one {ours}, or "
                    "use Illumina's original manifest."
                )
        names = [named[0] for named in found.values()]
        if path.suffix in PARQUET:
            table = pd.read_parquet(path, columns=names)[names]
        else:
            places = [columns.index(name) for name in names]
            table = pd.DataFrame([[row[k] for k in places] for row in _rows(path) if len(row) > max(places)][1:])
    table = table.set_axis(["cpg", needed], axis=1).dropna().astype(str)
    table["cpg"] = table["cpg"].str.strip().map(plain_name)
    if needed == "gene":
        table[needed] = table[needed].str.split(";")
        table = table.explode(needed, ignore_index=True)
    table[needed] = table[needed].str.strip()
    if needed == "chromosome":
        table[needed] = table[needed].str.removeprefix("chr").str.upper()
    return table[(table[needed] != "") & (table["cpg"] != "")].drop_duplicates(ignore_index=True)


def annotates(path: str | Path, what: str) -> bool:
    """Tell whether an annotation has a column of "gene" or "chromosome". Only its header is read."""
    with _reading(Path(path)):
        return bool(_named(_columns(Path(path)), what))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError, EOFError, csv.Error) as error:
        raise HeteroAgeError(f"cannot read the annotation {path}: {error}. Check the file.") from error


def _columns(path: Path) -> list[str]:
    if path.suffix in PARQUET:
        import pyarrow.parquet as pq

        return pq.read_schema(path).names
    header = next(_rows(path), [])
    if not header:
        raise ValueError("it is empty")
    return header


def _rows(path: Path) -> Iterator[list[str]]:
    """Yield the rows of a text file, header first; of a manifest, those between `[Assay]` and `[Controls]`."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", errors="replace") as stream:
        first = list(islice(stream, PREAMBLE))
        above = next((k for k, line in enumerate(first, start=1) if line.startswith("[Assay]")), 0)
        lines = chain(first[above:], stream)
        if above:
            lines = takewhile(lambda line: not line.startswith("[Controls]"), lines)
        yield from csv.reader(lines, delimiter="\t" if {".tsv", ".txt"} & set(path.suffixes) else ",")


def _named(columns: Sequence[str], ours: str) -> list[str]:
    """Return the columns with one of the names of ours, the most usual name first."""
    return [column for name in NAMES[ours] for column in columns if column.strip().lower() == name]
