"""Tables written to files of every format, and read as the workflow reads them."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from input_tables import stored
from scipy.sparse import csr_matrix

from heteroage.inputs.cohorts import InputOptions, read_cohorts
from heteroage.inputs.store import Intake, TableEntry


def float32(frame):
    """Values of few digits, in the precision of the store."""
    return frame.round(3).astype({c: np.float32 for c in frame.columns if c.startswith("cg")})


def read(entries, sheets=(), **options):
    """The store of these files, by modality."""
    intake = Intake()
    entries = {m: [e if isinstance(e, TableEntry) else TableEntry(e) for e in es] for m, es in entries.items()}
    sheets = [TableEntry(sheet) for sheet in sheets]
    cohorts = read_cohorts(entries, sheets, InputOptions(**options), intake)
    return stored(cohorts, intake)


def write(frame, name):
    """Write a frame as its name's ending says."""
    path = Path(name)
    if path.suffix == ".parquet":
        frame.to_parquet(path, row_group_size=3)
    elif path.suffix == ".feather":
        frame.to_feather(path, chunksize=3)
    elif path.suffix == ".pkl":
        frame.to_pickle(path)
    elif path.suffix == ".h5ad":
        write_h5ad(frame, path)
    else:
        text = frame.to_csv(index=False, sep="\t" if ".tsv" in name else ",")
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def write_h5ad(frame, path, sparse=False):
    """Write a frame as AnnData: the first column names the rows, values are float32."""
    anndata = pytest.importorskip("anndata")
    label = frame.columns[0]
    values = frame[[c for c in frame.columns if frame[c].dtype == np.float32]]
    obs = frame[[c for c in frame.columns if c not in values.columns and c != label]]
    matrix = values.to_numpy()
    with pd.option_context("future.infer_string", False):  # anndata cannot write pandas' new text yet
        obs = pd.DataFrame({c: [str(v) for v in obs[c]] for c in obs}, index=pd.Index(list(frame[label]), name=label))
        var = pd.DataFrame(index=pd.Index(list(values.columns)))
        anndata.AnnData(csr_matrix(matrix) if sparse else matrix, obs=obs, var=var).write_h5ad(path)


def same(one, two):
    """Two stores hold the same samples and, to the bit, the same values."""
    pd.testing.assert_frame_equal(one.samples, two.samples)
    assert list(one.betas) == list(two.betas)
    for modality, frame in one.betas.items():
        pd.testing.assert_frame_equal(frame, two.betas[modality], check_exact=True)
