"""Delimited text: what a comma is, and rows that are not whole."""

import numpy as np
import pytest

from heteroage.errors import HeteroAgeError
from heteroage.tables import text
from heteroage.tables.source import BadCells
from heteroage.tables.text import TextSource


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
