"""Tables of nested errors say what was measured, over the right samples, with intervals by project."""

import numpy as np
import pandas as pd
import pytest

from heteroage.errors import HeteroAgeError
from heteroage.evaluation.nested import (
    ablation,
    accuracy,
    bootstrap_mae,
    coverage,
    optimism,
    put_together,
    what_stages_add,
)


@pytest.fixture
def predictions():
    """120 samples of 6 projects; projects differ in bias, so that samples of one are not independent."""
    rng = np.random.default_rng(1)
    project = np.arange(120) % 6
    age = rng.uniform(5, 90, 120)
    anchor = age + rng.normal(0, 1, 120) + np.array([-6, -3, -1, 1, 4, 8])[project]
    return pd.DataFrame(
        {
            "sample_id": [f"s{k:03d}" for k in range(120)],
            "project_id": [f"p{k}" for k in project],
            "group": [f"p{k}" for k in project],
            "Tissue": np.where(project < 3, "Blood", "Skin"),
            "Sex": np.where(np.arange(120) % 4 < 2, "F", "M"),
            "Age": age,
            "Stage1_Pred_Age": anchor,
            "Anchor_Plus_Experts": anchor + 0.5,
            "HeteroAge": anchor + 0.5,
            "Fusion_Without_Context": anchor + 0.25,
            "HeteroAge_Lower": anchor - 4,
            "HeteroAge_Upper": anchor + 5,
            "Training_Mean_Age": 45.0,
        }
    )


def row(table, **where):
    chosen = table
    for column, value in where.items():
        chosen = chosen[chosen[column] == value]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_accuracy_is_that_of_the_stratum(predictions):
    table = accuracy(predictions)
    error = (predictions["HeteroAge"] - predictions["Age"])[predictions["Tissue"] == "Skin"]
    skin = row(table, model="HeteroAge", stratum="Tissue", level="Skin")
    assert (skin["n"], skin["n_projects"]) == (60, 3)
    assert skin["MAE"] == pytest.approx(error.abs().mean())
    assert skin["MedAE"] == pytest.approx(error.abs().median())
    assert skin["Bias"] == pytest.approx(error.mean())
    assert skin["Bias"] > 3
    overall = row(table, model="Stage1_Pred_Age", stratum="all")
    by_project = table[(table["model"] == "Stage1_Pred_Age") & (table["stratum"] == "project_id")]
    assert overall["MacroMAE"] == pytest.approx(by_project["MAE"].mean())
    assert overall["R2"] == pytest.approx(1 - (overall["n"] * 25) / (overall["n"] * 600), abs=0.1)


def test_the_mean_predictor_has_no_correlation_and_no_skill(predictions):
    floor = row(accuracy(predictions), model="Training_Mean_Age", stratum="all")
    assert np.isnan(floor["R"])
    assert floor["R2"] <= 0


def test_every_sample_is_in_one_level_of_each_stratum(predictions):
    table = accuracy(predictions)
    counts = table[table["model"] == "HeteroAge"].groupby("stratum")["n"].sum()
    assert (counts == len(predictions)).all()
    assert set(counts.index) == {"all", "project_id", "Tissue", "Sex", "Age_Band"}


def test_a_platform_is_a_stratum_where_it_is_known(predictions):
    known = predictions.assign(Platform=np.where(np.arange(120) < 80, "450K", "EPIC"))
    for table in (accuracy, coverage):
        assert "Platform" not in set(table(predictions)["stratum"])
        assert row(table(known).query("stratum == 'Platform'").drop_duplicates("level"), level="EPIC")["n"] == 40


def test_bootstrap_is_by_project(predictions):
    error = (predictions["Stage1_Pred_Age"] - predictions["Age"]).abs().to_numpy()
    (low, high), macro = bootstrap_mae(error, predictions["project_id"].to_numpy())
    assert low < error.mean() < high
    assert macro == pytest.approx((low, high), abs=0.3)  # projects of equal size
    # Were the samples independent, the interval would be a third as wide.
    independent = 2 * 1.96 * error.std() / np.sqrt(len(error))
    assert high - low > 2.5 * independent


