"""The store's format: what is written is read back, by blocks and by names."""

import logging
import re

import numpy as np
import pytest

from heteroage import matrix as matrix_module
from heteroage.errors import HeteroAgeError
from heteroage.matrix import (
    Progress,
    StackedRows,
    create_matrix,
    feature_blocks,
    open_matrix,
    read_rows,
    release,
    values_of,
    write_names,
)

NAMES = [f"cg{k:08d}_beta" for k in range(7)]


@pytest.fixture
def store(tmp_path):
    """A store of 7 features x 5 samples, written in two parts."""
    paths = tmp_path / "features.npy", tmp_path / "feature_names.txt"
    written = create_matrix(paths[0], (7, 5))
    written[:3] = np.arange(15).reshape(3, 5)
    release(written)
    written[3:] = np.arange(15, 35).reshape(4, 5)
    written.flush()
    write_names(NAMES, paths[1])
    return paths


def test_what_is_written_is_read_back_mapped(store):
    matrix, names = open_matrix(*store)
    assert isinstance(matrix, np.memmap)
    assert matrix.dtype == np.float32
    assert names == NAMES
    np.testing.assert_array_equal(matrix, np.arange(35).reshape(7, 5))


@pytest.mark.parametrize("block", [1, 2, 4096])
def test_blocks_go_through_the_store_once(store, block, monkeypatch):
    monkeypatch.setattr(matrix_module, "FEATURES_PER_BLOCK", block)
    matrix, _ = open_matrix(*store)
    parts = list(feature_blocks(matrix, np.array([3, 0])))
    np.testing.assert_array_equal(np.concatenate([values for _, values in parts]), matrix[:, [3, 0]])
    np.testing.assert_array_equal(np.concatenate([np.arange(7)[rows] for rows, _ in parts]), np.arange(7))


def test_names_of_another_run_are_refused(store):
    write_names(["cg00000001_beta"], store[1])
    with pytest.raises(HeteroAgeError, match=re.escape(f"{store[0]} has 7 features and {store[1]} 1: they are from")):
        open_matrix(*store)


def test_values_of_some_features_and_samples(store):
    matrix, names = open_matrix(*store)
    values = values_of(matrix, names, [NAMES[6], NAMES[2]], np.array([4, 0, 2]))
    np.testing.assert_array_equal(values, matrix[[6, 2]][:, [4, 0, 2]].T)


@pytest.mark.parametrize(
    "rows", [slice(0, 4), slice(5, 9), slice(7, 9), slice(8, 20), np.array([8, 0, 7, 6]), np.array([], int)]
)
def test_rows_in_memory_stand_below_those_of_the_store(store, rows):
    matrix, _ = open_matrix(*store)
    below = np.full((2, 5), 0.5, np.float32)
    stacked = StackedRows(matrix, below)
    assert (len(stacked), stacked.shape) == (9, (9, 5))
    np.testing.assert_array_equal(stacked[rows], np.vstack([matrix, below])[rows])


def test_a_block_of_the_store_is_not_copied(store):
    matrix, _ = open_matrix(*store)
    assert np.shares_memory(StackedRows(matrix, np.empty((1, 5), np.float32))[2:6], matrix)


def test_rows_read_from_the_file_are_those_of_the_map(store):
    matrix, _ = open_matrix(*store)
    rows = np.array([6, 0, 3])
    for part in (matrix, matrix[:7], np.asarray(matrix)):
        np.testing.assert_array_equal(read_rows(part, rows), np.arange(35).reshape(7, 5)[rows])
    np.testing.assert_array_equal(read_rows(matrix[2:], np.array([4, 0])), matrix[[6, 2]])


def test_a_long_step_says_how_far_it_is(monkeypatch, caplog):
    now = [0.0]
    monkeypatch.setattr(matrix_module.time, "monotonic", lambda: now[0])
    caplog.set_level(logging.INFO)
    step = Progress("reading data/beta.csv", 400)
    for seconds in (1.0, 8.0, 9.0, 20.0):
        now[0] = seconds
        step.add(100)
    # After 8 s half is done, so that 8 s are left; the line at 9 s would come too soon.
    assert caplog.messages == [
        "reading data/beta.csv: 50% done, about 8 s left",
        "reading data/beta.csv: 100% done, about 0 s left",
    ]
