"""The lines that a run ends with say what was made, and promise nothing that cannot be made."""

import re

import numpy as np
import pandas as pd
import pytest
from report_card import CARD, ERRORS

from heteroage.report.text import REFERENCES, methods, summarise
from heteroage.study import ADVICE

EXPERTS = pd.DataFrame({"hallmark": ["Cellular_Senescence", "Telomere_Attrition"], "skill": [True, False]})


def ended(n_projects, simulated=False, table=None, groups=(), rounds=4, experts=EXPERTS, errors=ERRORS, **changes):
    card = CARD | {"groups": groups, "stage2": {"experts": experts.to_dict("records")}} | changes
    card["training_data"] = CARD["training_data"] | {"samples": 24, "projects": n_projects}
    card["stage3"] = {"boosting_rounds": rounds, "errors_out_of_fold": errors}
    tables = {} if table is None else {"results/predictions/new.csv": table}
    return summarise(card, tables, simulated)


def test_errors_and_their_rivals():
    lines = {line[:36].strip(): line[36:].split() for line in ended(4).splitlines()}
    assert lines["HeteroAge"] == ["4.20", "4.30"]
    assert lines["anchor alone"] == ["5.20", "5.30"]
    assert lines["mean age of the other folds"] == ["15.00", "16.00"]
    assert "24 healthy samples of 4 projects." in ended(4)
    assert "with skill out of fold: 1 of 2 (Cellular_Senescence); boosting rounds earned: 4." in ended(4)
    assert "Corrections of the other experts are noise: do not interpret them." in ended(4)


def test_what_was_held_out_is_named():
    assert "Error on held-out groups, in years" in ended(4)
    assert "Error on held-out donors, in years" in ended(1, held_out="donors of the same studies")


def test_a_sentence_says_what_the_fusion_adds():
    assert "makes the anchor's error smaller by 1.00 years, out of fold." in ended(4)
    assert "The fusion adds nothing here" in ended(4, rounds=0)


def test_a_sentence_says_what_the_experts_add():
    assert "The experts add nothing here: none has skill" in ended(4, experts=EXPERTS.assign(skill=False))
    errors = {"anchor": {"MicroMAE": 3.0}, "anchor_plus_experts": {"MicroMAE": 2.9}}
    errors["procedure"] = {"MicroMAE": 2.0, "MacroMAE": 2.0}
    said = "The correction of the one expert with skill, added to the anchor, makes its error {} by 0.10 years"
    assert said.format("smaller") in ended(4, errors=errors)
    errors["anchor"] = {"MicroMAE": 2.8}
    assert said.format("larger") in ended(4, errors=errors)


def test_the_procedures_error_is_beside_this_clocks():
    errors = ERRORS | {"procedure": {"MicroMAE": 2.5, "MacroMAE": 2.7}}
    line = next(line for line in ended(4, errors=errors).splitlines() if "chosen in each fold" in line)
    assert line.split()[-2:] == ["2.50", "2.70"]


def test_simulated_cohorts_are_called_so():
    assert "4 projects (simulated: the numbers say nothing about real tissue)." in ended(4, simulated=True)


@pytest.mark.parametrize(("projects", "promised"), [(3, False), (4, True)])
def test_a_nested_error_is_promised_where_there_are_studies_for_it(projects, promised):
    assert ("with the nested error to quote" in ended(projects)) == promised
    assert ("a nested error to quote takes four studies" in ended(projects)) != promised


def test_the_error_of_a_predicted_table_is_given_where_its_ages_are_known():
    known = pd.DataFrame({"Age_Acceleration": [1.0, -2.0, np.nan]})
    assert "Predicted 3 samples into results/predictions/new.csv, MAE 1.50 years." in ended(4, table=known)
    assert "Predicted 3 samples into results/predictions/new.csv.\n" in ended(4, table=known[[]])


def test_what_ties_studies_is_in_the_first_lines():
    told = ended(4, groups=["2 of 4 projects are one group: a, b.", "One group, a, holds 90 of 100 samples."])
    assert told.splitlines()[1:3] == ["2 of 4 projects are one group: a, b.", "One group, a, holds 90 of 100 samples."]


def test_the_advice_to_make_the_report_can_be_found_and_left_out():
    assert len(ADVICE.findall(ended(4))) == 1
    assert "snakemake --cores 2 report" not in ADVICE.sub("", ended(4))
    assert "Apply the clock anywhere:" in ADVICE.sub("", ended(4))


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
