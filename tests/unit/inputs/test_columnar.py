"""Parquet and Feather give the same values by any groups of columns and batches of rows."""

import re

import pytest
from bad_tables import study
from input_files import float32, read, same, write
from input_tables import merged

from heteroage.errors import HeteroAgeError


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