def test_fewer_than_three_projects_have_no_interval():
    assert np.isnan(bootstrap_mae(np.ones(10), np.arange(10) % 2)).all()
    assert bootstrap_mae(np.ones(10), np.arange(10) % 3) == ((1, 1), (1, 1))


def test_coverage_counts_the_ages_inside(predictions):
    inside = predictions["Age"].between(predictions["HeteroAge_Lower"], predictions["HeteroAge_Upper"])
    overall = row(coverage(predictions), stratum="all")
    assert overall["coverage"] == inside.mean()
    assert overall["group_coverage"] == inside.groupby(predictions["group"]).mean().mean()
    assert overall["median_width"] == pytest.approx(9)
    assert row(coverage(predictions), stratum="project_id", level="p5")["coverage"] < 0.1


def test_every_part_of_the_clock_has_its_error(predictions):
    table = ablation(predictions).set_index("model")["MicroMAE"]
    assert list(table.index) == ["anchor", "anchor_plus_experts", "fusion_without_context", "full"]
    assert table["anchor_plus_experts"] == pytest.approx(table["full"])  # the same ages
    assert table["anchor"] != pytest.approx(table["full"])


def test_differences_are_paired_over_groups(predictions):
    table = ablation(predictions).set_index("model")
    error = predictions[["Stage1_Pred_Age", "HeteroAge"]].sub(predictions["Age"], axis=0).abs()
    by_group = error.groupby(predictions["group"]).mean()
    difference = by_group["HeteroAge"] - by_group["Stage1_Pred_Age"]
    assert table.loc["full", "Minus_Anchor"] == pytest.approx(difference.mean())
    assert table.loc["full", "Minus_Anchor_SE"] == pytest.approx(difference.sem())
    assert table.loc["anchor", ["Minus_Anchor", "Minus_Anchor_SE", "Minus_Previous"]].tolist() == [0, 0, 0]
    previous = table["Minus_Previous"].cumsum()
    assert previous["full"] == pytest.approx(table.loc["full", "Minus_Anchor"])


def test_what_a_stage_adds_is_said_in_a_sentence():
    table = pd.DataFrame({"model": ["anchor", "anchor_plus_experts", "fusion_without_context", "full"]})
    table = table.assign(Minus_Previous=[0, -0.3, 0.15, 0.0], Minus_Previous_SE=[0, 0.1, 0.1, 0])
    experts, fusion, context = what_stages_add(table)
    assert experts.endswith("made the error smaller (-0.30 years, paired standard error 0.10).")
    assert fusion.endswith("made no measurable difference (+0.15 years, paired standard error 0.10).")
    assert context == "Tissue, sex and RF_PCs changed nothing."


def test_the_gap_is_what_a_scoring_hides(predictions):
    flattered = predictions.assign(**dict.fromkeys(("HeteroAge", "Stage1_Pred_Age"), predictions["Age"] + 1.0))
    sweep = {"MicroMAE": 2.0, "MacroMAE": 2.0, "MicroR": 0.9}
    table = optimism(predictions, predictions, flattered, sweep)
    nested = row(table, scoring="nested", model="HeteroAge")
    assert nested["Gap_Years"] == 0
    assert row(table, scoring="random_split", model="HeteroAge")["Gap_Years"] == pytest.approx(nested["MicroMAE"] - 1)
    anchor = row(table, scoring="nested", model="Stage1_Pred_Age")
    assert row(table, scoring="sweep_best_row")["Gap_Years"] == pytest.approx(anchor["MicroMAE"] - 2)


def test_a_sample_that_two_nested_runs_predict_is_refused(predictions):
    one, other = predictions.iloc[:70], predictions.iloc[69:]
    with pytest.raises(HeteroAgeError, match=r"samples were held out twice \(1: s069\)"):
        put_together([one, other])
    assert put_together([predictions.iloc[70:], predictions.iloc[:70]]).equals(predictions)
