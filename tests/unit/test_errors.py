"""A list in a message is short, counts all, and cannot steer a terminal."""

import pytest

from heteroage.errors import listed


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([], "0: "),
        (["a"], "1: a"),
        (range(5), "5: 0, 1, 2, 3, 4"),
        (iter("abcdef"), "6: a, b, c, d, e, ..."),
        ({"cg1": 1, "cg2": 2}, "2: cg1, cg2"),
    ],
)
def test_all_are_counted_and_the_first_five_named(items, said):
    assert listed(items) == said


def test_a_long_name_is_cut():
    assert listed(["x" * 200]) == f"1: {'x' * 200}"
    assert listed(["x" * 201, "y"]) == f"2: {'x' * 200}..., y"


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a\x1b[2Jb", "a\\x1b[2Jb"), ("a\nb", "a\\nb"), ("\u202eevil", "\\u202eevil"), ("Müller", "Müller")],
)
def test_what_would_steer_a_terminal_is_shown(name, shown):
    assert listed([name]) == f"1: {shown}"
