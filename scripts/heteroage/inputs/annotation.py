"""Which gene and which chromosome each probe lies on: Illumina's manifest as it comes, or any table that says so."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from heteroage.errors import HeteroAgeError, listed
from heteroage.files import PARQUET
from heteroage.probes import plain_name

if TYPE_CHECKING:  # Snakemake asks for the header when it starts
    import pandas as pd

PREAMBLE = 100  # lines in which `[Assay]` must come, if it does

# The first of these that the table has, capitals aside.
NAMES = {
    "cpg": ("cpg", "name", "ilmnid", "probe", "probe_id", "probeid", "id"),
    "gene": ("ucsc_refgene_name", "gene", "genes", "symbol", "gene_symbol", "genesymbol", "gene_name"),
    "chromosome": ("chromosome", "chr", "chrom", "cpg_chrm", "chr_hg38", "seqnames", "mapinfo_chr"),
}


def read_annotation(path: str | Path, needed: str) -> pd.DataFrame:
    """Read an annotation's probes with what is `needed` of them: "gene" or "chromosome".

    Illumina's manifests (CSV) open with lines up to `[Assay]` and end with `[Controls]`; both are passed over.
    A probe on several genes lists them with `;`, in one row or in several.

    Returns
    -------
    frame of `cpg` and `needed`, a row per pair; without replicates' suffixes, repeats and empty values.
    Chromosomes are without `chr`: 1, ..., 22, X, Y.

    Raises
    ------
    HeteroAgeError
        No such file, or it lacks a column of probes or of what is needed.
    """
    path = Path(path)
    if not path.is_file():
        raise HeteroAgeError(f"no file {path}. Check inputs.annotation.")
    try:
        table = _read_columns(path, needed)
    except (ValueError, OSError, EOFError) as error:
        raise HeteroAgeError(f"cannot read the annotation {path}: {error}.") from error
    table = table.dropna().astype(str)
    table["cpg"] = table["cpg"].str.strip().map(plain_name)
    if needed == "gene":
        table[needed] = table[needed].str.split(";")
        table = table.explode(needed, ignore_index=True)
    table[needed] = table[needed].str.strip()
    if needed == "chromosome":
        table[needed] = table[needed].str.removeprefix("chr").str.upper()
    return table.loc[table[needed] != "", ["cpg", needed]].drop_duplicates(ignore_index=True)


def annotates(path: str | Path, what: str) -> bool:
    """Whether an annotation has a column of "gene"s or of "chromosome"s; only its header is read."""
    try:
        return what in _choose(_columns(Path(path)), (what,)).values()
    except (ValueError, OSError, EOFError) as error:
        raise HeteroAgeError(f"cannot read the annotation {path}: {error}.") from error


def _read_columns(path: Path, needed: str) -> pd.DataFrame:
    columns = _columns(path)
    chosen = _choose(columns, ("cpg", needed))
    for ours in ("cpg", needed):
        if ours not in chosen.values():
            raise HeteroAgeError(
                f"the annotation {path} has no column of {ours}s (it has {listed(columns)}). Name one {ours}, or give "
                "Illumina's manifest as it comes."
            )
    import pandas as pd

    if path.suffix in PARQUET:
        table = pd.read_parquet(path, columns=list(chosen))
    else:
        table = pd.read_csv(path, usecols=list(chosen), nrows=_count_probes(path), **_layout(path))
    return table.rename(columns=chosen)


def _columns(path: Path) -> list[str]:
    if path.suffix in PARQUET:
        import pyarrow.parquet as pq

        return pq.read_schema(path).names
    layout = _layout(path)
    with _open(path) as lines:
        header = next(csv.reader(islice(lines, layout["skiprows"], None), delimiter=layout["sep"]), [])
    if not header:
        raise ValueError("it is empty")
    return header


def _layout(path: Path) -> dict[str, object]:
    return {
        "sep": "\t" if {".tsv", ".txt"} & set(path.suffixes) else ",",
        "skiprows": _preamble(path),
        "dtype": str,
        "encoding": "utf-8-sig",
        "keep_default_na": False,
        "na_values": [""],
    }


def _preamble(path: Path) -> int:
    """Count the lines down to `[Assay]`, which the header follows; 0 where there is no such line."""
    with _open(path) as lines:
        for above, line in enumerate(islice(lines, PREAMBLE), start=1):
            if line.startswith("[Assay]"):
                return above
    return 0


def _count_probes(path: Path) -> int | None:
    """Count a manifest's rows between its header and `[Controls]`; None: all that there are."""
    above = _preamble(path)
    if above:
        with _open(path) as lines:
            for row, line in enumerate(islice(lines, above + 1, None)):
                if line.startswith("[Controls]"):
                    return row
    return None


def _open(path: Path) -> TextIO:
    opened = gzip.open if path.suffix == ".gz" else open
    return opened(path, "rt", encoding="utf-8-sig", errors="replace")


def _choose(columns: list[str], wanted: Sequence[str]) -> dict[str, str]:
    """Map the table's columns to our names of them, of those that are wanted and there."""
    chosen = {}
    for ours in wanted:
        found = [column for name in NAMES[ours] for column in columns if column.strip().lower() == name]
        if found:
            chosen[found[0]] = ours
    return chosen
