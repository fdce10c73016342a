"""Pictures of the training: the sweep marks the chosen configuration; contributions lead from anchor to HeteroAge."""

import numpy as np
import pandas as pd
import pytest
from picture_data import contributions, corrections, experts, predictions, sweep_report

from heteroage.figures import training
from heteroage.figures.style import Picture


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
    for picture in (training.plot_cohort(flat), training.plot_sample(flat)):
        assert "earned no boosting rounds" in picture.alt


def test_a_samples_steps_lead_from_the_anchor_to_heteroage():
    table = contributions()
    row = table.loc[(table["HeteroAge"] - table["Stage1_Pred_Age"]).abs().idxmax()]
    picture = training.plot_sample(table)
    assert picture.title == f"One sample: {row['sample_id']}"
    axis = picture.figure.axes[0]
    ends = [bar.get_x() + bar.get_width() for bar in axis.patches]
    assert len(ends) == 3
    assert ends[-1] == pytest.approx(row["HeteroAge"])
    assert axis.patches[0].get_x() == pytest.approx(row["Stage1_Pred_Age"])


def test_corrections_of_experts_without_skill_are_marked():
    experts = pd.DataFrame({"hallmark": ["Cellular_Senescence", "Telomere_Attrition"], "skill": [False, True]})
    table = contributions().rename(columns=training.noise_marked(experts))
    for picture in (training.plot_cohort(table), training.plot_sample(table)):
        assert "Cellular Senescence (no skill: noise)" in picture.alt


def test_experts_without_skill_are_said_to_have_none():
    figure = training.plot_skill(experts()).figure
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["R² +0.200", "R² -0.030, no skill"]


def test_corrections_are_the_means_of_their_tissue():
    table = predictions(tissues=3)
    years = corrections(table)
    picture = training.plot_corrections(years.sample(frac=1, random_state=1), table, experts())
    sizes = years["Cellular_Senescence_Correction"].abs().groupby(table["Tissue"].to_numpy()).mean()
    texts = [text.get_text() for text in picture.figure.axes[0].texts]
    assert texts == [*(f"{sizes[tissue]:.2f}" for tissue in sorted(sizes.index)), "0", "0", "0"]
    assert [label.get_text() for label in picture.figure.axes[0].get_yticklabels()] == [
        "Cellular Senescence",
        "Telomere Attrition\n(no skill: noise)",
    ]
    assert "Noise, as their experts have no skill: Telomere Attrition." in picture.alt
    assert f"Largest: Cellular Senescence in {sizes.idxmax()}, {sizes.max():.2f} years." in picture.alt


def test_corrections_of_nothing_are_said_to_be_0():
    table = predictions()
    years = corrections(table).assign(Cellular_Senescence_Correction=0.0)
    assert training.plot_corrections(years, table, experts()).alt.endswith("All are 0: no expert uses a feature.")


def test_hallmarks_better_than_chance_are_those_of_a_small_p():
    tested = experts().assign(statistic=0.2, p_value=[0.05, 0.0501])
    random = pd.DataFrame({"hallmark": np.repeat(tested["hallmark"], 9), "R2_Residual": np.linspace(-0.1, 0.1, 18)})
    assert training.plot_random_sets(tested, random).alt.endswith("(p of at most 0.05): Cellular Senescence.")
    only = random[random["hallmark"] == "Telomere_Attrition"]
    assert training.plot_random_sets(tested, only).alt.endswith("(p of at most 0.05): none.")
    assert training.plot_random_sets(tested, random.iloc[:0]).alt == "No hallmark was tested."
