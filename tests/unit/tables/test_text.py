"""Delimited text: cut as Python's csv module reads it; what a comma is, and rows that are not whole."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heteroage.errors import HeteroAgeError
from heteroage.tables import text
from heteroage.tables.source import BadCells
from heteroage.tables.text import TextSource, cut


def written(path, rows):
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return TextSource(path, "the table")


def test_decimal_commas_are_points_in_numbers_alone(tmp_path):
    source = written(tmp_path / "t.csv", ["sample_id;Tissue;cg00000001", 'a,1;"Blood, whole";0,25'])
    (batch,) = source.batches([0, 1], [2])
    assert [batch.text(0), batch.text(1)] == [["a,1"], ["Blood, whole"]]
    np.testing.assert_array_equal(batch.numbers([2], BadCells()), [[0.25]])


@pytest.mark.parametrize("quote", ["", '"'])
def test_rows_that_make_up_for_each_other_are_refused(tmp_path, quote):
    names = [f"cg{k:08d}" for k in range(20)]

    def row(name, n):
        return ",".join([f"{quote}{name}{quote}", *["0.5"] * n])

    sound = [",".join(["sample_id", *names]), row("a", 20), row("b", 20)]
    (batch,) = written(tmp_path / "t.csv", sound).batches([0], range(1, 21))
    assert (batch.numbers(range(1, 21), BadCells()) == 0.5).all()
    source = written(tmp_path / "t.csv", [sound[0], row("a", 21), row("b", 19)])
    with pytest.raises(HeteroAgeError, match="has 22 fields in line 2"):
        list(source.batches([0], range(1, 21)))


def test_nul_bytes_beyond_the_first_lines_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "PEEK", 64)
    source = written(tmp_path / "t.csv", ["sample_id,Age", *(f"s{k},{k}" for k in range(40)), "s\0,40"])
    with pytest.raises(HeteroAgeError, match=r"NUL bytes .*line 42"):
        source.texts([0])


cells = st.text("a1,\" '.\n", max_size=4)
tables = st.integers(2, 4).flatmap(lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1))


@given(rows=tables, quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]), block=st.sampled_from([3, 1 << 20]))
def test_cells_are_those_of_the_csv_module(rows, quoting, block, tmp_path_factory):
    rows = [["id", *row] for row in rows]
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n", quoting=quoting).writerows([["x"] * len(rows[0]), *rows])
    path = tmp_path_factory.mktemp("text") / "table.csv"
    path.write_text(stream.getvalue(), encoding="utf-8", newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "BYTES_PER_BLOCK", block)
        source, columns = TextSource(path, "the table"), range(len(rows[0]))
        found = [batch.arrays(columns) for batch in source.batches(columns, [])]
    read = [[cell for part in found for cell in part[k].to_pylist()] for k in columns]
    assert read == [list(column) for column in zip(*rows, strict=True)]
    assert source.n_rows == len(rows)


@given(n_rows=st.integers(1, 5), chosen=st.sets(st.integers(0, 7), min_size=1), seed=st.integers(0, 9))
def test_numbers_are_those_of_the_chosen_rows_and_columns(n_rows, chosen, seed):
    rng = np.random.default_rng(seed)
    table, kept = rng.random((n_rows, 8)), rng.random(n_rows) < 0.7
    content = "".join(",".join(map(repr, row)) + "\n" for row in table.tolist()).encode()
    columns = np.array(sorted(chosen))
    found = cut(content, b",", 8).rows(kept).numbers(columns, [""], ".")
    np.testing.assert_array_equal(found, table[kept][:, columns])


def test_what_is_not_a_number_is_left_to_the_caller():
    fields = cut(b"s1,0.5,x\ns2,,0.25\n", b",", 3)
    np.testing.assert_array_equal(fields.numbers(np.array([1]), [""], "."), [[0.5], [np.nan]])
    assert fields.numbers(np.array([1, 2]), [""], ".") is None
    assert fields.numbers(np.array([0]), [""], ".") is None


@pytest.mark.parametrize("line", [b'"a,b",1\n', b'"a\nb",1,2\n', b'"a""b",1,2\n', b'a"b,1,2\n', b"1,2\n3,4,5,6\n"])
def test_lines_that_cannot_be_cut_at_each_separator_are_refused(line):
    assert cut(line, b",", 3) is None
