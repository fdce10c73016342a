"""The methods paragraph says what the card says, cites only what was used, and numbers its references."""

import re

import pandas as pd
import pytest

from heteroage.report.methods import REFERENCES, methods

CARD = {
    "groups": ["One sentence on groups."],
    "held_out": "whole groups",
    "training_data": {
        "samples": 120,
        "projects": 6,
        "groups": 5,
        "age_from": 3.0,
        "age_to": 88.5,
        "tissues": {"Blood": 100, "Skin": 20},
        "sexes": {"F": 70, "M": 50},
        "sha256": "0f" * 32,
    },
    "folds": [{"fold": k} for k in range(5)],
    "stage1": {
        "alpha": 0.05,
        "l1_ratio": 0.1,
        "technical_sd": 0.005,
        "configurations_swept": 66,
        "features_with_weight": 211,
    },
    "stage2": {"experts": [{"hallmark": "A", "skill": True}, {"hallmark": "B", "skill": False}]},
    "stage3": {"boosting_rounds": 12, "intervals": {"level": 0.9}},
    "errors_out_of_fold": [
        {"predictor": "anchor (Stage 1)", "MicroMAE": 9.0},
        {"predictor": "HeteroAge", "MicroMAE": 4.2},
    ],
    "software": {"heteroage-clock": "0.2.0", "numpy": "2.0"},
}
NESTED = pd.DataFrame(
    {
        "model": ["HeteroAge", "HeteroAge"],
        "stratum": ["Tissue", "all"],
        "n": [100, 120],
        "MAE": [9.9, 4.56],
        "MAE_Lower": [9.0, 4.1],
        "MAE_Upper": [9.9, 5.2],
        "MacroMAE": [9.9, 4.6],
        "Bias": [9.9, -0.25],
        "R": [0.1, 0.951],
    }
)


def text_of(card=CARD, accuracy=None):
    return " ".join(methods(card, accuracy)["paragraphs"])


def test_it_says_what_was_trained_on_what():
    said = text_of()
    for fact in (
        "heteroage-clock 0.2.0 on DNA methylation of 120 healthy samples (Blood, Skin; sex: 70 F, 50 M; age 3 to 88.5",
        "from 6 studies",
        "(5 groups)",
        "alpha 0.05 and l1 ratio 0.1. It is penalised for technical noise of standard deviation 0.005",
        "66 configurations by cross-validation in 5 folds that hold out whole groups. 211 features have weight.",
        "each of 2 sets of CpGs",
        "; 1 corrected it better than nothing out of fold (A).",
        "took 12 rounds",
        "Intervals of nominal 90%",
        "One sentence on groups.",
        "numpy 2.0",
        "0f" * 32,
    ):
        assert fact in said


def test_the_error_is_the_nested_one_or_its_absence_is_said():
    nested = text_of(accuracy=NESTED)
    assert "mean absolute error 4.56 years (95% interval 4.10 to 5.20" in nested
    assert "mean over studies 4.60 years, bias -0.25 years, r 0.951 (n = 120)" in nested
    assert "too small" not in nested
    plain = text_of()
    assert "4.20 years. The same folds tuned the models" in plain
    assert "was not measured by nested cross-validation" in plain


@pytest.mark.parametrize("accuracy", [None, NESTED])
def test_references_are_numbered_in_order_and_each_is_cited(accuracy):
    found = methods(CARD, accuracy)
    cited = [int(n) for group in re.findall(r"\[([\d, ]+)\]", " ".join(found["paragraphs"])) for n in group.split(", ")]
    assert list(dict.fromkeys(cited)) == list(range(1, len(found["references"]) + 1))
    assert set(found["references"]) <= set(REFERENCES.values())


def test_what_was_not_used_is_not_cited():
    card = CARD | {
        "stage1": CARD["stage1"] | {"technical_sd": 0.0},
        "stage3": {"boosting_rounds": 0, "intervals": None},
    }
    references = methods(card)["references"]
    for key in ("noise", "conformal", "groups", "bootstrap"):
        assert REFERENCES[key] not in references
    assert "earned no round" in text_of(card)
