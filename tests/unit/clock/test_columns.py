"""A feature is found under every name it goes by, and a cell is a number, missing, or named as neither."""

import pytest

from heteroage.errors import HeteroAgeError


def test_both_with_and_without_suffix_is_refused(clock, clock_copy, reseal, loaded):
    from heteroage.clock.columns import Wanted

    wanted = Wanted(["cg00000001_beta", "cg00000002_beta"])
    assert wanted.columns_of(["cg00000001", "cg00000002_TC11"]) == {
        "cg00000001_beta": ["cg00000001"],
        "cg00000002_beta": ["cg00000002_TC11"],
    }
    with pytest.raises(HeteroAgeError, match=r"both with and without .* \(1: cg00000001_beta\)"):
        wanted.columns_of(["cg00000001", "cg00000001_beta"])
    # Of a clock with two modalities a bare name says nothing.
    assert Wanted(["cg00000001_beta", "cg00000002_chalm"]).columns_of(["cg00000001"]) == {}
