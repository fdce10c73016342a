"""Names of CpGs: features, modalities and replicates; lists of probes; genes and chromosomes of probes.

A feature is named `<probe>_<modality>`. Newer arrays (EPICv2) measure some probes several times and append how:
`cg00000029_TC21` is strand T(op), C(onverted), design 2, replicate 1. Such replicates are averaged under the
plain name (Illumina, Infinium MethylationEPIC v2.0 manifest). Sequenced CpGs are positions, written in several ways:
`chr1:10469`, `chr1_10469`, `1:10469` and `chr1:10469-10470` are one name, `chr1_10469`. The modality, too, is
written in several ways: `cg00000029.AVG_Beta` is `cg00000029_beta`.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from heteroage.errors import HeteroAgeError, listed
from heteroage.files import PARQUET

if TYPE_CHECKING:  # the Snakefile reads headers without pandas
    import pandas as pd

PREAMBLE = 100  # number of lines of Illumina's manifest that may precede `[Assay]`
MOST_LINE = 2**20  # maximum bytes of a line in a list of probes
MODALITIES = ("beta", "chalm", "camda")

# Array probes (cg..., ch.<chromosome>.<position>) and sequenced CpGs (chr1_10469, chr1:10469, 1:10469).
_CHROMOSOME = r"(?:\d{1,2}|[XYMxym]|MT)"
PROBE = re.compile(rf"(?:cg\d+|ch\.(?:\d+|[XY])\.\d+[FR]?|[cC][hH][rR]{_CHROMOSOME}[:_.]\d+|{_CHROMOSOME}:\d{{4,}})")
_POSITION = re.compile(rf"(chr)?0?({_CHROMOSOME})([:_.-])(\d+)(?:[-_.](\d+))?", re.IGNORECASE)
REPLICATE = re.compile(r"_[TB][CO]\d{2,}$")
RF_PC = re.compile(r"RF_PC\d+")
_MODALITY = re.compile(rf"(.+)_({'|'.join(MODALITIES)})")
_OTHER_MODALITY = re.compile(rf"(.+?)[ ._:-]+(?:avg[ ._-]*)?({'|'.join(MODALITIES)})(?:[ ._-]*values?)?", re.IGNORECASE)
CAPITALS = re.compile(r"CG\d{8}(?:\D.*)?")  # may also be names of samples
_USUAL = re.compile(rf"({PROBE.pattern})(?:_({'|'.join(MODALITIES)}))?")  # no replicate

# Columns of an annotation: the first of these that it has, in any case.
ANNOTATION_COLUMNS = {
    "cpg": ("cpg", "name", "ilmnid", "probe", "probe_id", "probeid", "id"),
    "gene": ("ucsc_refgene_name", "gene", "genes", "symbol", "gene_symbol", "genesymbol", "gene_name"),
    "chromosome": ("chromosome", "chr", "chrom", "cpg_chrm", "chr_hg38", "seqnames", "mapinfo_chr"),
}


def split_modality(name: str) -> tuple[str, str | None]:
    """Split `cg00000029_beta` into ('cg00000029', 'beta'); a bare name has the modality None."""
    found = _MODALITY.fullmatch(name)
    return (found[1], found[2]) if found else (name, None)


def usual_modality(name: str) -> str:
    """Write the modality of a CpG in the usual way: cg00000029.AVG_Beta is cg00000029_beta; other names stay."""
    if not name[-1:].isalpha() or name.rpartition("_")[2] in MODALITIES:
        return name
    found = _OTHER_MODALITY.fullmatch(name)
    is_cpg = found and PROBE.fullmatch(_one_position(REPLICATE.sub("", found[1])))
    return f"{found[1]}_{found[2].lower()}" if is_cpg else name


def plain_name(name: str) -> str:
    """Return a CpG's standard name: cg00000029_beta for cg00000029_TC21_beta, chr1_10469 for chr1:10469."""
    found = split_probe(name)
    return "_".join(filter(None, found)) if found else name


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


def split_probe(name: str) -> tuple[str, str | None] | None:
    """Return a CpG's plain name and its modality (None for a bare name); None for other names."""
    usual = _USUAL.fullmatch(name) if name[:2] == "cg" else None  # spares three searches in each of a million names
    if usual:
        return usual.groups()
    probe, modality = split_modality(usual_modality(name))
    plain = _one_position(REPLICATE.sub("", probe))
    return (plain, modality) if PROBE.fullmatch(plain) else None


def feature_name(name: str, modality: str) -> str | None:
    """Return the feature name of a column that is a bare probe name or has the suffix of `modality`; otherwise None."""
    found = split_probe(name)
    return f"{found[0]}_{modality}" if found and found[1] in (None, modality) else None


def is_probe(name: str) -> bool:
    """Tell whether a name is that of a CpG, whatever its modality and replicate."""
    return split_probe(name) is not None


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
    """Read the probes of a platform from a list, a CSV or Illumina's manifest: the column with the most probe names.

    Columns are separated by commas, tabs, semicolons or blanks. Names without a suffix get that of `modality`, or beta.

    Raises HeteroAgeError: a file that cannot be read, or contains no probe names.
    """
    found: dict[int, list[str]] = {}
    try:
        opened = gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # noqa: SIM115
        with opened as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
            while line := text.readline(MOST_LINE):
                for k, cell in enumerate(_cells(line.strip())):
                    if probe := split_probe(cell.strip()):
                        found.setdefault(k, []).append(f"{probe[0]}_{probe[1] or modality or 'beta'}")
    except (OSError, EOFError, UnicodeError, csv.Error, zlib.error) as error:
        raise HeteroAgeError(
            f"cannot read {path}: {error}. Give a text file with one probe per line, or a CSV."
        ) from error
    if not found:
        raise HeteroAgeError(
            f"{path} contains no probe names. Give a text file with one probe per line, or a CSV with a column of "
            "probes."
        )
    return max((found[k] for k in sorted(found)), key=len)


def _cells(line: str) -> list[str]:
    """Split a line; blanks separate where nothing else does."""
    cells = next(csv.reader([line.replace("\t", ",").replace(";", ",")]), [""])
    return cells if len(cells) > 1 else next(csv.reader([" ".join(line.split())], delimiter=" "), [""])


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
        columns = _header(path)
        found = {ours: _named(columns, ours) for ours in ("cpg", needed)}
        for ours, named in found.items():
            if not named:
                raise HeteroAgeError(
                    f"the annotation {path} has no column of {ours}s (it has {listed(columns)}). Rename a column to "
                    f"{ours}, or use Illumina's original manifest."
                )
        names = [named[0] for named in found.values()]
        if path.suffix in PARQUET:
            table = pd.read_parquet(path, columns=names)[names]
        else:
            places = [columns.index(name) for name in names]
            table = pd.DataFrame(
                [[row[k] for k in places] for row in _manifest_rows(path) if len(row) > max(places)][1:]
            )
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
        return bool(_named(_header(Path(path)), what))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError, EOFError, csv.Error) as error:
        raise HeteroAgeError(f"cannot read the annotation {path}: {error}. Check the file.") from error


def _header(path: Path) -> list[str]:
    if path.suffix in PARQUET:
        import pyarrow.parquet as pq

        return pq.read_schema(path).names
    header = next(_manifest_rows(path), [])
    if not header:
        raise ValueError("it is empty")
    return header


def _manifest_rows(path: Path) -> Iterator[list[str]]:
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
    return [column for name in ANNOTATION_COLUMNS[ours] for column in columns if column.strip().lower() == name]
