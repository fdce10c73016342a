"""Names of CpGs: which columns are features, of which modality, and which are replicates of one probe; lists of probes.

A feature is named `<probe>_<modality>`. Newer arrays (EPICv2) measure some probes several times and append how:
`cg00000029_TC21` is strand T(op), C(onverted), design 2, replicate 1. Such replicates are averaged under the
plain name (Illumina, Infinium MethylationEPIC v2.0 manifest). Sequenced CpGs are positions, written in several ways:
`chr1:10469`, `chr1_10469`, `1:10469` and `chr1:10469-10470` are one name, `chr1_10469`.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterable
from pathlib import Path

from heteroage.errors import HeteroAgeError

MOST_LINE = 2**20  # maximum bytes of a line in a list of probes
MODALITIES = ("beta", "chalm", "camda")

# Array probes (cg..., ch.<chromosome>.<position>) and sequenced CpGs (chr1_10469, chr1:10469, 1:10469).
_CHROMOSOME = r"(?:\d{1,2}|[XYMxym]|MT)"
PROBE = re.compile(rf"(?:cg\d+|ch\.(?:\d+|[XY])\.\d+[FR]?|[cC][hH][rR]{_CHROMOSOME}[:_.]\d+|{_CHROMOSOME}:\d{{4,}})")
_POSITION = re.compile(rf"(chr)?0?({_CHROMOSOME})([:_.-])(\d+)(?:[-_.](\d+))?", re.IGNORECASE)
REPLICATE = re.compile(r"_[TB][CO]\d{2,}$")
RF_PC = re.compile(r"RF_PC\d+")
_MODALITY = re.compile(rf"(.+)_({'|'.join(MODALITIES)})")
_USUAL = re.compile(rf"({PROBE.pattern})(?:_({'|'.join(MODALITIES)}))?")  # no replicate


def split_modality(name: str) -> tuple[str, str | None]:
    """Split `cg00000029_beta` into ('cg00000029', 'beta'); a bare name has the modality None."""
    found = _MODALITY.fullmatch(name)
    return (found[1], found[2]) if found else (name, None)


def plain_name(name: str) -> str:
    """Give a CpG its one name: cg00000029_TC21_beta is cg00000029_beta, chr1:10469 is chr1_10469; others stay."""
    probe, modality = split_modality(name)
    plain = _one_position(REPLICATE.sub("", probe))
    if plain == probe or not PROBE.fullmatch(plain):
        return name
    return plain if modality is None else f"{plain}_{modality}"


def _one_position(probe: str) -> str:
    """Name a position, or the two bases of its CpG; other names stay, and so do longer regions."""
    found = _POSITION.fullmatch(probe)
    if not found:
        return probe
    prefix, chromosome, separator, start, end = found.groups()
    if not prefix and (separator != ":" or len(start) < 4):  # 1.10469 is a number, 1-10469 may be a sample
        return probe
    if end and int(end) - int(start) not in (0, 1):
        return probe
    return f"chr{chromosome.upper().replace('MT', 'M')}_{start}"


def feature_name(name: str, modality: str) -> str | None:
    """Name the feature of `modality` that a column is, or None: a bare probe is one, and one with that suffix."""
    usual = _USUAL.fullmatch(name) if name[:2] == "cg" else None  # spares three searches in each of a million names
    probe, own = usual.groups() if usual else split_modality(plain_name(name))
    return f"{probe}_{modality}" if own in (None, modality) and PROBE.fullmatch(probe) else None


def is_probe(name: str) -> bool:
    """Tell whether a name is that of a CpG, whatever its modality and replicate."""
    return bool(_USUAL.fullmatch(name) or PROBE.fullmatch(split_modality(plain_name(name))[0]))


def is_pc(name: str) -> bool:
    """Tell whether a column is a context component."""
    return name.startswith("RF_PC") and RF_PC.fullmatch(name) is not None


def pc_number(name: str) -> int:
    """Order RF_PC columns by their numbers: 2 for RF_PC2."""
    return int(name.removeprefix("RF_PC"))


def pc_columns(columns: Iterable[object]) -> list[str]:
    """Return the RF_PC columns, in the order of their numbers."""
    return sorted((name for name in map(str, columns) if is_pc(name)), key=pc_number)


def read_probes(path: Path, modality: str | None) -> list[str]:
    """Read the probes of a platform: the column with most probe names of a list, a CSV or Illumina's manifest.

    Columns are separated by commas, tabs, semicolons or blanks. Names without a suffix get that of `modality`, or beta.

    Raises HeteroAgeError: a file that cannot be read, or that names no probe.
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
