"""The card says what the artifacts say: who was trained on, which error was measured how, and what failed."""

import json

import numpy as np
import pandas as pd
import pytest

from heteroage.files import write_json, write_table
from heteroage.report.model_card import LIMITATIONS, _ends_of_grids, describe, render

AGE = np.arange(10.0, 70, 5)
SAMPLES = pd.DataFrame(
    {
        "sample_id": [f"s{k:02d}" for k in range(12)],
        "project_id": ["p", "q", "r"] * 4,
        "group": ["g1", "g2", "g2"] * 4,
        "donor_id": None,
        "Tissue": ["Blood"] * 7 + ["Skin"] * 5,
        "Sex": ["F"] * 6 + ["M"] * 5 + ["unknown"],
        "Age": AGE,
        "fold": [0, 1, 1] * 4,
    }
)


@pytest.fixture
def folder(tmp_path):
    for stage in ("stage1", "stage2", "stage3"):
        (tmp_path / stage).mkdir()
    sweep = pd.DataFrame({"min_cohorts": 1, "min_cap": 30, "max_cap": 500, "median_mult": 1.0, "alpha": [0.5, 0.02]})
    sweep = sweep.assign(l1_ratio=0.4, Score=[-9.0, -4.0], selected=[False, True])
    write_table(sweep, tmp_path / "stage1/Stage1_Sweep_Report.csv")
    write_table(
        pd.DataFrame({"feature": ["(intercept)", "a", "b"]}), tmp_path / "stage1/Stage1_Global_Model_Weights.csv"
    )
    experts = pd.DataFrame({"hallmark": ["A", "B"], "features_offered": [9, 3], "features_used": [2, 0]})
    experts = experts.assign(R2_Residual=[0.2, np.nan], skill=[True, False])
    write_table(experts, tmp_path / "stage2/Stage2_Performance_Summary.csv")
    write_json({"skipped": {"C": "it has no feature"}}, tmp_path / "stage2/manifest.json")
    meta = {"boosting_rounds": 0, "parameters": {}, "intervals": {"level": 0.9}, "software": {"numpy": "2.0"}}
    meta["errors_out_of_fold"] = {"procedure": {"MicroMAE": 2.345}}
    write_json(meta, tmp_path / "stage3/Stage3_Artifacts.json")
    predictions = SAMPLES[["sample_id", "project_id", "Age", "fold"]].assign(Stage1_Pred_Age=AGE + 3, HeteroAge=AGE - 2)
    write_table(predictions, tmp_path / "stage3/Stage3_Final_Predictions_OOF.csv")
    return tmp_path


@pytest.fixture
def evaluation():
    accuracy = pd.DataFrame(
        {"stratum": ["all", "Tissue"], "level": ["all", "Blood"], "model": "HeteroAge", "n": [12, 7]}
    )
    accuracy = accuracy.assign(n_projects=3, MAE=[4.56, 7.89], MAE_Lower=[4.1, np.nan], MAE_Upper=5.2, MacroMAE=4.6)
    accuracy = accuracy.assign(MedAE=4.0, Bias=0.1, R=0.95)
    coverage = pd.DataFrame(
        {"stratum": ["Tissue", "all"], "level": ["Blood", "all"], "coverage": [0.5, 0.9137], "group_coverage": 0.88}
    )
    certificate = pd.DataFrame(
        {"test": ["shuffled_ages", "near_duplicates"], "measured": [0.0123, 4], "limit": [0.1, 0]}
    )
    certificate = certificate.assign(verdict=["pass", "fail"], meaning="about 0")
    return {"accuracy": accuracy, "coverage": coverage, "certificate": certificate}


def card_of(folder, evaluation=None):
    card = describe(folder, SAMPLES, {"sha256": "0f" * 32}, evaluation)
    assert json.loads(json.dumps(card, allow_nan=False)) == card  # as it is stored, and without NaN
    return card


def test_training_samples_are_counted(folder):
    card = card_of(folder)
    data = card["training_data"]
    assert (data["samples"], data["projects"], data["groups"]) == (12, 3, 2)
    assert (data["age_from"], data["age_to"]) == (10, 65)
    assert data["tissues"] == {"Blood": 7, "Skin": 5}
    assert data["sexes"] == {"F": 6, "M": 5, "unknown": 1}
    assert card["folds"] == [{"fold": 0, "samples": 4, "groups": ["g1"]}, {"fold": 1, "samples": 8, "groups": ["g2"]}]
    assert card["stage1"]["alpha"] == 0.02
    assert (card["stage1"]["configurations_swept"], card["stage1"]["features_with_weight"]) == (2, 2)
    text = render(card)
    assert "12 healthy samples of 3 projects in 2 groups" in text
    assert "2 features have weight. Of 2 configurations alpha 0.02 and l1_ratio 0.4 were chosen" in text
    assert "- fold 1: 8 samples of g2\n" in text
    assert f"`{'0f' * 32}`" in text


