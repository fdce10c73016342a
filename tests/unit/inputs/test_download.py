"""A download of a series is whole or is not there; what came before a cut is not asked for again."""

import gzip

import numpy as np
import pytest
from series_matrix import serving

from heteroage.errors import HeteroAgeError
from heteroage.inputs.geo import copy_gzip, download_gzip

CONTENT = gzip.compress(np.random.default_rng(0).bytes(60_000), mtime=0)
NAME = "/file.txt.gz"


@pytest.fixture
def server():
    with serving() as state:
        state.files[NAME] = CONTENT
        yield state


@pytest.fixture
def fetch(server, tmp_path):
    path = tmp_path / "file.txt.gz"

    def run():
        download_gzip(server.url + NAME, path, attempts=3, pause=0)
        return path.read_bytes()

    run.path, run.part = path, tmp_path / ".file.txt.gz.part"
    return run


def test_a_file_comes_whole(server, fetch):
    assert fetch() == CONTENT
    assert server.requests == [(NAME, None)]
    assert not fetch.part.exists()


def test_after_each_cut_the_rest_alone_is_asked_for(server, fetch):
    server.cuts = [10_000, 5_000, 20_000, 7, 100]
    assert fetch() == CONTENT
    assert [asked for _, asked in server.requests] == [
        None,
        "bytes=10000-",
        "bytes=15000-",
        "bytes=35000-",
        "bytes=35007-",
        "bytes=35107-",
    ]


def test_a_later_run_goes_on_from_what_an_earlier_one_left(server, fetch):
    server.cuts = [10_000, 0, 0]
    with pytest.raises(HeteroAgeError, match=r"3 consecutive attempts gave no data.*continue from the 10,000 bytes"):
        fetch()
    assert not fetch.path.exists()
    assert fetch() == CONTENT
    assert server.requests[-1] == (NAME, "bytes=10000-")


def test_a_server_that_does_not_know_ranges_starts_anew(server, fetch):
    server.cuts, server.ranges = [10_000], False
    assert fetch() == CONTENT
    assert len(server.requests) == 2


def test_what_is_whole_already_is_kept(server, fetch):
    fetch.part.write_bytes(CONTENT)
    assert fetch() == CONTENT
    assert server.requests == [(NAME, f"bytes={len(CONTENT)}-")]


@pytest.mark.parametrize("left", [b"another file" * 100, CONTENT + b"more"], ids=["other bytes", "too long"])
def test_what_does_not_fit_is_thrown_away(server, fetch, left):
    fetch.part.write_bytes(left)
    assert fetch() == CONTENT
    assert server.requests[-1] == (NAME, None)


def test_passing_failures_are_tried_again(server, fetch):
    server.codes = [503, 429]
    assert fetch() == CONTENT


def refused(fetch, text):
    with pytest.raises(HeteroAgeError, match=text):
        fetch()
    assert not fetch.path.exists()


def test_no_such_file(server, fetch):
    server.files.clear()
    refused(fetch, r"there is no http://127.*file.txt.gz \(HTTP 404\). Check the accession")
    assert len(server.requests) == 1


def test_a_refusal_is_not_tried_again(server, fetch):
    server.codes = [403]
    refused(fetch, "cannot be downloaded: HTTP 403")
    assert len(server.requests) == 1


def test_a_server_that_is_never_well(server, fetch):
    server.codes = [503] * 9
    refused(fetch, r"3 consecutive attempts gave no data \(last: HTTP Error 503")
    assert len(server.requests) == 3


def test_a_file_shorter_than_the_server_says(server, fetch):
    server.said = len(CONTENT) + 10
    refused(fetch, f"gave no data .last: the connection was cut after {len(CONTENT):,} of {len(CONTENT) + 10:,} bytes")


def test_a_file_longer_than_the_server_says(server, fetch):
    server.said = len(CONTENT) - 10
    refused(fetch, "was downloaded twice and is not complete: it is not a valid gzip file")


@pytest.mark.parametrize(
    "content",
    [CONTENT[:-3], CONTENT[:-8] + bytes(8), b"<html>busy</html>"],
    ids=["truncated", "wrong checksum", "no gzip"],
)
def test_an_unsound_gzip_file(server, fetch, content):
    server.files[NAME] = content
    refused(fetch, "was downloaded twice and is not complete: it is not a valid gzip file .*inputs.beta")
    assert not fetch.part.exists()


def test_a_folder_that_is_not_there(server, tmp_path):
    with pytest.raises(HeteroAgeError, match="there is no folder"):
        download_gzip(server.url + NAME, tmp_path / "nowhere" / "file.gz")
    assert server.requests == []


def test_a_host_that_cannot_be_reached_is_said_at_once(tmp_path):
    text = r"cannot connect to 127.0.0.1 .*refused.*give the file: inputs.geo"
    with pytest.raises(HeteroAgeError, match=text):
        download_gzip("http://127.0.0.1:9/file.txt.gz", tmp_path / "file.txt.gz", pause=60)


@pytest.mark.parametrize("name", ["a/b/file.txt.gz", "file.txt.gz", "a/b/file.txt", "file.txt"])
def test_a_folder_in_place_of_a_server(tmp_path, name):
    path = tmp_path / "mirror" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT if name.endswith(".gz") else gzip.decompress(CONTENT))
    copy_gzip(tmp_path / "mirror", "a/b/file.txt.gz", tmp_path / "copy.gz")
    assert gzip.decompress((tmp_path / "copy.gz").read_bytes()) == gzip.decompress(CONTENT)
    with pytest.raises(HeteroAgeError, match=r"geo.base_url is a folder without .*a/b/other.gz or .*other.gz"):
        copy_gzip(tmp_path / "mirror", "a/b/other.gz", tmp_path / "copy.gz")
