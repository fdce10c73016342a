"""Names of CpGs: which columns are features, of which modality, and which are replicates of one probe.

A feature is named `<probe>_<modality>`. Newer arrays (EPICv2) measure some probes several times and append how:
`cg00000029_TC21` is strand T(op), C(onverted), design 2, replicate 1. Such replicates are averaged under the
plain name (Illumina, Infinium MethylationEPIC v2.0 manifest). Sequenced CpGs are positions, written in several ways:
`chr1:10469`, `chr1_10469`, `1:10469` and `chr1:10469-10470` are one name, `chr1_10469`.
"""

from __future__ import annotations

import re

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
    return RF_PC.fullmatch(name) is not None


def pc_number(name: str) -> int:
    """Order RF_PC columns by their numbers: 2 for RF_PC2."""
    return int(name.removeprefix("RF_PC"))
