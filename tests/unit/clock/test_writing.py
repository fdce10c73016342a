"""A table of predictions is written whole or not at all, and a row's bytes are its own."""

import csv
import gzip
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from heteroage.clock import apply
from heteroage.clock.apply import writing
from heteroage.errors import HeteroAgeError


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
    monkeypatch.setattr(apply, "ROW_GROUP", group)
    table = pq.read_table(written(tmp_path / "o.parquet", [1, 2, 4]))
    assert table.column_names == list(ROWS)
    assert table.column("sample_id").to_pylist() == ROWS["sample_id"]
    for name in ("Age, years", "HeteroAge"):
        expected = [None if np.isnan(x) else x for x in ROWS[name]]
        assert table.column(name).to_pylist() == expected
    assert pq.read_metadata(tmp_path / "o.parquet").num_row_groups == (2 if group == 2 else 1)


def test_every_known_ending_is_written_as_such_and_others_are_refused(tmp_path):
    plain = written(tmp_path / "o.csv", [3, 4]).read_bytes()
    assert gzip.decompress(written(tmp_path / "o.csv.gz", [3, 4]).read_bytes()) == plain
    assert written(tmp_path / "o", [7]).read_bytes() == plain
    again = (tmp_path / "o.csv.gz").read_bytes()
    assert written(tmp_path / "other.csv.gz", [3, 4]).read_bytes() == again  # no name and no time in it
    with written(tmp_path / "o.tsv", [7]).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream, delimiter="\t"))
    assert [row[0] for row in rows[1:]] == [text or "" for text in ROWS["sample_id"]]
    table = feather.read_table(written(tmp_path / "o.feather", [3, 4]))
    assert table.equals(pq.read_table(written(tmp_path / "o.parquet", [3, 4])))
    for name in ("o.xlsx", "o.xlsx.gz", "o.json", "o.csv.bz2"):
        with pytest.raises(HeteroAgeError, match=f"unknown file extension {Path(name).suffix}. Use one of .csv"):
            written(tmp_path / name, [7])
        assert not (tmp_path / name).exists()


@pytest.mark.parametrize("append", [False, True])
def test_standard_output_is_written_to_and_not_replaced(tmp_path, append):
    """As a pipe, and redirected to a file behind what is there already."""
    code = "from heteroage.clock.apply import writing; from pathlib import Path\n"
    code += "with writing([Path('/dev/stdout')]) as (w,): w.write({'x': ['1']})"
    before = os.lstat("/dev/stdout")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "x\n1\n"
    (tmp_path / "log").write_text("kept\n")
    with (tmp_path / "log").open("a" if append else "w") as stream:
        subprocess.run([sys.executable, "-c", code], stdout=stream, check=True)
    assert (tmp_path / "log").read_text() == ("kept\n" if append else "") + "x\n1\n"
    assert os.lstat("/dev/stdout").st_ino == before.st_ino


def test_a_full_device_is_said(tmp_path):
    text = "cannot write /dev/full: No space left on device. The output to a pipe or a device is incomplete."
    with pytest.raises(HeteroAgeError, match=re.escape(text)), writing([Path("/dev/full")]) as (writer,):
        writer.write({"x": ["1"]})
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


def test_files_take_their_names_together(tmp_path):
    (tmp_path / "a.csv").write_text("old")
    with writing([tmp_path / "a.csv", tmp_path / "b.parquet"]) as (one, two):
        one.write({"x": ["1"]})
        two.write({"x": ["1"]})
        assert (tmp_path / "a.csv").read_text() == "old"
        assert not (tmp_path / "b.parquet").exists()
    assert (tmp_path / "a.csv").read_text() == "x\n1\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "b.parquet"]
