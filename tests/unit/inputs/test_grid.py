"""Fields are numbers or none, and rows that are wanted by columns come back as they went in."""

import threading

import numpy as np
import pytest

from heteroage.inputs import grid
from heteroage.inputs.grid import MISSING, Spool, ahead, as_number
from heteroage.labels import MISSING as MISSING_TO_READERS


@pytest.mark.parametrize("field", [*sorted(MISSING), " NA ", "\tnan"])
def test_the_usual_spellings_of_missing_are_missing(field):
    assert np.isnan(as_number(field))


def test_what_is_missing_in_a_table_to_train_on_is_missing_in_one_to_predict():
    assert MISSING <= MISSING_TO_READERS


@pytest.mark.parametrize(
    ("field", "number"), [("0.5", 0.5), (" -1e-3 ", -0.001), ("1", 1.0), (".5", 0.5), ("5.", 5.0), ("inf", np.inf)]
)
def test_numbers_are_read(field, number):
    assert as_number(field) == number


@pytest.mark.parametrize("field", ["0,5", "1_000", "n.d.", "0x1", "1 2", "--1", "true"])
def test_what_is_no_number_is_none(field):
    assert as_number(field) is None


@pytest.mark.parametrize("block_bytes", [1, 60, 1 << 24])
def test_a_spool_gives_back_its_rows_by_blocks_of_columns_of_any_size(tmp_path, monkeypatch, block_bytes):
    monkeypatch.setattr(grid, "BLOCK_BYTES", block_bytes)
    rows = np.random.default_rng(1).random((9, 7)).astype(np.float32)
    spool = Spool(tmp_path, 7)
    for part in (rows[:4], rows[4:4], np.asfortranarray(rows[4:])):
        spool.append(part)
    for _ in range(2):  # as often as one likes
        blocks = list(spool.blocks(by_columns=True))
        np.testing.assert_array_equal(np.hstack([values for _, _, values in blocks]), rows)
        assert [columns.start for _, columns, _ in blocks] == [0, *(columns.stop for _, columns, _ in blocks[:-1])]
        assert max(values.nbytes for _, _, values in blocks) <= max(block_bytes, 4 * 9)
        [(_, _, whole)] = spool.blocks(by_columns=False)
        np.testing.assert_array_equal(whole, rows)
    assert list(tmp_path.iterdir()) == []  # its file has no name


def test_a_spool_becomes_a_file_of_its_first_rows(tmp_path):
    rows = np.random.default_rng(1).random((9, 7)).astype(np.float32)
    spool, path = Spool(tmp_path, 7), tmp_path / "matrix.npy"
    spool.append(rows)
    spool.become(path)[0] = 1
    spool.end(6)
    np.testing.assert_array_equal(np.load(path), np.vstack([np.ones((1, 7), np.float32), rows[1:6]]))


def test_a_spool_that_can_have_no_name_stays_as_it_is(tmp_path, monkeypatch):
    spool = Spool(tmp_path, 2)
    spool.append(np.ones((3, 2), np.float32))
    monkeypatch.setattr(grid.os, "link", lambda *a, **k: (_ for _ in ()).throw(OSError(18, "another file system")))
    assert spool.become(tmp_path / "matrix.npy") is None
    assert list(tmp_path.iterdir()) == []
    assert next(spool.blocks(by_columns=False))[2].sum() == 6


def test_items_made_ahead_come_in_order_from_another_thread():
    makers = []

    def items():
        for k in range(50):
            makers.append(threading.get_ident())
            yield k

    assert list(ahead(items())) == list(range(50))
    assert threading.get_ident() not in makers
    assert list(ahead(iter([]))) == []


def test_an_error_in_what_is_made_ahead_comes_after_what_was_made_before():
    def items():
        yield 1
        raise ValueError("late")

    seen = []
    with pytest.raises(ValueError, match="late"):
        for item in ahead(items()):
            seen.append(item)
    assert seen == [1]
