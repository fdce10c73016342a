"""A table of predictions is written whole or not at all, and a row's bytes are its own."""

import csv

import numpy as np
import pyarrow.parquet as pq
import pytest

from heteroage.clock import output
from heteroage.clock.output import writing


def test_a_problem_in_the_last_part_writes_nothing(tmp_path):
    with pytest.raises(ValueError, match="late"), writing([tmp_path / "a.csv", tmp_path / "b.parquet"]) as (one, two):
        one.write({"x": ["1"]})
        two.write({"x": ["1"]})
        raise ValueError("late")
    assert list(tmp_path.iterdir()) == []


ROWS = {
    "sample_id": ["a", 'b, "c"', None, "d\ne", " f ", "ä\tö", ""],
    "Age, years": np.array([1 / 3, np.nan, -0.0, 1e-310, 1e22, 123456.789, 5.0]),
    "HeteroAge": np.random.default_rng(1).normal(0, 1e5, 7),
}


def written(path, sizes):
    start = 0
    with writing([path]) as (writer,):
        for size in sizes:
            writer.write({name: cells[start : start + size] for name, cells in ROWS.items()})
            start += size
    return path


@pytest.mark.parametrize("sizes", [[1] * 7, [3, 4], [7], [6, 1]])
def test_the_parts_that_rows_come_in_change_no_byte(tmp_path, sizes):
    whole = written(tmp_path / "whole.csv", [7]).read_bytes()
    assert written(tmp_path / "parts.csv", sizes).read_bytes() == whole


def test_a_csv_reads_back_as_what_was_written(tmp_path):
    with written(tmp_path / "o.csv", [2, 5]).open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header == list(ROWS)
    texts, *numbers = map(list, zip(*rows, strict=True))
    assert texts == [text or "" for text in ROWS["sample_id"]]
    for found, cells in zip(numbers, (ROWS["Age, years"], ROWS["HeteroAge"]), strict=True):
        back = np.array([float(cell) if cell else np.nan for cell in found])
        assert back.tobytes() == cells.tobytes()  # to the bit, the sign of zero too


@pytest.mark.parametrize("group", [2, 65_536])
def test_parquet_holds_what_was_written_by_groups_of_any_size(tmp_path, monkeypatch, group):
    monkeypatch.setattr(output, "ROW_GROUP", group)
    table = pq.read_table(written(tmp_path / "o.parquet", [1, 2, 4]))
    assert table.column_names == list(ROWS)
    assert table.column("sample_id").to_pylist() == ROWS["sample_id"]
    for name in ("Age, years", "HeteroAge"):
        expected = [None if np.isnan(x) else x for x in ROWS[name]]
        assert table.column(name).to_pylist() == expected
    assert pq.read_metadata(tmp_path / "o.parquet").num_row_groups == (2 if group == 2 else 1)


def test_files_take_their_names_together(tmp_path):
    (tmp_path / "a.csv").write_text("old")
    with writing([tmp_path / "a.csv", tmp_path / "b.parquet"]) as (one, two):
        one.write({"x": ["1"]})
        two.write({"x": ["1"]})
        assert (tmp_path / "a.csv").read_text() == "old"
        assert not (tmp_path / "b.parquet").exists()
    assert (tmp_path / "a.csv").read_text() == "x\n1\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.parquet"]
