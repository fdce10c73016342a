"""Pictures of the audit show the numbers of its tables, and name what lies out."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from heteroage.checks.samples import ages_by_project, associations
from heteroage.figures import audit


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def texts(axis):
    return [text.get_text() for text in axis.texts]


@pytest.fixture
def people():
    rng = np.random.default_rng(1)
    samples = pd.DataFrame({"project_id": ["old"] * 6 + ["young"] * 4 + ["ageless"] * 2, "Sex": ["F", "M"] * 6})
    samples["Tissue"] = ["Blood"] * 8 + ["Skin"] * 4
    samples["Age"] = [*rng.uniform(60, 80, 6), *rng.uniform(5, 20, 4), np.nan, np.nan]
    return samples.assign(trains=samples["Age"].notna() & (samples.index != 3))


def test_cells_of_projects_and_tissues_hold_every_sample_once(people):
    axis = audit.plot_confounding(people, associations(people)).axes[0]
    assert sorted(map(int, texts(axis))) == [2, 2, 2, 6]
    assert sum(map(int, texts(axis))) == len(people)
    assert [label.get_text() for label in axis.get_yticklabels()] == ["ageless", "young", "old"]  # by age
    between = associations(people).set_index(["first", "second"])["value"]["project_id", "Age"]
    assert f"study explains {100 * between:.0f}% of the variance of age" in axis.get_title()


def test_a_share_that_is_not_known_is_said_to_be_unknown(people):
    same = people.assign(Age=50.0)
    title = audit.plot_confounding(same, associations(same)).axes[0].get_title()
    assert "study explains an unknown share of the variance of age" in title
    title = audit.plot_confounding(people, associations(people.assign(Tissue="Blood"))).axes[0].get_title()
    assert "nan" not in title  # of one tissue, there is no association to tell


def test_projects_without_ages_are_left_out_and_all_ages_are_drawn(people):
    axis = audit.plot_ages(people, ages_by_project(people)).axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["old (6)", "young (4)"]
    drawn = np.concatenate([points.get_offsets()[:, 0] for points in axis.collections])
    np.testing.assert_array_equal(np.sort(drawn), np.sort(people["Age"].dropna()))


def test_overlap_counts_are_written_at_their_bars():
    overlap = pd.DataFrame({"modalities": ["beta", "beta+chalm"], "n_samples": [1234, 0], "n_cpgs": [450_000, 7]})
    figure = audit.plot_overlap(overlap)
    assert [texts(axis) for axis in figure.axes] == [["1,234", "0"], ["450,000", "7"]]


def test_missingness_is_of_all_samples_and_features():
    by_sample = pd.DataFrame({"modality": "beta", "missing_fraction": [0.0, 0.1, 0.1, 1.0]})
    by_cpg = pd.DataFrame({"modality": "beta", "missing_fraction": ["none", "all"], "n_features": [1500, 0]})
    left, right = audit.plot_missingness(by_sample, by_cpg).axes
    assert sum(bar.get_height() for bar in left.patches) == 4
    assert (left.get_title(), right.get_title()) == ("beta: 4 samples", "beta: 1,500 features")
    assert texts(right) == ["1,500", ""]


def test_outliers_are_ringed_and_the_farthest_named():
    n = 40
    table = pd.DataFrame({"sample_id": [f"s{k:02d}" for k in range(n)], "modality": "beta", "Tissue": "Blood"})
    table["PC1"], table["PC2"] = np.arange(n) * 1.0, np.arange(n) * -1.0
    table = table.assign(Outlier=table.index < 15, Farthest_PC="PC2")
    axis = audit.plot_pc_space(table).axes[0]
    assert axis.get_title() == "beta: 15 outliers in 40 samples"
    assert texts(axis) == [f"s{k:02d} (PC2)" for k in range(audit.NAMED)]
    np.testing.assert_array_equal(axis.collections[-1].get_offsets()[:, 0], np.arange(15))


def test_hallmarks_say_how_many_of_their_cpgs_are_in_the_data():
    table = pd.DataFrame({"hallmark": ["One", "Two"], "cpgs": [1500, 3], "cpgs_in_data": [1200, 0]})
    assert texts(audit.plot_hallmarks(table).axes[0]) == ["1,200 of 1,500", "0 of 3"]


@pytest.mark.parametrize("signals", [["X_Signal", "Y_Signal"], ["X_Signal"], []])
def test_labels_that_disagree_are_counted_and_named(signals):
    table = pd.DataFrame({"sample_id": ["a", "b", "c"], "Sex": ["F", "M", "unknown"]})
    table["Predicted_Sex"], table["Mismatch"] = ["M", "M", "unknown"], [True, False, False]
    for name in ("X_Signal", "Y_Signal"):
        table[name] = [0.9, 0.8, 0.1] if name in signals else np.nan
    axis = audit.plot_sex(table).axes[0]
    assert axis.get_title() == "1 labels disagree; 2 of 3 samples could be told"
    assert texts(axis) == ["a"]
    labels = [label.get_text() for label in axis.get_legend().get_texts()]
    assert labels == ["labelled F (1)", "labelled M (1)", "labelled unknown (1)"]