def test_what_ties_studies_is_in_the_first_lines(folder):
    samples = SAMPLES.assign(sample_id=[f"s{k}" for k in range(12)], group="one", project_id=["a", "b"] * 6)
    copies = pd.DataFrame({"sample_1": ["s0"], "sample_2": ["s1"], "project_1": ["a"], "project_2": ["b"]})
    text = render(describe(folder, samples, {"sha256": "0f" * 32}, copies=copies))
    assert "2 of 2 projects are one group: a, b." in text.split("## Training data")[0]
    assert "1 pair of near-identical arrays is in two (a with b)" in text


def test_folds_of_donors_are_called_so(folder):
    samples = SAMPLES.assign(group="p", project_id="p", fold=[0, 1, 2] * 4)
    text = render(describe(folder, samples, {"sha256": "0f" * 32}))
    assert "the error on a new study was NOT measured" in text.split("## Training data")[0]
    assert "Folds, donors of the same studies held out:" in text
    assert "donors of the same studies were held out in 3 folds" in text
    assert "whole groups" not in text
    assert "its fold is" not in text  # the sentence on a group that dominates its fold


def test_without_an_evaluation_the_errors_are_out_of_fold_and_said_to_be_optimistic(folder):
    card = card_of(folder)
    errors = {row["predictor"]: row for row in card["errors_out_of_fold"]}
    assert errors["HeteroAge (Stage 3)"]["MicroMAE"] == pytest.approx(2)
    assert errors["anchor (Stage 1)"]["MicroMAE"] == pytest.approx(3)
    assert errors["mean age of the other folds"]["MicroMAE"] >= np.abs(AGE - AGE.mean()).mean()
    assert errors["mean age of the other folds"]["MicroR"] < 0  # it misses a fold by what the fold is off the others
    text = render(card)
    assert "This card was sealed without the nested error" in text
    assert "the procedure's MicroMAE is 2.35" in text or "the procedure's MicroMAE is 2.34" in text
    assert "whole groups were held out in 2 folds" in text
    assert "| HeteroAge (Stage 3) | 2.00 | 2.00 | 2.00 | 1.00 |" in text
    assert "Not tested yet (`snakemake falsify`)." in text
    assert "to expect on a new study" not in text


def test_an_evaluation_takes_the_place_of_the_optimistic_errors(folder, evaluation):
    text = render(card_of(folder, evaluation))
    assert "| HeteroAge | 12 | 3 | 4.56 | 4.10 | 5.20 | 4.60 | 4.00 | 0.10 | 0.95 |" in text
    assert "7.89" not in text  # a tissue's
    assert "Prediction intervals of nominal 90% held 91.4% of these samples, and on average 88.0% of a group." in text
    assert "too small" not in text


def test_a_failed_test_is_said_to_have_failed(folder, evaluation):
    text = render(card_of(folder, evaluation))
    assert "| shuffled_ages | 0.01 | 0.10 | pass | about 0 |" in text
    assert "| near_duplicates | 4.00 | 0.00 | FAIL | about 0 |" in text


def test_what_an_expert_lacks_is_said(folder):
    text = render(card_of(folder))
    assert "| B | 3 | 0 |  | False |" in text
    assert "C was skipped: it has no feature." in text
    assert "0 boosting rounds: none was earned, and the fusion returns the anchor." in text


def test_limits_of_use_are_on_every_card(folder, evaluation):
    for given in (None, evaluation):
        assert all(f"- {limit}\n" in render(card_of(folder, given)) for limit in LIMITATIONS)


def test_a_best_alpha_at_an_end_is_said():
    report = pd.DataFrame({"alpha": [0.3, 0.1, 0.03]})
    experts = pd.DataFrame({"hallmark": ["A"]})
    assert _ends_of_grids(report, 0.1, experts, {}) == _ends_of_grids(report[:1], 0.3, experts, {}) == []
    (sentence,) = _ends_of_grids(report, 0.03, experts, {})
    assert sentence.startswith(
        "The best alpha of the anchor, 0.03, is at an end of those that were swept (0.03 to 0.3)."
    )


def test_a_search_beyond_the_grid_is_said():
    grids = {
        "stage1": {"highest": 0.5, "lowest": 0.012, "steps": 11},
        "stage2": {"highest": 50, "lowest": 0.5, "steps": 9},
    }
    inside = pd.DataFrame({"alpha": [0.5, 0.1, 0.012]})
    experts = pd.DataFrame({"hallmark": ["A", "B"], "alpha": [0.5, 50.0]})
    assert _ends_of_grids(inside, 0.1, experts, grids) == _ends_of_grids(inside[:1], 0.5, experts, {}) == []
    further = pd.DataFrame({"alpha": [0.5, 0.1, 0.012, 0.0039]})
    assert _ends_of_grids(further, 0.1, experts.assign(alpha=[0.2, 3.0]), grids) == [
        "The sweep of the anchor continued beyond stage1.alpha (0.5 to 0.012), from 0.5 to 0.0039, because the best "
        "alpha was at an end.",
        "The best alpha of 1 of 2 experts was found beyond stage2.alpha (50 to 0.5): A.",
    ]
