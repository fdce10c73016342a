"""The graph of rules keeps every way through it, and run times add up by rule."""

import pandas as pd

from heteroage.figures import jobs


def test_shortcuts_are_left_out_and_the_ways_stay():
    edges = [("a", "b"), ("b", "c"), ("a", "c"), ("d", "c"), ("a", "e"), ("e", "c")]
    assert jobs.without_shortcuts(edges) == [("a", "b"), ("a", "e"), ("b", "c"), ("d", "c"), ("e", "c")]


def test_rules_stand_below_what_they_need_and_few_beside_each_other():
    edges = [("a", f"b{k}") for k in range(9)] + [(f"b{k}", "c") for k in range(9)] + [("late", "d"), ("c", "d")]
    lines = jobs.arrange(edges)
    line_of = {rule: k for k, line in enumerate(lines) for rule in line}
    assert all(line_of[start] < line_of[end] for start, end in edges)
    assert max(map(len, lines)) <= jobs.MOST_BESIDE
    assert sorted(line_of) == sorted({rule for edge in edges for rule in edge})
    assert line_of["late"] == line_of["c"]  # not at the top, far from its only use


def test_run_times_add_up_by_rule():
    tables = {"train_expert": pd.DataFrame({"s": [1.0, 2.5], "max_rss": ["-", 90.5]})}
    assert jobs.sum_run_times(tables).to_dict("records") == [
        {"rule": "train_expert", "jobs": 2, "seconds": 3.5, "most_memory_mb": 90.5}
    ]
