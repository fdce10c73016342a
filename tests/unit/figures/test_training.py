"""Pictures of the training: the sweep marks the chosen configuration; contributions lead from anchor to HeteroAge."""

import numpy as np
import pandas as pd
import pytest
from picture_data import contributions, sweep_report

from heteroage.figures import training
from heteroage.figures.hallmarks import noise_marked
from heteroage.figures.style import Picture
from heteroage.stages import stage3


def test_a_given_configuration_is_said_to_be_given():
    picture = training.plot_sweep(sweep_report().drop(columns="Score"))
    assert isinstance(picture, Picture)
    assert "not swept" in picture.alt


def test_the_chosen_configuration_is_marked_where_it_lies():
    report = sweep_report().sample(frac=1, random_state=1)
    chosen = report[report["selected"]].iloc[0]
    picture = training.plot_sweep(report)
    (star,) = [line for line in picture.figure.axes[0].lines if line.get_label() == "chosen"]
    assert star.get_xydata().tolist() == [[chosen["alpha"], -chosen["Score"]]]
    labels = [line.get_label() for line in picture.figure.axes[0].lines]
    assert labels.count("other balancing or technical_sd") == 1
    assert [label for label in labels if label.startswith("l1")] == ["l1_ratio 0.1", "l1_ratio 0.9"]
    assert "Error of 12 configurations" in picture.alt
    assert "Chosen: alpha 0.1, l1_ratio 0.9, error 5.00 years" in picture.alt


def test_a_fusion_without_rounds_says_so_instead_of_drawing_nothing():
    flat = contributions().assign(Cellular_Senescence_Correction=0.0, Stage1_Pred_Age_Contribution=0.0, Bias=0.0)
    for picture in (training.plot_cohort(flat), training.plot_sample(flat.iloc[0])):
        assert "earned no boosting rounds" in picture.alt


def test_a_samples_steps_lead_from_the_anchor_to_heteroage():
    row = contributions().iloc[3]
    axis = training.plot_sample(row).figure.axes[0]
    ends = [bar.get_x() + bar.get_width() for bar in axis.patches]
    assert len(ends) == 3
    assert ends[-1] == pytest.approx(row["HeteroAge"])
    assert axis.patches[0].get_x() == pytest.approx(row["Stage1_Pred_Age"])


def test_corrections_of_experts_without_skill_are_marked():
    experts = pd.DataFrame({"hallmark": ["Cellular_Senescence", "Telomere_Attrition"], "skill": [False, True]})
    table = contributions().rename(columns=noise_marked(experts))
    for picture in (training.plot_cohort(table), training.plot_sample(table.iloc[3])):
        assert "Cellular Senescence (no skill: noise)" in picture.alt


def test_contributions_add_up_to_heteroage(tmp_path):
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"Stage1_Pred_Age": rng.uniform(20, 80, 200), "A_Correction": rng.normal(0, 2, 200)})
    frame["Tissue"], frame["Sex"] = rng.choice(["Blood", "Skin"], 200), rng.choice(["F", "M"], 200)
    age = (frame["Stage1_Pred_Age"] + frame["A_Correction"] + 5 * (frame["Sex"] == "F")).to_numpy()
    categories = stage3.categories_of(frame)
    booster = stage3.boost(frame, age, categories, {"learning_rate": 0.3, "min_data_in_leaf": 5}, 15)
    booster.save_model(tmp_path / "model.txt")
    table = training.contributions(tmp_path / "model.txt", frame, categories)
    np.testing.assert_allclose(table["HeteroAge"], stage3.fuse(booster, frame, categories), atol=1e-9)
    np.testing.assert_allclose(table["HeteroAge"], table.drop(columns="HeteroAge").sum(axis=1), atol=1e-9)
    moved = (table["HeteroAge"] - table["Stage1_Pred_Age"]).abs()
    assert training.most_moved(table).name == moved.idxmax()
    assert table["Sex"].abs().mean() > 1
