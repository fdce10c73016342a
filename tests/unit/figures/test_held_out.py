"""Every sample is in one panel, however many tissues there are."""

import re

import pandas as pd
from picture_data import predictions

from heteroage.figures import held_out


def test_a_study_of_many_tissues_shares_the_last_panel():
    table = predictions(tissues=12)
    panels = [axis.get_title() for axis in held_out.plot_tissues(table).figure.axes if axis.get_title()]
    assert len(panels) == held_out.MOST_PANELS
    assert panels[-1].startswith("5 other tissues (n = 50)")


def test_panels_count_every_sample_once():
    table = predictions(tissues=12)
    titles = " ".join(axis.get_title() for axis in held_out.plot_tissues(table).figure.axes)
    assert sum(map(int, re.findall(r"n = (\d+)", titles))) == len(table)


def test_a_panels_error_is_that_of_its_tissue():
    table = predictions(tissues=3)
    error = (table["HeteroAge"] - table["Age"]).abs().groupby(table["Tissue"]).mean()
    picture = held_out.plot_tissues(table)
    for axis in picture.figure.axes:
        tissue = axis.get_title().partition(" ")[0]
        if tissue:
            assert f"MAE {error[tissue]:.1f} years" in axis.get_title()
            assert f"{tissue} {error[tissue]:.1f} years (n = 40)" in picture.alt


def test_the_largest_projects_are_drawn_by_their_median_error():
    table = predictions(projects=50, n=420).sample(frac=1, random_state=1)
    picture = held_out.plot_projects(table)
    assert picture.title == "Error by project (the 40 largest of 50)"
    shown = [label.get_text().partition(" ")[0] for label in picture.figure.axes[0].get_yticklabels()]
    sizes = table["project_id"].value_counts()
    assert sizes[shown].min() >= sizes.drop(shown).max()
    errors = (table["HeteroAge"] - table["Age"]).groupby(table["project_id"]).median()[shown]
    assert errors.is_monotonic_increasing


def test_samples_of_unknown_health_are_left_out_of_the_acceleration():
    table = predictions().assign(Age_Acceleration_Residual=1.0, Is_Healthy=True)
    table["Is_Healthy"] = table["Is_Healthy"].astype(object)
    table.loc[:9, "Is_Healthy"] = False
    table.loc[10:19, "Is_Healthy"] = None
    labels = [label.get_text() for label in held_out.plot_acceleration(table).figure.axes[0].get_yticklabels()]
    assert labels[0] == "all samples (n = 100 + 10)"


def test_intervals_that_were_not_calibrated_are_said_to_be_none():
    coverage = pd.DataFrame({"stratum": ["all"], "level": ["all"], "n": [12], "coverage": [0.9], "median_width": 20.0})
    for picture in (held_out.plot_coverage(coverage, None), held_out.plot_coverage(coverage.iloc[:0], 0.9)):
        assert picture.alt == "No intervals were calibrated."
    assert held_out.plot_coverage(coverage, 0.9).alt.endswith("All samples: 90.0%.")


def test_a_scoring_that_has_no_name_keeps_its_own():
    assert held_out.scoring_name("nested", "HeteroAge") == "HeteroAge: nested"
    assert held_out.scoring_name("sweep_best_row", "Stage1_Pred_Age") == "Anchor: sweep's best row"
    assert held_out.scoring_name("something_new", "HeteroAge") == "HeteroAge: something_new"
