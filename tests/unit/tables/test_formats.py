"""Workbooks, frames and AnnData files: the same rules as for text, and blocks of any size."""

import datetime

import numpy as np
import pandas as pd
import pytest
from input_files import write_h5ad

from heteroage.errors import HeteroAgeError
from heteroage.probes import is_probe
from heteroage.tables import formats
from heteroage.tables.metadata import Conventions
from heteroage.tables.opening import open_source
from heteroage.tables.source import BadCells
from heteroage.tables.table import Table, sheet_of


def workbook(path, *sheets):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet(f"sheet {number}")
        for row in rows:
            sheet.append(row)
    book.save(path)
    return open_source(path, "the workbook")


def test_cells_of_a_workbook_are_those_that_it_shows(tmp_path):
    rows = [
        ["id", "Tissue", "When", "Male", "cg00000001"],
        [203952880001, "Blood, whole", datetime.date(2020, 1, 2), True, 0.1],
        [],
        ["a\n1", None, None, False, "0.25"],
    ]
    source = workbook(tmp_path / "t.xlsx", [], rows, [["one row"]])
    assert source.kind == "xlsx"
    assert source.texts(range(4)) == [
        ["203952880001", "a\n1"],
        ["Blood, whole", None],
        ["2020-01-02 00:00:00", None],
        ["True", "False"],
    ]
    assert source.notes == {"blank_rows": 1}
    (batch,) = source.batches([], [4])
    np.testing.assert_array_equal(batch.numbers([4], BadCells()), [[0.1], [0.25]])


def test_a_sample_sheet_of_illumina_in_a_workbook(tmp_path):
    rows = [
        ["[Header]"],
        ["Date", "1/2/2020"],
        ["[Data]"],
        ["Sentrix_ID", "Sentrix_Position", "Age"],
        [20, "R01C01", 7],
    ]
    sheet = sheet_of(workbook(tmp_path / "t.xlsx", rows), {"20_R01C01"}, Conventions())
    assert (sheet.ids, sheet.columns) == (["20_R01C01"], {"Age": ("Age", ["7"])})


def test_a_workbook_with_a_title_or_two_tables_is_refused(tmp_path):
    table = [["id", "Age", "Sex"], ["a", 1, "F"], ["b", 2, "M"]]
    with pytest.raises(HeteroAgeError, match=r"line 1 of the workbook \('Table S1'\) is a title"):
        workbook(tmp_path / "t.xlsx", [["Table S1"], *table])
    with pytest.raises(HeteroAgeError, match="several sheets with tables"):
        workbook(tmp_path / "t.xlsx", table, table)


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
