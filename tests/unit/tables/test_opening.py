"""Workbooks follow the rules of text; cells that would be read as empty are refused."""

import datetime
import re

import numpy as np
import pytest
from table_cases import study

from heteroage.errors import HeteroAgeError
from heteroage.tables.metadata import Conventions
from heteroage.tables.opening import open_source
from heteroage.tables.source import BadCells
from heteroage.tables.table import sheet_of


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


def test_an_empty_chart_sheet_is_named(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in [["sample_id", "Age"], ["a", 1], ["b", 2]]:
        book.active.append(row)
    chart = book.create_chartsheet()
    book.save(tmp_path / "t.xlsx")
    with pytest.raises(HeteroAgeError, match="the workbook has 1 chart sheet without a chart"):
        open_source(tmp_path / "t.xlsx", "the workbook")
    chart.add_chart(openpyxl.chart.BarChart())
    book.save(tmp_path / "t.xlsx")
    assert open_source(tmp_path / "t.xlsx", "the workbook").header == ["sample_id", "Age"]
