"""A frame that comes whole gives the values that its file means, or a message."""

import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bad_tables import study
from input_files import float32, read, same, write_h5ad
from input_tables import merged

from heteroage.errors import HeteroAgeError
from heteroage.inputs import frames
from heteroage.inputs.frames import AnnDataReader, FrameReader
from heteroage.inputs.grid import UnreadableCells
from heteroage.inputs.tables import open_reader

pytestmark = pytest.mark.filterwarnings("ignore:The 'future.infer_string' option")


def test_a_sparse_matrix_is_read_as_the_zeros_that_it_means(folder):
    frame = float32(study())
    frame[["cg00000001", "cg00000002"]] = np.float32(0)
    write_h5ad(frame, Path("t.h5ad"), sparse=True)
    same(read({"beta": ["t.h5ad"]}), merged({"beta": frame}))


def test_a_pickle_that_is_no_frame_and_one_that_is_none(folder):
    pd.to_pickle({"a": 1}, "t.pkl")
    with pytest.raises(HeteroAgeError, match="holds a dict, not a pandas DataFrame"):
        open_reader(Path("t.pkl"), allow_pickle=True)
    Path("t.pkl").write_bytes(b"nonsense")
    with pytest.raises(HeteroAgeError, match="cannot unpickle"):
        open_reader(Path("t.pkl"), allow_pickle=True)


def test_an_h5ad_cut_in_half(folder):
    write_h5ad(float32(study()), Path("t.h5ad"))
    whole = Path("t.h5ad").read_bytes()
    Path("t.h5ad").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(HeteroAgeError, match=r"cannot read t\.h5ad"):
        open_reader(Path("t.h5ad"))


@pytest.mark.parametrize("block_size", [1, 40, 1 << 24])
def test_a_frames_values_are_the_same_of_any_kind_of_column_and_block_size(monkeypatch, block_size):
    monkeypatch.setattr(frames, "BLOCK_BYTES", block_size)
    numbers = pd.DataFrame({f"cg{k}": [0.25 * k, np.nan, 1.0] for k in range(5)})
    mixed = numbers.astype({"cg0": "Float64", "cg1": object, "cg2": "float32", "cg3": str})
    mixed["cg1"] = [" 0.25 ", None, 1]
    for frame in (numbers, mixed):
        grid = FrameReader(frame, "pickle").load([], [4, 1, 3, 0, 2], True, Path())
        blocks = list(grid.blocks())
        np.testing.assert_array_equal(np.hstack([block for _, _, block in blocks]), numbers.iloc[:, [4, 1, 3, 0, 2]])
        assert [columns.start for _, columns, _ in blocks] == [0, *(columns.stop for _, columns, _ in blocks[:-1])]


def test_text_in_a_frame_is_counted_and_the_first_cells_named(monkeypatch):
    monkeypatch.setattr(frames, "BLOCK_BYTES", 1)
    frame = pd.DataFrame({f"cg{k}": ["0.5", "n.d.", None, "1_0"] for k in range(4)})
    with pytest.raises(UnreadableCells) as caught:
        list(FrameReader(frame, "pickle").load([], [0, 1, 2, 3], True, Path()).blocks())
    assert caught.value.total == 8
    cells = [(row, column, text) for column in range(4) for row, text in ((1, "n.d."), (3, "1_0"))]
    assert [(cell.row, cell.column, cell.text) for cell in caught.value.cells] == cells[:5]


@pytest.mark.parametrize(
    ("index", "header"),
    [
        (pd.RangeIndex(2), ["cg1"]),
        (pd.Index([4, 7]), ["cg1"]),
        (pd.Index([4, 7], name="sample_id"), ["sample_id", "cg1"]),
        (pd.Index(["a", "b"]), ["", "cg1"]),
        (pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["sample_id", None]), ["sample_id", "", "cg1"]),
    ],
)
def test_an_index_that_says_something_is_a_column(index, header):
    assert FrameReader(pd.DataFrame({"cg1": [0.1, 0.2]}, index=index), "pickle").header == header


def test_a_pickle_is_not_opened_unless_that_is_allowed(tmp_path):
    path = tmp_path / "t.pkl"
    path.write_bytes(b"cos\nabort\n(tR.")  # would end the process
    text = f"{path} is a pickle, and loading one runs whatever code is in it. If you trust where it comes from, set "
    with pytest.raises(HeteroAgeError, match=f"^{re.escape(text)}inputs.allow_pickle: true; better, save the table as"):
        open_reader(path)


def test_without_anndata_its_installation_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "anndata", None)
    text = f"cannot read {tmp_path / 't.h5ad'}: the package anndata is not installed. Install it with pip install "
    with pytest.raises(HeteroAgeError, match=re.escape(text)):
        AnnDataReader(tmp_path / "t.h5ad")
