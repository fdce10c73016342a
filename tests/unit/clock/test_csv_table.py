"""What a CSV can have wrong in it is told, with its place."""

import pandas as pd
import pytest
from sample_tables import cpgs_of, table_refused, write

from heteroage.clock import csv_table


def test_text_among_numbers_is_named_from_a_csv_too(clock, tmp_path):
    name = cpgs_of(clock.master)[3]
    frame = clock.master.astype({name: object})
    frame.loc[[4, 6], name] = ["n.d.", "0,5"]
    for form in ("csv", "tsv"):
        table_refused(
            clock, write(frame, tmp_path / f"m.{form}"), f"column {name} holds text", "2: 'n.d.' at n004, '0,5' at n006"
        )


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "is empty"),
        (b"\xff\xfe\x00s", "cannot read"),
        (b"name,Tissue\na,Blood\n", "has no column sample_id"),
        (b"sample_id,Sex\n", "shares 0 of the clock's 48 CpGs"),
    ],
)
def test_files_that_are_no_tables(clock, tmp_path, content, text):
    (tmp_path / "m.csv").write_bytes(content)
    table_refused(clock, tmp_path / "m.csv", text)


def test_ids_repeated_across_parts(clock, tmp_path, monkeypatch):
    monkeypatch.setattr(csv_table, "PART_ROWS", 1)
    monkeypatch.setattr(csv_table, "BLOCK", 1)
    twice = pd.concat([clock.master, clock.master.iloc[[2]]], ignore_index=True)
    table_refused(clock, write(twice, tmp_path / "twice.csv"), "has duplicate sample_ids (1: n002)")
