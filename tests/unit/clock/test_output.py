"""A table of predictions is written whole or not at all, and a row's bytes are its own."""

import pytest

from heteroage.clock.output import writing


def test_a_problem_in_the_last_part_writes_nothing(tmp_path):
    with pytest.raises(ValueError, match="late"), writing([tmp_path / "a.csv", tmp_path / "b.parquet"]) as (one, two):
        one.write({"x": ["1"]})
        two.write({"x": ["1"]})
        raise ValueError("late")
    assert list(tmp_path.iterdir()) == []
