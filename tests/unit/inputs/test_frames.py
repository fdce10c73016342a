"""A frame that comes whole gives the values that its file means, or a message."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bad_tables import study
from input_files import float32, read, same, write_h5ad
from input_tables import merged

from heteroage.errors import HeteroAgeError
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
