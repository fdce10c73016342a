"""Genes and chromosomes of probes, from Illumina's manifest or any table with these columns."""

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

if TYPE_CHECKING:  # the Snakefile reads headers without pandas
    import pandas as pd

PREAMBLE = 100  # lines in which `[Assay]` must come, if it does

# The first of these that the table has, capitals aside.
NAMES = {
    "cpg": ("cpg", "name", "ilmnid", "probe", "probe_id", "probeid", "id"),
    "gene": ("ucsc_refgene_name", "gene", "genes", "symbol", "gene_symbol", "genesymbol", "gene_name"),
    "chromosome": ("chromosome", "chr", "chrom", "cpg_chrm", "chr_hg38", "seqnames", "mapinfo_chr"),
}


def read_annotation(path: str | Path, needed: str) -> pd.DataFrame:
    """Read the column `needed` ("gene" or "chromosome") of an annotation, by probe.

    Illumina's manifests (CSV) start with lines up to `[Assay]` and end with `[Controls]`; both parts are skipped.
    Several genes of a probe are separated by `;`, or in several rows.

    Returns
    -------
    frame of `cpg` and `needed`, one row per pair, without suffixes of replicates, duplicates and empty values.
    Chromosomes have no `chr`: 1, ..., 22, X, Y.

    Raises
    ------
    HeteroAgeError
        The file does not exist, or has no column of probes or no column `needed`.
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
    """Tell whether an annotation has a column of "gene" or "chromosome". Only its header is read."""
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
    """Count the lines up to `[Assay]`, after which the header follows; 0 if there is no such line."""
    with _open(path) as lines:
        for above, line in enumerate(islice(lines, PREAMBLE), start=1):
            if line.startswith("[Assay]"):
                return above
    return 0


def _count_probes(path: Path) -> int | None:
    """Count a manifest's rows between its header and `[Controls]`; None without `[Controls]`."""
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
    """Map existing columns of the table to the wanted standard names."""
    chosen = {}
    for ours in wanted:
        found = [column for name in NAMES[ours] for column in columns if column.strip().lower() == name]
        if found:
            chosen[found[0]] = ours
    return chosen
