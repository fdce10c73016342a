"""Every kind of bad input is refused with one message and nothing written; unusual input is taken in and counted."""

import pytest
from bad_tables import CASES, DOCUMENT, OUTPUTS, can_be_predicted, document, outcome

# What only training needs, or says of several tables.
OF_TRAINING = {
    "Is_Healthy in other words",
    "No column for the study",
    "Samples without a study",
    "No healthy sample of known age",
    "A sample sheet of other samples",
    "A pickle",
    "No CpG",
    "A longer region in place of a position",
    "Statistics whose names may be those of samples",
}
REFUSED = [case for case in CASES if isinstance(case.expected, str)]
TAKEN = [case for case in CASES if isinstance(case.expected, dict)]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.title)
def test_it_is_refused_and_nothing_is_written(case):
    seen = outcome(case)
    assert case.expected in seen.message
    assert seen.left == {}
    assert seen.message.endswith("."), "a message ends with what to do"
    if can_be_predicted(case) and case.title not in OF_TRAINING:
        assert seen.predicted == seen.message


@pytest.mark.parametrize("case", TAKEN, ids=lambda case: case.title)
def test_it_is_taken_in_and_counted(case):
    seen = outcome(case)
    assert seen.message == seen.predicted == ""
    assert set(seen.left) == set(OUTPUTS)
    assert {step: row["found"] for step, row in seen.found.items()} == case.expected
    if not case.expected:  # it only looks different
        plain = outcome(next(c for c in CASES if c.title == "A byte-order mark"))
        assert [seen.left[name] for name in OUTPUTS[:3]] == [plain.left[name] for name in OUTPUTS[:3]]


def test_the_document_is_current():
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "docs/bad_input.md is out of date: make docs"
