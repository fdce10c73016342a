"""Compiled and plain parsing say the same, and what Python says of each number."""

import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from heteroage.errors import HeteroAgeError
from heteroage.inputs import delimited
from heteroage.inputs.delimited import DelimitedReader, parse_large, parse_small
from heteroage.inputs.grid import UnreadableCells, as_number

NUMBERS = st.one_of(
    # All lengths of what is read eight digits at a time, with what may follow it.
    st.from_regex(r"-?[0-9]{1,2}(\.[0-9]{0,20})?(e-?[0-9])?", fullmatch=True),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(repr),
    st.floats(0, 1).map(repr),
    st.decimals(0, 1, places=5).map(str),
    st.integers(-(10**25), 10**25).map(str),
    st.sampled_from(["1e-05", "1E+3", "-0", ".5", "5.", "+1", "00.5", "1e400", "0.1234567890123456789012"]),
)
ODD = st.sampled_from(
    ["", "NA", "nan", "-", "e5", "1e", "1.2.3", "0,5", "inf", "1_000", "n/d", " 0.5", '"0.5"', '"a ""b"""']
)
LABELS = st.sampled_from(["cg1", '"a,b"', "é", ""])
BETWEEN = (
    "x",
    "0.7848662436008453736",
    "0.9570200145244597832",
)  # nearly between two float32


def read(parse, text, kinds):
    """Parse text, and make of the odd fields what can be made of them: (texts, values, unread, ragged, lines)."""
    texts, values, odd, ragged, n_lines = parse(memoryview(text), ",", kinds)
    values, unread = values.copy(), set()
    for row, column, field in odd:
        number = as_number(field)
        values[row, column] = np.nan if number is None else number
        if number is None:
            unread.add((row, column, field))
    return texts, values.tolist(), unread, ragged, n_lines


@given(
    st.lists(st.tuples(LABELS, NUMBERS, st.one_of(NUMBERS, ODD)), min_size=1, max_size=5),
    st.sampled_from(["\n", "\r\n"]),
)
@example([BETWEEN], "\n")
def test_compiled_and_plain_parsing_agree(rows, end):
    rows = [(a, b, c if "," not in c else f'"{c}"') for a, b, c in rows]
    text = "".join(f"{a},left out,{b},{c}{end}" for a, b, c in rows).encode()
    kinds = np.array([1, 0, 2, 2], np.int8)
    found = [read(parse, text, kinds) for parse in (parse_small, parse_large)]
    assert [f[3:] for f in found] == [(None, len(rows))] * 2
    np.testing.assert_equal(found[0], found[1])
    with np.errstate(over="ignore"):
        expected = np.array([float(b) for _, b, _ in rows]).astype(np.float32)
    np.testing.assert_array_equal(np.array(found[1][1], np.float32)[:, 0], expected)


ALIKE = ["0.12345", "1.00000", "0.99999", "0.1234", "0.123456", "0.12345678", "0.123456789", "12.3456", "-0.1234", "5"]
NEARLY_ALIKE = ["0.1234a", "0,12345", "0.12 45", "0x12345", "0.1234/", "0.1234:", "0.123450", "", "NA", '"0.12345"']


@given(st.lists(st.sampled_from(ALIKE + NEARLY_ALIKE), min_size=7, max_size=7), st.sampled_from(["\n", "\r\n"]))
def test_numbers_as_long_as_the_one_before_and_what_only_looks_so(fields, end):
    # Commas inside make more fields, so that the two must agree on the line's length too.
    text = f"{','.join(['0.54321', *fields])}{end}".encode()
    plain, compiled = (read(parse, text, np.full(8, 2, np.int8)) for parse in (parse_small, parse_large))
    assert plain[3] == compiled[3]
    if plain[3] is None:
        np.testing.assert_equal(plain, compiled)


@pytest.mark.parametrize("line", ["cg00000003,0.5", "cg00000003,0.5,0.5,0.5"])
def test_a_line_of_another_length_is_found_at_once(tmp_path, monkeypatch, line):
    monkeypatch.setattr(delimited, "SMALL", 0)
    path = tmp_path / "t.csv"
    path.write_text(f"ID,a,b\ncg00000001,0.1,0.2\n{line}\n", encoding="utf-8")
    for values in ([], [1, 2]):  # of a sample sheet nothing is read but text
        message = re.escape(f"{path} has {line.count(',') + 1} fields in line 3 and 3")
        with pytest.raises(HeteroAgeError, match=message):
            DelimitedReader(path).load([0], values, bool(values), tmp_path)


@pytest.mark.parametrize("parse", [parse_small, parse_large])
@pytest.mark.parametrize("line", ["a,1", "a,1,2,3", "a,1,", "a"])
def test_a_line_of_another_length(parse, line):
    n_fields = line.count(",") + 1
    ragged = parse(memoryview(f"x,1,2\n{line}\n".encode()), ",", np.array([1, 2, 2], np.int8))[3]
    assert ragged == (None if n_fields == 3 else (1, n_fields))


@pytest.mark.parametrize("limit", [0, 1 << 20])
def test_more_odd_fields_than_expected_are_all_read(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(delimited, "SMALL", limit)
    lines = [f"cg{k:08d},NA,n/d,0.5" for k in range(40_000)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["ID,a,b,c", *lines]), encoding="utf-8")
    loaded = DelimitedReader(path).load([0], [1, 2, 3], False, tmp_path)
    assert len(loaded.text) == 40_000
    with pytest.raises(UnreadableCells) as caught:
        list(loaded.blocks())
    assert caught.value.total == 40_000
    assert [(c.row, c.column, c.text) for c in caught.value.cells] == [(k, 1, "n/d") for k in range(5)]


def test_bytes_that_are_no_utf8_far_down_in_a_large_file(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "SMALL", 0)
    path = tmp_path / "t.csv"
    lines = [f"s{k},Blood,0.5" for k in range(100)]
    path.write_bytes("\n".join(["sample_id,Tissue,cg00000001", *lines, "s100,N\u00e4gel,0.5"]).encode("latin1"))
    with pytest.raises(HeteroAgeError, match=re.escape(f"{path} is not UTF-8 text")):
        DelimitedReader(path).load([0, 1], [2], True, tmp_path)


def test_the_spool_leaves_nothing_behind(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("ID,a\ncg00000001,0.5\n", encoding="utf-8")
    loaded = DelimitedReader(path).load([0], [1], True, tmp_path)
    assert [values.tolist() for _, _, values in loaded.blocks()] == [[[0.5]]]
    assert list(tmp_path.iterdir()) == [path]
