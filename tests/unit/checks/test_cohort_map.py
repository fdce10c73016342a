"""Cells count every sample once, and measures of association are 0, 1 or a correlation where they must be."""

import numpy as np
import pandas as pd
import pytest

from heteroage.checks.cohort_map import ages_by_project, associations, correlation_ratio, cramers_v, cross_table


@pytest.fixture
def people():
    return pd.DataFrame(
        {
            "project_id": ["a"] * 4 + ["b"] * 4,
            "group": ["a"] * 8,
            "Tissue": ["Blood", "Blood", "Skin", "Skin"] + ["Blood"] * 4,
            "Sex": ["F", "M"] * 4,
            "Age": [10, 30, 31, np.nan, 60, 61, 62, 63],
            "trains": [True, True, False, False] + [True] * 4,
        }
    )


def test_every_sample_is_in_one_cell(people):
    table = cross_table(people)
    assert (table["n"].sum(), table["n_training"].sum()) == (8, 6)
    assert table.set_index(["project_id", "Tissue", "Age_Band"])["n"].to_dict() == {
        ("a", "Blood", "0-19"): 1, ("a", "Blood", "20-39"): 1, ("a", "Skin", "20-39"): 1, ("a", "Skin", "unknown"): 1,
        ("b", "Blood", "60-79"): 4,
    }  # fmt: skip


def test_ages_by_project(people):
    table = ages_by_project(people).set_index("project_id")
    assert list(table.index) == ["b", "a"]
    assert table.loc["a"].to_list() == [4, 3, 2, 10, 20, 30, 30.5, 31]


def test_a_platform_is_part_of_the_map_where_it_is_known(people):
    assert "Platform" not in cross_table(people)
    known = people.assign(Platform=["450K"] * 4 + ["EPIC"] * 4)
    assert cross_table(known).groupby("Platform")["n"].sum().to_dict() == {"450K": 4, "EPIC": 4}
    value = associations(known).set_index(["first", "second"])["value"]
    assert value["project_id", "Platform"] == 1
    assert value["Platform", "Age"] == value["project_id", "Age"]


def test_measures_of_association(people):
    table = associations(people).set_index(["first", "second"])["value"]
    assert table["project_id", "Sex"] == 0
    aged = people.dropna(subset="Age")
    between = aged.groupby("project_id")["Age"].transform("mean")
    assert table["project_id", "Age"] == pytest.approx(between.var() / aged["Age"].var(), abs=1e-4)
    same = pd.Series(["x", "y", "z", "x"])
    assert cramers_v(same, same.map({"x": 1, "y": 2, "z": 3})) == pytest.approx(1)
    assert np.isnan(cramers_v(same, pd.Series(["one"] * 4)))
    assert correlation_ratio(same, pd.Series([1.0, 2, 3, 1])) == pytest.approx(1)
    assert np.isnan(correlation_ratio(same, pd.Series([5.0] * 4)))
    # Cramér's V of a 2 x 2 table is |phi|, the correlation of the indicators.
    a, b = pd.Series([0, 0, 1, 1, 1, 0]), pd.Series([0, 1, 1, 1, 0, 0])
    assert cramers_v(a, b) == pytest.approx(abs(a.corr(b)))
