"""A feature is found under every name it goes by, and a cell is a number, missing, or named as neither."""

import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from heteroage.clock.columns import SeenIds, Wanted, check_ids, floats_of, to_numbers, to_text
from heteroage.errors import HeteroAgeError


def test_both_with_and_without_suffix_is_refused(clock, clock_copy, reseal, loaded):
    wanted = Wanted(["cg00000001_beta", "cg00000002_beta"])
    assert wanted.columns_of(["cg00000001", "cg00000002_TC11"]) == {
        "cg00000001_beta": ["cg00000001"],
        "cg00000002_beta": ["cg00000002_TC11"],
    }
    with pytest.raises(HeteroAgeError, match=r"both with and without .* \(1: cg00000001_beta\)"):
        wanted.columns_of(["cg00000001", "cg00000001_beta"])
    # Of a clock with two modalities a bare name says nothing.
    assert Wanted(["cg00000001_beta", "cg00000002_chalm"]).columns_of(["cg00000001"]) == {}


# Names


def test_all_that_a_clock_may_use_is_found_among_a_tables_columns_and_nothing_else():
    wanted = Wanted(["cg00000001_beta", "cg00000002_beta", "chr1_10469_beta"])
    own = ["cg00000001", "cg00000002_beta", "cg00000001_TC21", "cg00000002_BC11_beta", "chr1_10469", "chr1_10469_beta"]
    others = ["sample_id", "Tissue", "Sex", "Age", "Stage1_Pred_Age", "A_Correction", "RF_PC1", "RF_PC12"]
    strangers = ["cg00000003", "cg00000001_chalm", "cg00000001_note", "chr1", "chr1_10470", "age", "RF_PC", "PC1"]
    assert wanted.among([*strangers, *own, *others]) == [*own, *others]
    assert [wanted.feature(name) is not None for name in own] == [True] * len(own)
    assert [wanted.feature(name) for name in [*others, *strangers]] == [None] * (len(others) + len(strangers))


# Cells


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, None, -3], pa.int8()),
        pa.array([1.0, None, -3.0], pa.float16()),
        pa.array([1.0, float("nan"), -3.0], pa.float32()),
        pa.array([Decimal("1.00"), None, Decimal("-3.00")]),
        pa.array(["1", "NA", " -3.0 "]),
        pd.array([1, None, -3], dtype="Int64"),
        pd.array([1, None, -3], dtype="Float64"),
        pd.array(["1e0", None, "-3"], dtype="string"),
        np.array([1, np.nan, -3], np.float32),
        np.array([1, pd.NA, "-3"], object),
        [1, "", Decimal(-3)],
    ],
)
def test_numbers_are_the_same_from_any_kind_of_column(column):
    values = to_numbers(column, "Age", ["a", "b", "c"])
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, [1.0, np.nan, -3.0])


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.array(["0,5", "0.5", "n.d."]), "(2: '0,5' at a, 'n.d.' at c)"),
        (pa.array([True, None, False]), "(2: 'True' at a, 'False' at c)"),
        (["1_000", 1, b"1"], "(2: '1_000' at a, \"b'1'\" at c)"),
        (np.array([[1], 2, 3], object), "(1: '[1]' at a)"),
    ],
)
def test_what_is_no_number_is_named_with_its_sample(column, said):
    text = f"column cg1 holds text where numbers belong {said}. Leave unknown values empty."
    with pytest.raises(HeteroAgeError, match=f"^{re.escape(text)}$"):
        to_numbers(column, "cg1", ["a", "b", "c"])


@pytest.mark.parametrize("column", [np.array([1, np.inf, -np.inf]), pa.array(["1", "inf", "-Infinity"])])
def test_infinite_numbers_are_named_with_their_samples(column):
    text = "column cg1 holds infinite values (2: b, c). Correct them."
    with pytest.raises(HeteroAgeError, match=f"^{re.escape(text)}$"):
        to_numbers(column, "cg1", ["a", "b", "c"])


def test_a_slice_of_an_arrow_array_has_its_own_values_and_gaps():
    """Arrow keeps gaps as bits, and a slice begins within a byte of them."""
    rng = np.random.default_rng(1)
    values = np.where(rng.random(70) < 0.3, np.nan, rng.random(70))
    whole = pa.array(values, from_pandas=True)
    for start in range(0, 20):
        for stop in (start, start + 1, start + 9, 70):
            np.testing.assert_array_equal(floats_of(whole[start:stop]), values[start:stop])


def test_text_is_stripped_and_missing_is_none_from_any_kind_of_column():
    for column in (
        pa.array([" a", None, "b "]),
        pa.array([" a", None, "b "]).dictionary_encode(),
        pd.array([" a", None, "b "], dtype="string"),
        np.array([" a", np.nan, "b "], object),
        pd.Categorical([" a", None, "b "]),
    ):
        assert to_text(column) == ["a", None, "b"]
    assert to_text(pa.nulls(2)) == [None, None]
    assert to_text(pa.array([7, 12])) == to_text(np.array([7, 12])) == ["7", "12"]


# Samples


@pytest.mark.parametrize("parts", [[["a", "b", "c", "b", "a"]], [["a", "b"], ["c"], ["b", "a"]]])
def test_ids_that_stand_on_several_rows_are_named_in_whatever_parts_they_come(parts):
    seen = SeenIds("m.csv")
    for part in parts[:-1]:
        seen.add(part)
    text = "m.csv has duplicate sample_ids (2: a, b). Keep one row per sample."
    with pytest.raises(HeteroAgeError, match=f"^{re.escape(text)}$"):
        seen.add(parts[-1])


def test_rows_without_an_id_are_counted():
    text = "m.csv has rows without a sample_id (2). Give each sample one."
    with pytest.raises(HeteroAgeError, match=f"^{re.escape(text)}$"):
        check_ids(["a", None, ""], "m.csv")
