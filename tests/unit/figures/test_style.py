"""Every picture names its units, is described in words, and has the same bytes each time."""

import re

import numpy as np
import pandas as pd
import pytest
from picture_data import RNG, ablation, contributions, corrections, experts, predictions, sweep_report, tuning_curve

from heteroage.figures import held_out, training
from heteroage.figures.style import Picture, draw_spread, new_axes, save_picture, spread_sideways

UNIT = re.compile(r"\((?:years|seconds|%|no unit|penalty, .*)\)|\(%\)")


def every_picture():
    table = predictions()
    scores = pd.DataFrame({"MicroMAE": [4.0, 5.0], "MacroMAE": [4.2, 5.2], "R": 0.9, "Gap_Years": [1.0, 0.0]})
    coverage = pd.DataFrame({"stratum": ["all", "Tissue"], "level": ["all", "Blood"], "n": [100, 20]})
    coverage = coverage.assign(coverage=[0.91, 0.8], median_width=20.0)
    random = pd.DataFrame({"hallmark": "Cellular_Senescence", "set": range(9), "R2_Residual": RNG.normal(0, 0.1, 9)})
    accelerated = table.assign(Age_Acceleration_Residual=RNG.normal(0, 3, len(table)), Is_Healthy=table.index % 3 > 0)
    importance = pd.DataFrame({"feature": ["Sex", "RF_PC1"], "split_count": [3, 0]})
    return {
        "tissues": held_out.plot_tissues(table),
        "projects": held_out.plot_projects(table),
        "sweep": training.plot_sweep(sweep_report()),
        "rounds": training.plot_rounds(tuning_curve()),
        "skill": training.plot_skill(experts()),
        "corrections": training.plot_corrections(corrections(table), table, experts()),
        "random_sets": training.plot_random_sets(experts().assign(statistic=0.2, p_value=[0.01, 0.6]), random),
        "optimism": held_out.plot_optimism(scores.assign(scoring=["random_split", "nested"], model="HeteroAge")),
        "ablation": held_out.plot_ablation(ablation()),
        "coverage": held_out.plot_coverage(coverage, 0.9),
        "acceleration": held_out.plot_acceleration(accelerated),
        "importance": training.plot_importance(importance.assign(mean_abs_contribution_years=[0.4, 0.0])),
        "cohort": training.plot_cohort(contributions()),
        "sample": training.plot_sample(contributions()),
    }


PICTURES = every_picture()


@pytest.mark.parametrize("name", PICTURES)
def test_every_axis_names_its_unit(name):
    figure = PICTURES[name].figure
    labels = [axis.get_xlabel() for axis in figure.axes] + [axis.get_ylabel() for axis in figure.axes]
    labels += [figure.get_supxlabel(), figure.get_supylabel()]
    labels = [label for label in labels if label]
    assert [label for label in labels if not UNIT.search(label)] == []
    assert labels


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_described_in_words_with_numbers(name):
    assert PICTURES[name].title
    assert re.search(r"\d", PICTURES[name].alt)


def test_equal_pictures_give_equal_bytes_without_a_date(tmp_path):
    for name in ("one", "other"):
        save_picture(held_out.plot_ablation(ablation()), tmp_path / f"{name}.svg")
    content = (tmp_path / "one.svg").read_bytes()
    assert content == (tmp_path / "other.svg").read_bytes()
    assert b"dc:date" not in content


def test_points_of_a_row_stay_near_it_and_apart():
    values = np.sort(np.random.default_rng(1).normal(size=500))
    offsets = spread_sideways(values, 0.3)
    assert np.abs(offsets).max() <= 0.3
    bins = np.minimum((values - values.min()) / np.ptp(values) * 40, 39).astype(int)
    assert len(set(zip(bins.tolist(), offsets.tolist(), strict=True))) == 500
    assert spread_sideways(np.full(9, 2.0), 0.3).tolist() == [0.0] * 9
    assert spread_sideways(np.empty(0), 0.3).size == 0


def test_a_spread_is_drawn_at_its_quantiles():
    _, axis = new_axes(1.0)
    draw_spread(axis, 2, np.arange(101.0), "k")
    thin, thick, dot = axis.lines
    assert thin.get_xdata().tolist() == [5, 95]
    assert thick.get_xdata().tolist() == [25, 75]
    assert dot.get_xydata().tolist() == [[50, 2]]


def test_names_in_scripts_that_the_font_does_not_have_stay_text(tmp_path, recwarn):
    for name in ("\u7ec4\u7ec7", "Tissue"):  # Chinese for tissue
        figure, axis = new_axes(2)
        axis.set_xlabel(name)
        save_picture(Picture(figure, "title", "alt"), tmp_path / "picture.svg")
        drawn = (tmp_path / "picture.svg").read_text(encoding="utf-8")
        assert (f">{name}</text>" in drawn) is (name != "Tissue")
    assert not recwarn.list
