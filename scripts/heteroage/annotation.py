"""Which gene and which chromosome each probe lies on: Illumina's manifest as it comes, or any table that says so."""

from __future__ import annotations

import gzip
from itertools import islice
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from heteroage.errors import HeteroAgeError, listed
from heteroage.files import PARQUET
from heteroage.probes import plain_name

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
    return table[table[needed] != ""].drop_duplicates(ignore_index=True)


def _read_columns(path: Path, needed: str) -> pd.DataFrame:
    if path.suffix in PARQUET:
        chosen = _choose(pq.read_schema(path).names, needed, path)
        return pd.read_parquet(path, columns=list(chosen)).rename(columns=chosen)
    above, rows = _extent(path)
    layout = {
        "sep": "\t" if {".tsv", ".txt"} & set(path.suffixes) else ",",
        "skiprows": above,
        "dtype": str,
        "encoding": "utf-8-sig",
        "keep_default_na": False,
        "na_values": [""],
    }
    chosen = _choose(list(pd.read_csv(path, nrows=0, **layout).columns), needed, path)
    return pd.read_csv(path, nrows=rows, usecols=list(chosen), **layout).rename(columns=chosen)


def _extent(path: Path) -> tuple[int, int | None]:
    """Count the lines above the header, and the rows of probes (None: all there are)."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", errors="replace") as lines:
        for above, line in enumerate(islice(lines, PREAMBLE), start=1):
            if line.startswith("[Assay]"):
                rows = -1  # the header
                for line in lines:
                    if line.startswith("[Controls]"):
                        return above, rows
                    rows += 1
                return above, None
    return 0, None


def _choose(columns: list[str], needed: str, path: Path) -> dict[str, str]:
    """Map the table's columns of probes and of what is needed to our names for them."""
    chosen = {}
    for ours in ("cpg", needed):
        found = [c for name in NAMES[ours] for c in columns if c.strip().lower() == name]
        if not found:
            raise HeteroAgeError(
                f"the annotation {path} has no column of {ours}s (it has {listed(columns)}). Name one {ours}, or give "
                "Illumina's manifest as it comes."
            )
        chosen[found[0]] = ours
    return chosen
