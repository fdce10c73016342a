"""Lists of probes: which CpGs a platform measures."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from pathlib import Path

from heteroage.errors import HeteroAgeError
from heteroage.probes import PROBE, plain_name, split_modality

MOST_LINE = 2**20  # bytes of a line


def read_probes(path: Path, modality: str | None) -> list[str]:
    """Read a platform's probe list: the column that names most probes (a list, a CSV, Illumina's manifests).

    Columns are separated by commas, tabs, semicolons or blanks. Names without a modality's suffix are taken as of
    `modality`, or beta.

    Raises
    ------
    HeteroAgeError
        A file that cannot be read, or names no probe.
    """
    found: dict[int, list[str]] = {}
    try:
        opened = gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # noqa: SIM115
        with opened as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
            while line := text.readline(MOST_LINE):
                for k, cell in enumerate(_cells(line.strip())):
                    probe, own = split_modality(plain_name(cell.strip()))
                    if PROBE.fullmatch(probe):
                        found.setdefault(k, []).append(f"{probe}_{own or modality or 'beta'}")
    except (OSError, EOFError, UnicodeError, csv.Error, zlib.error) as error:
        raise HeteroAgeError(f"cannot read {path}: {error}. Give a list of probes, one a line, or a CSV.") from error
    if not found:
        raise HeteroAgeError(f"{path} names no probe in any column. Give a list of probes, one a line, or a CSV.")
    return max((found[k] for k in sorted(found)), key=len)


def _cells(line: str) -> list[str]:
    """Split a line; blanks separate where nothing else does."""
    cells = next(csv.reader([line.replace("\t", ",").replace(";", ",")]), [""])
    return cells if len(cells) > 1 else next(csv.reader([" ".join(line.split())], delimiter=" "), [""])
