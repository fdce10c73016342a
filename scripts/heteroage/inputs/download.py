"""Resumable download of series matrices from GEO. A file appears under its final name only when it is complete."""

from __future__ import annotations

import gzip
import http.client
import logging
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from pathlib import Path

from heteroage.errors import HeteroAgeError
from heteroage.files import atomic_path, check_writable

log = logging.getLogger(__name__)

CHUNK = 1 << 20
ATTEMPTS = 6  # maximum number of consecutive attempts without any new bytes
PAUSE = 2.0  # seconds before the second attempt; doubled before each further one
TIMEOUT = 30.0  # seconds without new bytes
PASSING = {408, 425, 429, 500, 502, 503, 504}  # temporary HTTP errors, which are retried
CUT = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)


def matrix_url(base_url: str, series: str) -> str:
    """Return the URL of the series matrix of `GSE40279`, or of one platform, `GSE41037-GPL8490`."""
    accession = series.partition("-")[0]
    folder = f"{accession[:-3] if len(accession) > 6 else 'GSE'}nnn"
    return f"{base_url.rstrip('/')}/{folder}/{accession}/matrix/{series}_series_matrix.txt.gz"


def download_gzip(url: str, path: str | Path, attempts: int = ATTEMPTS, pause: float = PAUSE) -> None:
    """Download a gzip file to `path`, which appears only when the file is complete.

    Partial downloads are kept in `.<name>.part` in the same folder. After an interruption, and in a later run, only the
    rest is requested (HTTP Range). A file is complete if it has the length reported by the server and a correct gzip
    checksum.

    Raises HeteroAgeError: the file does not exist on the server; `attempts` consecutive attempts give no bytes; the
    file is incomplete.
    """
    path = Path(path)
    check_writable(path)
    part = path.with_name(f".{path.name}.part")
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
                shutil.copyfileobj(plain, packed, CHUNK)


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
        have = _length(part)
        failed = failed + 1 if have <= before else 1
        if failed >= attempts:
            raise HeteroAgeError(
                f"{url} cannot be downloaded: {failed} consecutive attempts gave no data (last: {reason}). Run again "
                f"to continue from the {have:,} bytes already received, or check the network and geo.base_url."
            )
        log.info("%s: %s; attempt %d", url, reason, failed + 1)
        time.sleep(pause * 2 ** (failed - 1))


def _fetch_rest(url: str, part: Path, have: int) -> int | None:
    """Request the missing bytes once, append them, and return the total length if the server reports it."""
    # Content encoding is disabled, because it would change the lengths.
    request = urllib.request.Request(url, headers={"Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            headers, partial = response.headers, response.status == 206
            with part.open("ab" if partial else "wb") as stream:
                shutil.copyfileobj(response, stream, CHUNK)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:
            raise
        headers, partial = error.headers, True  # the server has no further bytes
    # `bytes 5-9/10`, `bytes */10` or `10`
    length = (headers.get("Content-Range" if partial else "Content-Length") or "").rpartition("/")[2]
    return int(length) if length.isdigit() else None


def _problem(part: Path, total: int | None) -> str | None:
    """Return the problem of a download, or None."""
    if total is not None and _length(part) != total:
        return f"{_length(part):,} bytes came, the server says {total:,}"
    try:
        with gzip.open(part) as stream:
            while stream.read(CHUNK):
                pass
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        return f"it is not a valid gzip file ({error})"
    return None


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
