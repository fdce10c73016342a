"""A feature is found under every name it goes by."""

import pytest

from heteroage.clock.columns import Wanted
from heteroage.errors import HeteroAgeError
from heteroage.tables.table import check_cpg_names


def test_both_with_and_without_suffix_is_refused():
    wanted = Wanted(["cg00000001_beta", "cg00000002_beta"])
    assert wanted.columns_of(["cg00000001", "cg00000002_TC11"]) == {
        "cg00000001_beta": ["cg00000001"],
        "cg00000002_beta": ["cg00000002_TC11"],
    }
    with pytest.raises(HeteroAgeError, match=r"both with and without .* \(1: cg00000001_beta\)"):
        check_cpg_names(["cg00000001", "cg00000001_beta"], "the table")
    # Of a clock with two modalities a bare name says nothing.
    assert Wanted(["cg00000001_beta", "cg00000002_chalm"]).columns_of(["cg00000001"]) == {}


def test_all_that_a_clock_may_use_is_found_among_a_tables_columns_and_nothing_else():
    wanted = Wanted(["cg00000001_beta", "cg00000002_beta", "chr1_10469_beta"])
    own = ["cg00000001", "cg00000002_beta", "cg00000001_TC21", "cg00000002_BC11_beta", "chr1_10469", "chr1_10469_beta"]
    others = ["Stage1_Pred_Age", "A_Correction", "RF_PC1", "RF_PC12"]
    strangers = ["cg00000003", "cg00000001_chalm", "cg00000001_note", "chr1", "chr1_10470", "age", "RF_PC", "PC1"]
    assert wanted.among([*strangers, *own, *others]) == [*own, *others]
    assert [wanted.feature(name) is not None for name in own] == [True] * len(own)
    assert [wanted.feature(name) for name in [*others, *strangers]] == [None] * (len(others) + len(strangers))
