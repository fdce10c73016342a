"""Parquet and Feather give the same values by any groups of columns and batches of rows."""

import re
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from bad_tables import study
from hypothesis import given
from hypothesis import strategies as st
from input_files import float32, read, same, write
from input_tables import merged

from heteroage.errors import HeteroAgeError
from heteroage.inputs import columnar
from heteroage.inputs.columnar import FOOTER, FeatherReader, ParquetReader
from heteroage.inputs.grid import UnreadableCells, as_number


def test_an_index_is_a_column(folder):
    frame = float32(study())
    frame.set_index("sample_id").to_parquet("named.parquet")
    frame.set_index("sample_id").rename_axis(None).to_parquet("unnamed.parquet")
    same(read({"beta": ["named.parquet"]}), merged({"beta": frame}))
    same(read({"beta": ["unnamed.parquet"]}), merged({"beta": frame}))


def test_text_in_a_number_column_of_parquet_names_the_cell(folder, block_bytes):
    frame = study().astype({"cg00000003": object})
    frame["cg00000003"] = frame["cg00000003"].map(str)
    write(frame, "t.parquet")
    same(read({"beta": ["t.parquet"]}), merged({"beta": study()}))
    frame.loc[5, "cg00000003"] = "n/d"
    write(frame, "t.parquet")
    with pytest.raises(HeteroAgeError, match=re.escape("(1: 'n/d' at sample s5, cg00000003)")):
        read({"beta": ["t.parquet"]})


def reader_of(path):
    return (ParquetReader if path.suffix == ".parquet" else FeatherReader)(path)


def values_of(path, columns, by_columns):
    """All values of some columns, put together from their blocks; each block is of whole rows or columns."""
    grid = reader_of(path).load([0], columns, by_columns, path.parent)
    values = np.full((grid.n_rows, grid.n_columns), -1, np.float32)
    for rows, own, block in grid.blocks():
        assert (values[rows, own] == -1).all()
        values[rows, own] = block
    return grid.text, values


@pytest.mark.parametrize("limit", FOOTER)
def test_a_footers_limits_are_those_that_are_given(folder, monkeypatch, limit):
    """pyarrow's own would refuse 450,000 columns."""
    write(float32(study()), "t.parquet")
    assert ParquetReader(Path("t.parquet")).header[0] == "sample_id"
    monkeypatch.setitem(columnar.FOOTER, limit, 3)
    with pytest.raises(HeteroAgeError, match=r"cannot read t\.parquet: .*Exceeded size limit"):
        ParquetReader(Path("t.parquet"))


def test_the_footers_limits_are_the_largest_that_can_be_given():
    assert set(FOOTER) == {"thrift_string_size_limit", "thrift_container_size_limit"}
    assert set(FOOTER.values()) == {np.iinfo(np.int32).max}


@pytest.mark.parametrize("name", ["t.parquet", "t.feather"])
@pytest.mark.parametrize("by_columns", [True, False])
def test_values_are_found_by_the_place_of_their_column_not_by_its_name(folder, block_bytes, name, by_columns):
    """A dot in a name would be a path in Parquet."""
    frame = float32(study(n=10, n_cpgs=5))
    names = ["ch.1.1000456F", "ch.1", "cg00000001", "ch", "chr1.5"]
    frame = frame.rename(columns=dict(zip(frame.filter(like="cg").columns, names, strict=True)))
    write(frame, name)
    for columns in ([6, 7, 8, 9, 10], [6, 10], [8]):
        text, values = values_of(Path(name), columns, by_columns)
        np.testing.assert_array_equal(values, frame.iloc[:, columns])
        assert text[0].tolist() == frame["sample_id"].tolist()


KINDS = {
    "float16": pa.array(np.array([0.5, 1, 0], np.float16), from_pandas=True),
    "float32": pa.array([0.5, 1, None], pa.float32()),
    "float64 NaN": pa.array([0.5, 1, float("nan")]),
    "int8": pa.array([0, 1, None], pa.int8()),
    "bool": pa.array([True, False, True]),
    "decimal": pa.array([Decimal("0.50"), Decimal("1.00"), None]),
    "text": pa.array(["0.5", " NA ", None]),
    "large text": pa.array(["5e-1", "1", "n/a"], pa.large_string()),
    "categories of text": pa.array(["0.5", "1", None]).dictionary_encode(),
}


@pytest.mark.parametrize("name", ["t.parquet", "t.feather"])
@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_any_kind_are_the_same_numbers(folder, name, kind):
    table = pa.table({"sample_id": ["a", "b", "c"], "cg1": KINDS[kind], "cg2": [0.1, 0.2, 0.3]})
    pq.write_table(table, name) if name == "t.parquet" else pa.feather.write_feather(table, name)
    expected = [as_number(str(cell)) for cell in KINDS[kind].to_pylist()]
    if kind == "bool":
        expected = [1, 0, 1]
    for by_columns in (True, False):
        _, values = values_of(Path(name), [1, 2], by_columns)
        np.testing.assert_array_equal(values[:, 0], np.array(expected, np.float32))


@pytest.mark.parametrize("by_columns", [True, False])
def test_what_is_no_number_is_counted_and_the_first_are_named(folder, block_bytes, by_columns):
    table = pa.table(
        {
            "sample_id": ["a", "b", "c", "d"],
            "cg1": ["x", "0.5", "1_0", None],
            "cg2": [0.1, 0.2, 0.3, 0.4],
            "cg3": pa.array([None, 0, 1, 2], pa.timestamp("s")),
            "cg4": [["y"], None, None, []],
        }
    )
    pq.write_table(table, "t.parquet", row_group_size=2)
    with pytest.raises(UnreadableCells) as caught:
        values_of(Path("t.parquet"), [1, 2, 3, 4], by_columns)
    assert caught.value.total == 7
    found = {(cell.row, cell.column, cell.text) for cell in caught.value.cells}
    every = {(0, 0, "x"), (2, 0, "1_0"), (0, 3, "['y']"), (3, 3, "[]")}
    every |= {(k, 2, f"1970-01-01 00:00:0{k - 1}") for k in (1, 2, 3)}
    assert len(found) == 5
    assert found < every


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 20))
def test_runs_of_parts_are_all_rows_in_order_and_no_more_than_may_be(heights, most):
    found = list(columnar._runs(heights, most))
    assert [k for parts, _, _ in found for k in parts if heights[k]] == [
        k for k, height in enumerate(heights) if height
    ]
    at = 0
    for parts, first, rows in found:
        assert (first, rows) == (at, sum(heights[k] for k in parts))
        assert rows <= most or sum(heights[k] > 0 for k in parts) == 1
        at += rows
    assert at == sum(heights)


@pytest.mark.parametrize("name", ["t.parquet", "t.feather"])
def test_a_file_cut_short_is_named(folder, name):
    write(float32(study()), name)
    Path(name).write_bytes(Path(name).read_bytes()[:200])
    said = rf"^cannot read {re.escape(name)}: .*\. Is it cut short\? Copy or download it again\.$"
    with pytest.raises(HeteroAgeError, match=said):
        reader_of(Path(name))
