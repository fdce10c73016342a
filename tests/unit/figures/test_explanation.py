"""A sample's contributions lead from its anchor to its HeteroAge."""

import pandas as pd
import pytest
from picture_data import contributions

from heteroage.figures import explanation
from heteroage.figures.hallmarks import noise_marked


def test_a_fusion_without_rounds_says_so_instead_of_drawing_nothing():
    flat = contributions().assign(Cellular_Senescence_Correction=0.0, Stage1_Pred_Age_Contribution=0.0, Bias=0.0)
    for picture in (explanation.plot_cohort(flat), explanation.plot_sample(flat.iloc[0])):
        assert "earned no boosting rounds" in picture.alt


def test_a_samples_steps_lead_from_the_anchor_to_heteroage():
    row = contributions().iloc[3]
    axis = explanation.plot_sample(row).figure.axes[0]
    ends = [bar.get_x() + bar.get_width() for bar in axis.patches]
    assert len(ends) == 3
    assert ends[-1] == pytest.approx(row["HeteroAge"])
    assert axis.patches[0].get_x() == pytest.approx(row["Stage1_Pred_Age"])


def test_corrections_of_experts_without_skill_are_marked():
    experts = pd.DataFrame({"hallmark": ["Cellular_Senescence", "Telomere_Attrition"], "skill": [False, True]})
    table = contributions().rename(columns=noise_marked(experts))
    for picture in (explanation.plot_cohort(table), explanation.plot_sample(table.iloc[3])):
        assert "Cellular Senescence (no skill: noise)" in picture.alt
