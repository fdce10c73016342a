"""Published clocks on the nested samples: paired differences, marks, and the sentence on the card."""

import numpy as np
import pandas as pd
import pytest

from heteroage.clock.published import PublishedClock
from heteroage.evaluation.published import published_ages, with_published, worth_training
from heteroage.report.page import published_table

RNG = np.random.default_rng(2)


@pytest.fixture
def nested():
    """Eight projects of ten samples: HeteroAge is 2 years off, the published clock `off` years."""
    age = RNG.uniform(20, 80, 80)
    table = pd.DataFrame({"sample_id": [f"s{k}" for k in range(80)], "Age": age, "HeteroAge": age + 2})
    table = table.assign(Stage1_Pred_Age=age - 3, Training_Mean_Age=50.0, Tissue="Blood", Sex="F")
    table["project_id"] = table["group"] = np.repeat([f"p{k}" for k in range(8)], 10)

    def compared(off, trained_on=(), cpgs=50):
        ages = pd.DataFrame({"sample_id": table["sample_id"], "P": age - off, "P_Missing_CpGs": 3.0})
        clocks = pd.DataFrame({"clock": ["P"], "CpGs": [cpgs]})
        return with_published(table, ages, clocks, {"P": trained_on})

    return compared


def test_differences_are_paired_by_project(nested):
    off = np.repeat([1.0, 3.0, 4.0, 5.0, 5.0, 5.0, 6.0, 7.0], 10)
    rows = nested(off, ["p1"]).query("model == 'P'").set_index(["stratum", "level"])
    by_project = rows.loc["project_id"]
    np.testing.assert_allclose(by_project["Minus_HeteroAge"], [-1, 1, 2, 3, 3, 3, 4, 5])
    assert by_project.index[by_project["In_Its_Training"] == True].tolist() == ["p1"]  # noqa: E712
    overall = rows.loc[("all", "all")]
    assert overall["Minus_HeteroAge"] == pytest.approx(2.5)
    # The bootstrap's interval: about 1.96 standard errors (1.73 / sqrt(8)) on both sides.
    assert overall["Minus_HeteroAge_Lower"] == pytest.approx(2.5 - 1.2, abs=0.3)
    assert overall["Minus_HeteroAge_Upper"] == pytest.approx(2.5 + 1.2, abs=0.3)
    assert overall["Minus_HeteroAge_SE"] == pytest.approx(by_project["Minus_HeteroAge"].std() / np.sqrt(8))
    assert overall[["Missing_CpGs", "CpGs"]].tolist() == [3, 50]
    assert set(nested(off)["model"]) == {"HeteroAge", "Stage1_Pred_Age", "Training_Mean_Age", "P"}


@pytest.mark.parametrize(
    ("off", "said"),
    [
        (5.0, "Training was worth it: the nested error of P is larger by 3.00 years"),
        (0.5, "Training was not worth it: the nested error of P is smaller by 1.50 years"),
        (np.repeat([0, 4] * 4, 10), "Training made no measurable difference: P minus HeteroAge is +0.00 years"),
    ],
)
def test_the_sentence_says_whether_training_was_worth_it(nested, off, said):
    assert worth_training(nested(off)).startswith(said)
    assert "too small" not in worth_training(nested(off, ["elsewhere"]))
    assert "in its training: its error is probably too small" in worth_training(nested(off, ["p1"]))
    assert "does not say what it was trained on (compare.P.trained_on)" in worth_training(nested(off))
    assert worth_training(nested(off).drop(columns="Minus_HeteroAge")) == ""


def test_the_sentence_has_the_standard_error_and_says_that_much_is_missing(nested):
    off = np.repeat([1.0, 3.0, 4.0, 5.0, 5.0, 5.0, 6.0, 7.0], 10)
    said = worth_training(nested(off))
    assert "(mean over 8 projects, paired; standard error 0.65, 95% interval +" in said
    assert "unfair" not in said
    assert "Samples were missing 3 of its 9 CpGs: the comparison is unfair to it." in worth_training(
        nested(off, cpgs=9)
    )


def test_readers_see_all_samples_and_each_project(nested):
    table = published_table(nested(5.0, ["p1"]))
    shown = pd.DataFrame(table["rows"], columns=table["head"])
    assert shown["project"].tolist() == ["all", *(f"p{k}" for k in range(8))]
    assert shown.loc[shown["in its training"] == "yes", "project"].tolist() == ["all", "p1"]
    assert shown[["samples", "CpGs missing", "of"]].iloc[0].tolist() == ["80", "3.0", "50"]
    assert published_table(nested(5.0).drop(columns="Minus_HeteroAge")) is None


def test_missing_values_take_medians_of_other_outer_folds():
    store = np.array([[0.1, 0.2, 0.9, np.nan], [0.5, 0.5, 0.5, 0.5]], np.float32)
    samples = pd.DataFrame({"sample_id": list("abcd"), "outer_fold": [0, 1, 2, 2]})
    features, coefficients = ["cg1_beta", "cg2_beta", "cg3_beta"], np.array([10.0, 2.0, 1.0])
    one = PublishedClock(features, coefficients, 0.0, "", name="P")
    ages = published_ages([one], store, ["cg1_beta", "cg2_beta"], samples, pd.Series([True] * 4))
    # d takes the median of a and b, not of c of its own fold; cg3 is nowhere and counts 0.
    np.testing.assert_allclose(ages["P"], [2, 3, 10, 2.5], rtol=1e-6)  # float32
    assert ages["P_Missing_CpGs"].tolist() == [1, 1, 1, 2]
