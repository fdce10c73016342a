"""Resumable download of large files. A file appears under its final name only when it is complete."""

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


def download_gzip(url: str, path: str | Path, attempts: int = ATTEMPTS, pause: float = PAUSE) -> None:
    """Download a gzip file to `path`, which appears only when the file is complete.

    Partial downloads are kept in `.<name>.part` in the same folder. After an interruption, and in a later run, only the
    rest is requested (HTTP Range). A file is complete if it has the length reported by the server and a correct gzip
    checksum.

    Raises
    ------
    HeteroAgeError
        The file does not exist on the server; `attempts` consecutive attempts give no bytes; the file is incomplete.
    """
    path = Path(path)
    check_writable(path)
    part = path.with_name(f".{path.name}.part")
    for fresh in (False, True):
        total = _fetch(url, part, attempts, pause)
        problem = _problem(part, total)
        if problem is None:
            part.replace(path)
            return
        # A partial download may be from another version of the file, so try once more from the start.
        log.warning("%s: %s", url, problem)
        part.unlink()
        if fresh:
            raise HeteroAgeError(
                f"{url} came twice and is not whole: {problem}. Try again later, or download it by hand and give its "
                "values as inputs.beta."
            )


def copy_gzip(folder: str | Path, place: str, path: str | Path) -> None:
    """Copy a file from a folder to `path`, compressed: from its place in the folder, or from the folder itself.

    Raises
    ------
    HeteroAgeError
        It is in neither.
    """
    name = place.rpartition("/")[2]
    tried = [Path(folder) / one for full in (place, name) for one in (full, full.removesuffix(".gz"))]
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
            total = _fetch_rest(url, part)
            if total is None or _length(part) >= total:
                return total
            reason: object = f"the connection was cut after {_length(part):,} of {total:,} bytes"
        except urllib.error.HTTPError as error:
            if error.code == 404:
                raise HeteroAgeError(
                    f"there is no {url} (HTTP 404). Check the accession; a series of several platforms has a file for "
                    "each, named like GSE41037-GPL8490."
                ) from error
            if error.code not in PASSING:
                raise HeteroAgeError(f"{url} cannot be had: HTTP {error.code} {error.reason}.") from error
            reason = error
        except CUT as error:
            reason = error
            if isinstance(error, urllib.error.URLError) and not _length(part):
                raise HeteroAgeError(
                    f"cannot connect to {urllib.parse.urlsplit(url).hostname} ({error.reason}). Check the network and "
                    "geo.base_url; without a network, give the file: inputs.geo: [{file: GSE..._series_matrix.txt.gz}]."
                ) from error
        failed = failed + 1 if _length(part) <= before else 1
        if failed >= attempts:
            raise HeteroAgeError(
                f"{url} cannot be had: {failed} attempts in a row brought nothing (last: {reason}). Run again to go on "
                f"from the {_length(part):,} bytes that are there; or check the network and geo.base_url."
            )
        log.info("%s: %s; attempt %d", url, reason, failed + 1)
        time.sleep(pause * 2 ** (failed - 1))


def _fetch_rest(url: str, part: Path) -> int | None:
    """Request the missing bytes once, append them, and return the total length if the server reports it."""
    have = _length(part)
    # Content encoding is disabled, because it would change the lengths.
    request = urllib.request.Request(url, headers={"Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing beyond what is here
            return _total_of(error.headers.get("Content-Range"))
        raise
    with response:
        goes_on = response.status == 206
        length = response.headers.get("Content-Length")
        total = int(length) if length else None
        if goes_on:
            total = _total_of(response.headers.get("Content-Range"))
        with part.open("ab" if goes_on else "wb") as stream:
            while chunk := response.read(CHUNK):
                stream.write(chunk)
    return total


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


def _total_of(content_range: str | None) -> int | None:
    """Return the total length from `bytes 5-9/10` or `bytes */10`."""
    length = (content_range or "").rpartition("/")[2]
    return int(length) if length.isdigit() else None


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
