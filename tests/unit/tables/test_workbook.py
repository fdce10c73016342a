"""Cells of Excel workbooks that would be read as empty are refused, and .h5ad files that hide values or metadata."""

import re

import numpy as np
import pandas as pd
import pytest
from table_cases import study

from heteroage.errors import HeteroAgeError
from heteroage.tables.opening import open_source


def expect(message, path):
    with pytest.raises(HeteroAgeError, match=re.escape(message)):
        open_source(path, path.name)


@pytest.fixture
def book(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    study().to_excel(tmp_path / "t.xlsx", index=False)

    def edited(change):
        found = openpyxl.load_workbook(tmp_path / "t.xlsx")
        change(found.active)
        found.save(tmp_path / "t.xlsx")
        return tmp_path / "t.xlsx"

    return edited


def test_formulas_that_were_never_computed(book):
    def formulas(sheet):
        sheet["E2"], sheet["G3"] = "=10+10", '="0.5"'

    expect("t.xlsx has formulas without values (2: E2, G3). Open and save it in Excel", book(formulas))


def test_cells_merged_over_several_rows(book):
    message = "t.xlsx has cells merged over several rows (1: C2:C9). Unmerge them and fill each cell."
    expect(message, book(lambda sheet: sheet.merge_cells("C2:C9")))


def test_cells_merged_within_a_row_are_no_loss(book):
    path = book(lambda sheet: sheet.merge_cells("K1:L1"))
    assert open_source(path, "t.xlsx").header[:2] == ["sample_id", "project_id"]


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
