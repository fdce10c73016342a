"""Series of the Gene Expression Omnibus (GEO): resumable download, and metadata from the samples' characteristics.

GEOparse reads SOFT files, completely into memory, and cannot read series matrices. A series of a thousand 450K arrays
has 2 GB compressed. So this module reads the header lines itself; `conversion.py` converts the values.
"""

from __future__ import annotations

import csv
import gzip
import http.client
import logging
import re
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from heteroage.errors import HeteroAgeError, listed
from heteroage.files import atomic_path, check_writable, opened
from heteroage.inputs.conversion import header_lines
from heteroage.labels import is_missing
from heteroage.tables.ages import PRENATAL_AGE, PROBLEMS, is_age, is_prenatal, read_ages
from heteroage.tables.metadata import words_of

log = logging.getLogger(__name__)

METADATA = ("Age", "Sex", "Tissue", "Is_Healthy", "donor_id")
BYTES_PER_READ = 1 << 20
TIMEOUT = 30.0  # seconds without new bytes
PASSING = {408, 425, 429, 500, 502, 503, 504}  # temporary HTTP errors, which are retried
CUT = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)


def matrix_url(base_url: str, series: str) -> str:
    """Return the URL of the series matrix of `GSE40279`, or of one platform, `GSE41037-GPL8490`."""
    accession = series.partition("-")[0]
    folder = f"{accession[:-3] if len(accession) > 6 else 'GSE'}nnn"
    return f"{base_url.rstrip('/')}/{folder}/{accession}/matrix/{series}_series_matrix.txt.gz"


def download_gzip(url: str, path: str | Path, attempts: int = 6, pause: float = 2.0) -> None:
    """Download a gzip file to `path`, which appears only when the file is complete.

    Partial downloads are kept in `.<name>.part` in the same folder. After an interruption, and in a later run, only the
    rest is requested (HTTP Range). A file is complete if it has the length reported by the server and a correct gzip
    checksum.

    pause : seconds before the second attempt; doubled before each further one
    Raises HeteroAgeError: no such file on the server; `attempts` consecutive attempts without bytes; an unsound file.
    """
    check_writable(path)
    part = Path(path).with_name(f".{Path(path).name}.part")
    for _ in range(2):  # a partial download may be from another version of the file: once more from the start
        problem = _problem(part, _fetch(url, part, attempts, pause))
        if problem is None:
            part.replace(path)
            return
        log.warning("%s: %s", url, problem)
        part.unlink()
    raise HeteroAgeError(
        f"{url} was downloaded twice and is not complete: {problem}. Try again later, or download it by hand and give "
        "its values as inputs.beta."
    )


def copy_gzip(folder: str | Path, place: str, path: str | Path) -> None:
    """Copy a file from a folder to `path`, compressed: from its place in the folder, or from the folder itself.

    Raises HeteroAgeError: it is in neither.
    """
    tried = [Path(folder) / one for full in (place, Path(place).name) for one in (full, full.removesuffix(".gz"))]
    found = next((one for one in tried if one.is_file()), None)
    if found is None:
        raise HeteroAgeError(f"geo.base_url is a folder without {tried[0]} or {tried[2]}. Check the path.")
    with atomic_path(path) as beside:
        if found.suffix == ".gz":
            shutil.copyfile(found, beside)
        else:
            with found.open("rb") as plain, gzip.GzipFile(beside, "wb", mtime=0) as packed:
                shutil.copyfileobj(plain, packed, BYTES_PER_READ)


def _fetch(url: str, part: Path, attempts: int, pause: float) -> int | None:
    """Download `part` to the length reported by the server, and return it; None if the server reports none."""
    failed = 0
    while True:
        before = _length(part)
        try:
            total = _fetch_rest(url, part, before)
            if total is None or _length(part) >= total:
                return total
            reason: object = f"the connection was cut after {_length(part):,} of {total:,} bytes"
        except urllib.error.HTTPError as error:
            reason = error
            if error.code == 404:
                raise HeteroAgeError(
                    f"there is no {url} (HTTP 404). Check the accession; a series of several platforms has a file for "
                    "each, named like GSE41037-GPL8490."
                ) from error
            if error.code not in PASSING:
                raise HeteroAgeError(
                    f"{url} cannot be downloaded: HTTP {error.code} {error.reason}. Check geo.base_url, or download "
                    "the file by hand."
                ) from error
        except CUT as error:
            reason = error
            if isinstance(error, urllib.error.URLError) and not before:
                raise HeteroAgeError(
                    f"cannot connect to {urllib.parse.urlsplit(url).hostname} ({error.reason}). Check the network and "
                    "geo.base_url; without a network, give the file: inputs.geo: [{file: GSE..._series_matrix.txt.gz}]."
                ) from error
        failed = failed + 1 if _length(part) <= before else 1
        if failed >= attempts:
            raise HeteroAgeError(
                f"{url} cannot be downloaded: {failed} consecutive attempts gave no data (last: {reason}). Run again "
                f"to continue from the {_length(part):,} bytes already received, or check the network and geo.base_url."
            )
        log.info("%s: %s; attempt %d", url, reason, failed + 1)
        time.sleep(pause * 2 ** (failed - 1))


