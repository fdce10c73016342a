"""The record of the tables is in one order, whatever the order in which they were looked at."""

import itertools

from heteroage.errors import FIRST
from heteroage.inputs.intake import STEPS, Intake

NOTES = [
    ("join_cpgs", "beta tables", 2, "left out", ["cg1", "cg2"]),
    ("map_columns", "the beta table b", 0, "renamed", ["x"]),
    ("map_columns", "the beta table a", 1, "renamed", ["x"]),
    ("unknown_age", "the chalm table c", 9, "left unknown", range(9)),
]


def test_the_order_of_notes_and_tables_does_not_matter():
    tables = [{"modality": m, "file": f} for m, f in (("chalm", "a"), ("beta", "b"), ("beta", "a"))]
    records = []
    for notes, rows in zip(
        itertools.permutations(NOTES), itertools.cycle(itertools.permutations(tables)), strict=False
    ):
        intake = Intake(tables=list(rows), modalities=[{"modality": row["modality"]} for row in rows])
        for note in notes:
            intake.note(*note)
        records.append(intake.as_json())
    assert all(record == records[0] for record in records)
    assert [row["file"] for row in records[0]["tables"]] == ["a", "b", "a"]
    steps = [(row["step"], row["where"]) for row in records[0]["steps"]]
    assert steps == sorted(steps, key=lambda pair: (list(STEPS).index(pair[0]), pair[1]))


def test_a_step_that_found_nothing_is_recorded_without_words_and_examples():
    intake = Intake()
    intake.note("convert_values", "the beta table x", 0, "divided by 100", ["s1"])
    assert intake.steps == [
        {"step": "convert_values", "where": "the beta table x", "found": 0, "done": "", "first": []}
    ]


def test_of_many_the_first_few_are_kept_as_text():
    intake = Intake()
    intake.note("unknown_age", "x", 1000, "left unknown", itertools.count())
    assert intake.steps[0]["first"] == [str(k) for k in range(FIRST)]
    assert intake.steps[0]["found"] == 1000
