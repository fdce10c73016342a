"""Pictures of the experts say which have no skill."""

import numpy as np
import pandas as pd
from picture_data import corrections, experts, predictions

from heteroage.figures import hallmarks


def test_experts_without_skill_are_said_to_have_none():
    figure = hallmarks.plot_skill(experts()).figure
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["R² +0.200", "R² -0.030, no skill"]


def test_corrections_are_the_means_of_their_tissue():
    table = predictions(tissues=3)
    years = corrections(table)
    picture = hallmarks.plot_corrections(years.sample(frac=1, random_state=1), table, experts())
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
    assert hallmarks.plot_corrections(years, table, experts()).alt.endswith("All are 0: no expert uses a feature.")


def test_hallmarks_better_than_chance_are_those_of_a_small_p():
    tested = experts().assign(statistic=0.2, p_value=[0.05, 0.0501])
    random = pd.DataFrame({"hallmark": np.repeat(tested["hallmark"], 9), "R2_Residual": np.linspace(-0.1, 0.1, 18)})
    assert hallmarks.plot_random_sets(tested, random).alt.endswith("(p of at most 0.05): Cellular Senescence.")
    only = random[random["hallmark"] == "Telomere_Attrition"]
    assert hallmarks.plot_random_sets(tested, only).alt.endswith("(p of at most 0.05): none.")
    assert hallmarks.plot_random_sets(tested, random.iloc[:0]).alt == "No hallmark was tested."
