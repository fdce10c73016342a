"""Files in a folder of their own, read in blocks of any size."""

import pytest

from heteroage.inputs import store
from heteroage.tables import formats, text


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(params=[40, 1 << 24])
def block_bytes(request, monkeypatch):
    """Blocks of a few values, or of all of them."""
    monkeypatch.setattr(formats, "READ_BYTES", request.param)
    monkeypatch.setattr(store, "STRIP_BYTES", request.param)
    monkeypatch.setattr(store, "VALUES_PER_PART", request.param)
    monkeypatch.setattr(text, "BYTES_PER_BLOCK", request.param)
