"""Names of CpGs: which columns are features, of which modality, and which are replicates of one probe.

A feature is named `<probe>_<modality>`. Newer arrays (EPICv2) measure some probes several times and append how:
`cg00000029_TC21` is strand T(op), C(onverted), design 2, replicate 1. Such replicates are averaged under the
plain name (Illumina, Infinium MethylationEPIC v2.0 manifest).
"""

from __future__ import annotations

import re

MODALITIES = ("beta", "chalm", "camda")

# Array probes (cg..., ch.<chromosome>.<position>) and sequenced CpGs (chr1_10469, chr1:10469).
PROBE = re.compile(r"(?:cg\d+|ch\.(?:\d+|[XY])\.\d+[FR]?|chr(?:\d+|[XYM])[:_.]\d+)")
REPLICATE = re.compile(r"_[TB][CO]\d{2,}$")
RF_PC = re.compile(r"RF_PC\d+")
_MODALITY = re.compile(rf"(.+)_({'|'.join(MODALITIES)})")
_USUAL = re.compile(rf"({PROBE.pattern})(?:_({'|'.join(MODALITIES)}))?")  # no replicate


def split_modality(name: str) -> tuple[str, str | None]:
    """Split `cg00000029_beta` into ('cg00000029', 'beta'); a bare name has the modality None."""
    found = _MODALITY.fullmatch(name)
    return (found[1], found[2]) if found else (name, None)


def plain_name(name: str) -> str:
    """Take off an EPICv2 replicate's suffix, not the modality's: cg00000029_TC21_beta -> cg00000029_beta."""
    probe, modality = split_modality(name)
    plain = REPLICATE.sub("", probe)
    if plain == probe or not PROBE.fullmatch(plain):
        return name
    return plain if modality is None else f"{plain}_{modality}"


def feature_name(name: str, modality: str) -> str | None:
    """Name the feature of `modality` that a column is, or None: a bare probe is one, and one with that suffix."""
    usual = _USUAL.fullmatch(name)  # spares three searches in each of a million names
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
