"""Files in a folder of their own, read in blocks of any size."""

import pytest

from heteroage.inputs import columnar, delimited, frames, grid, scatter, store


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(params=[40, 1 << 24])
def block_bytes(request, monkeypatch):
    """Blocks of a few values, or of all of them."""
    for module in (grid, columnar, frames):
        monkeypatch.setattr(module, "BLOCK_BYTES", request.param)
    monkeypatch.setattr(columnar, "STRIP", 3)
    monkeypatch.setattr(columnar, "AT_ONCE", 2)
    monkeypatch.setattr(columnar, "STRIP_BYTES", request.param)
    monkeypatch.setattr(store, "PART", request.param)
    monkeypatch.setattr(scatter, "LARGE", request.param)
    monkeypatch.setattr(delimited, "CHUNK", request.param)


@pytest.fixture(params=[0, 1 << 20])
def small(request, monkeypatch):
    """Text is parsed by compiled code, or by plain Python."""
    monkeypatch.setattr(delimited, "SMALL", request.param)
