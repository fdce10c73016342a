"""Small series matrices as GEO writes them, and a local server that serves files as badly as a test asks for."""

from __future__ import annotations

import gzip
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np


def series_matrix(betas, characteristics, source="whole blood", series="GSE1234567", end=True):
    """A series matrix' bytes, of betas (CpGs x samples) and characteristics [[a text per sample], ...]."""
    samples = list(betas.columns)
    lines = [
        '!Series_title\t"A study of age"',
        f'!Series_geo_accession\t"{series}"',
        "",
        line("!Sample_title", [f"sample {k}" for k in range(len(samples))]),
        line("!Sample_geo_accession", samples),
        line("!Sample_source_name_ch1", [source] * len(samples)),
        *(line("!Sample_characteristics_ch1", row) for row in characteristics),
        "!series_matrix_table_begin",
        line('"ID_REF"', samples),
    ]
    for cpg, row in zip(betas.index, betas.to_numpy(object), strict=True):
        values = ["" if isinstance(v, float) and np.isnan(v) else str(v) for v in row]
        lines.append("\t".join([f'"{cpg}"', *values]))
    if end:
        lines.append("!series_matrix_table_end")
    return gzip.compress("\n".join([*lines, ""]).encode(), mtime=0)


def line(name, values):
    return "\t".join([name, *(f'"{value}"' for value in values)])


class Server:
    """What a local HTTP server has, how it misbehaves, and what it was asked for.

    files : {path: content}
    cuts : bytes to send of each answer before the connection breaks, in turn; None sends all
    codes : HTTP statuses to answer with in turn, before anything is served
    ranges : whether it knows Range
    said : what it says the length of a whole file is, where that is not so
    """

    def __init__(self):
        self.files, self.cuts, self.codes, self.requests = {}, [], [], []
        self.ranges, self.said, self.url = True, None, ""


@contextmanager
def serving():
    """Run a server on a free port."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            state.requests.append((self.path, self.headers.get("Range")))
            if state.codes:
                return self.send_error(state.codes.pop(0))
            if self.path not in state.files:
                return self.send_error(404)
            content, start = state.files[self.path], 0
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
            if asked and state.ranges:
                start = int(asked[1])
                if start >= len(content):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{state.said or len(content)}")
                    self.send_header("Content-Length", "0")
                    return self.end_headers()
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{state.said or len(content)}")
            else:
                self.send_response(200)
            body = content[start:]
            length = len(body) if start else state.said or len(body)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            cut = state.cuts.pop(0) if state.cuts else None
            self.wfile.write(body[:cut])
            self.close_connection = True
            return None

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
