"""Download a series matrix from GEO."""

import logging
from pathlib import Path
from urllib.parse import urlsplit

from heteroage.inputs.geo import copy_gzip, download_gzip, matrix_url
from heteroage.workflow import script


@script
def main(base_url: str, series: str, matrix: str) -> None:
    """Write the series matrix, once it is whole."""
    url = matrix_url(base_url, series)
    if urlsplit(base_url).scheme in ("http", "https", "ftp"):
        logging.info("downloading %s", url)
        download_gzip(url, matrix)
    else:
        folder = base_url.removeprefix("file://")
        copy_gzip(folder, matrix_url("", series).lstrip("/"), matrix)
    logging.info("%d bytes", Path(matrix).stat().st_size)
