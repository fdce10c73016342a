"""AnnData files and frames: blocks of any size; what hides values or metadata is refused."""

import re

import numpy as np
import pandas as pd
import pytest
from input_files import write_h5ad
from table_cases import study

from heteroage.errors import HeteroAgeError
from heteroage.probes import is_probe
from heteroage.tables import formats
from heteroage.tables.metadata import Conventions
from heteroage.tables.opening import from_frame, open_source
from heteroage.tables.table import Table


@pytest.mark.parametrize("size", [8, 1 << 20])
@pytest.mark.parametrize("sparse", [False, True])
def test_cpgs_and_metadata_as_rows_of_an_anndata_file(tmp_path, monkeypatch, size, sparse):
    monkeypatch.setattr(formats, "READ_BYTES", size)
    frame = pd.DataFrame(
        {"s1": [0.25, 30, 0.75], "s2": [0.5, 40, 1]}, ["cg00000001", "Age", "cg00000002"], dtype=np.float32
    )
    write_h5ad(frame.reset_index(), tmp_path / "t.h5ad", sparse)
    table = Table(open_source(tmp_path / "t.h5ad", "the file"), is_probe, Conventions())
    assert (table.ids, table.columns) == (["s1", "s2"], {"Age": ("Age", ["30", "40"])})
    read = np.full((2, 2), np.nan)
    for block in table.blocks([0, 2]):
        read[np.ix_(block.features, block.samples)] = block.values
    np.testing.assert_array_equal(read, [[0.25, 0.5], [0.75, 1]])


def expect(message, path):
    with pytest.raises(HeteroAgeError, match=re.escape(message)):
        open_source(path, path.name)


@pytest.fixture
def anndata():
    with pd.option_context("future.infer_string", False):  # anndata cannot write pandas' new text yet
        yield pytest.importorskip("anndata")


def frame(names, **columns):
    return pd.DataFrame(columns, index=pd.Index(names, dtype=object))


def test_h5ad_without_x(anndata, tmp_path):
    obs, var, layers = frame(["a", "b"]), frame(["cg00000001"]), {"beta": np.full((2, 1), 0.5)}
    anndata.AnnData(obs=obs, var=var, layers=layers).write_h5ad(tmp_path / "t.h5ad")
    expect("t.h5ad has no matrix X (1: beta are layers). Set X to the betas.", tmp_path / "t.h5ad")


def test_h5ad_with_samples_as_var(anndata, tmp_path):
    samples = frame(["a", "b"], Age=[30, 40])
    anndata.AnnData(np.full((1, 2), 0.5), obs=frame(["cg00000001"]), var=samples).write_h5ad(tmp_path / "t.h5ad")
    expect("t.h5ad has samples as var (with 1: Age). Write it transposed: adata.T.", tmp_path / "t.h5ad")


def test_types_of_pandas_that_arrow_does_not_have_are_named():
    beta = from_frame(study().assign(cg00000001=1j), is_probe)
    with pytest.raises(HeteroAgeError, match=r"has text in place of numbers \(8: '1j' at sample s0, cg00000001"):
        list(beta.blocks([beta.names.index("cg00000001")]))
