"""A file of any form, read in parts of any size and by any number of threads, gives the same samples, or a message."""

import gzip

import pyarrow as pa
import pytest
from sample_tables import FORMS, predicted_bytes, table_refused, write

from heteroage.clock import csv_table, master_table


@pytest.fixture(scope="module")
def expected(clock, tmp_path_factory):
    """The bytes of the predictions of the master table."""
    folder = tmp_path_factory.mktemp("expected")
    clock.master.to_csv(folder / "m.csv", index=False)
    return predicted_bytes(clock, folder / "m.csv")


@pytest.mark.parametrize("ending", FORMS)
def test_every_format_gives_the_same_bytes(clock, tmp_path, expected, ending):
    assert predicted_bytes(clock, write(clock.master, tmp_path / f"m.{ending}")) == expected


@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize("ending", ["csv", "batches.feather", "groups.parquet"])
def test_the_size_of_parts_does_not_matter(clock, tmp_path, expected, monkeypatch, rows, ending):
    monkeypatch.setattr(csv_table, "PART_ROWS", rows)
    monkeypatch.setattr(csv_table, "BLOCK", 1)  # of a CSV: the least that holds a line
    monkeypatch.setattr(master_table, "GROUP", rows)
    assert predicted_bytes(clock, write(clock.master, tmp_path / f"m.{ending}")) == expected


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_do_not_matter(clock, tmp_path, expected, threads):
    before = pa.cpu_count()
    try:
        pa.set_cpu_count(threads)
        assert predicted_bytes(clock, write(clock.master, tmp_path / "m.csv")) == expected
    finally:
        pa.set_cpu_count(before)


def test_tables_cut_short(clock, tmp_path):
    for form in ("parquet", "feather", "csv.gz"):
        path = write(clock.master, tmp_path / f"m.{form}")
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        table_refused(clock, path, f"cannot read {path}")
    text = clock.master.to_csv(index=False)
    (tmp_path / "m.csv").write_text(text[: int(len(text) * 0.9)])
    table_refused(clock, tmp_path / "m.csv", "cannot read", "Expected")
    with gzip.open(tmp_path / "m.csv.gz", "wt") as stream:
        stream.write("sample_id")
    table_refused(clock, tmp_path / "m.csv.gz", "shares 0")