def _fetch_rest(url: str, part: Path, have: int) -> int | None:
    """Request the missing bytes once, append them, and return the total length if the server reports it."""
    # Content encoding is disabled, because it would change the lengths.
    asked = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=asked), timeout=TIMEOUT) as response:
            headers, partial = response.headers, response.status == 206
            with part.open("ab" if partial else "wb") as stream:
                shutil.copyfileobj(response, stream, BYTES_PER_READ)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        headers, partial = error.headers, True  # the server has no further bytes
    # `bytes 5-9/10`, `bytes */10` or `10`
    length = (headers.get("Content-Range" if partial else "Content-Length") or "").rpartition("/")[2]
    return int(length) if length.isdigit() else None


def _problem(part: Path, total: int | None) -> str | None:
    if total is not None and _length(part) != total:
        return f"{_length(part):,} bytes came, the server says {total:,}"
    try:
        with gzip.open(part) as stream:
            while stream.read(BYTES_PER_READ):
                pass
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        return f"it is not a valid gzip file ({error})"
    return None


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def read_samples(path: str | Path) -> dict[str, list[str]]:
    """Read the sample lines of a series matrix. Quoted values may contain line breaks.

    Returns {name of the line without `!Sample_`: one value per sample}; repeated names are numbered:
    `characteristics_ch1 2`.
    Raises HeteroAgeError: not a series matrix; the number of values in a line differs from the number of samples.
    """
    lines: dict[str, list[str]] = {}
    with opened(Path(path), str(path)) as stream:
        for line in re.split(r"\n(?=!)", "\n".join(header_lines(stream, path))):
            if line.startswith("!Sample_") and line != "!Sample_":
                first = line.partition("\n")[0]
                line = first if first.count('"') % 2 == 0 else line.replace("\n", " ")
                name, *values = next(csv.reader([line.removeprefix("!Sample_")], delimiter="\t", strict=False))
                count = sum(other == name or other.startswith(f"{name} ") for other in lines)
                lines[f"{name} {count + 1}" if count else name] = [" ".join(value.split()) for value in values]
    if not lines.get("geo_accession"):
        raise HeteroAgeError(f"{path} is not a series matrix: it has no line !Sample_geo_accession. Check the file.")
    n = len(lines["geo_accession"])
    used = ("characteristics_ch1", "source_name_ch1")
    odd = {name: len(values) for name, values in lines.items() if name.startswith(used) and len(values) != n}
    if shown := [f"!Sample_{name.split(' ')[0]} has {count}" for name, count in odd.items()]:
        raise HeteroAgeError(
            f"{path} has {n} samples, but some lines have a different number of values ({listed(shown)}). They cannot "
            "be assigned to samples. Download the file again, or correct these lines."
        )
    return lines


@dataclass(frozen=True)
class Mapped:
    """Options for the conversion of a series' characteristics to metadata.

    characteristics : {our column: names of characteristics}; the first that a sample has is used
    healthy : values of the Is_Healthy characteristic that mean true; all others mean false
    given : {our column: one value for all samples}, for columns that the series does not contain
    age_unit : unit of ages without a unit; takes precedence over the unit in the characteristic's name
    missing_values, allow_prenatal : as in the config's `inputs`
    """

    characteristics: Mapping[str, Sequence[str]]
    healthy: Sequence[str]
    given: Mapping[str, object] = field(default_factory=dict)
    age_unit: str | None = None
    missing_values: Sequence[str] = ()
    allow_prenatal: bool = False


def map_samples(lines: Mapping[str, Sequence[str]], series: str, how: Mapped) -> pd.DataFrame:
    """Convert characteristics (`age: 67`, `gender: F`) to a sample sheet.

    If no characteristic gives the tissue, Tissue is the sample's source name. Ages in other units (`3 months`, or in a
    characteristic `age_months`) are converted to years. Codes for missing values become empty.

    Returns a frame of `sample_id`, `project_id` (the series, without the platform), and the known METADATA columns.
    Raises HeteroAgeError: Age or Is_Healthy has neither a characteristic nor a value in the config; most ages cannot be
    read; ages are gestational and inputs.allow_prenatal is false.
    """
    ids = lines["geo_accession"]
    cells: list[dict[str, tuple[str, str]]] = [{} for _ in ids]
    for values in [values for name, values in lines.items() if name.split(" ")[0] == "characteristics_ch1"]:
        for cell, value in zip(cells, values, strict=True):
            label, colon, text = value.partition(":")
            if colon:
                cell.setdefault(_key(label), (label.strip(), text.strip()))
    sheet = pd.DataFrame({"sample_id": ids, "project_id": series.partition("-")[0]})
    for ours in METADATA:
        wanted = how.characteristics.get(ours, ())
        found = [_first(cell, ours, wanted) for cell in cells]
        if ours in how.given:
            sheet[ours] = how.given[ours]
        elif any(label for label, _ in found):
            sheet[ours] = _ages(found, ids, series, how) if ours == "Age" else _words(found, ours, how)
        elif ours == "Tissue":
            sheet[ours] = list(lines.get("source_name_ch1", [""] * len(ids)))
        elif ours in ("Age", "Is_Healthy"):
            known = dict.fromkeys(label for cell in cells for label, _ in cell.values())
            raise HeteroAgeError(
                f"{series} has no characteristic for {ours} (it has {listed(known)}; looked for {listed(wanted)}). Add "
                f"its name to geo.characteristics.{ours}, or one value for all samples to geo.series.{series}.{ours}."
            )
    return sheet


def _first(cell: Mapping[str, tuple[str, str]], ours: str, wanted: Sequence[str]) -> tuple[str, str]:
    """Return a sample's characteristic (label, text): the first of the wanted names; for Age also names with a unit."""
    found = [cell[_key(name)] for name in wanted if _key(name) in cell]
    if ours == "Age" and any(map(is_age, wanted)):
        found += [own for own in cell.values() if is_age(own[0])]
    return found[0] if found else ("", "")


def _words(found: Sequence[tuple[str, str]], ours: str, how: Mapped) -> list[object]:
    texts = ["" if is_missing(text, how.missing_values) else text for _, text in found]
    if ours != "Is_Healthy":
        return texts
    means_true = {_key(word) for value in how.healthy for word in words_of(value)}
    # The config's words take precedence over codes for missing values, because a disease may be `none`.
    return [
        True if label and _key(raw) in means_true else None if not text else False
        for (label, raw), text in zip(found, texts, strict=True)
    ]


def _ages(found: Sequence[tuple[str, str]], ids: Sequence[str], series: str, how: Mapped) -> list[object]:
    """Convert ages to years. A small number of unreadable ages is set to missing and listed in the log."""
    ages: list[object] = [None] * len(ids)
    problems: dict[str, list[str]] = {problem: [] for problem in PROBLEMS}
    labels = list(dict.fromkeys(label for label, _ in found if label))
    for label in labels:
        rows = [k for k, (own, _) in enumerate(found) if own == label]
        unit = None if is_prenatal(label) else how.age_unit
        read = read_ages([found[k][1] for k in rows], label, unit, how.allow_prenatal, how.missing_values)
        for k, (age, problem) in zip(rows, read, strict=True):
            ages[k] = age
            if problem:
                problems[problem].append(f"{found[k][1]!r} of {ids[k]}")
    most, prenatal = sum(not is_missing(text, how.missing_values) for _, text in found) / 2, problems[PRENATAL_AGE]
    if (any(map(is_prenatal, labels)) and prenatal) or len(prenatal) > most:
        raise HeteroAgeError(
            f"{series} has ages before birth in {listed(labels)} ({listed(prenatal)}). Set "
            "inputs.allow_prenatal: true to read them as negative ages, or name another characteristic in "
            "geo.characteristics.Age."
        )
    strange = [shown for own in problems.values() for shown in own]
    if len(strange) > most:
        raise HeteroAgeError(
            f"{series} has ages that cannot be read in {listed(labels)} ({listed(strange)}). Name another "
            f"characteristic in geo.characteristics.Age, or the unit in geo.series.{series}.age_unit."
        )
    if strange:
        log.warning("%s: ages that cannot be used are left empty (%s)", series, listed(strange))
    return ages


def _key(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+|[^\w\s]", text.casefold())).strip(". ")
