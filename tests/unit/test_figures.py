import re

import numpy as np
import pandas as pd
import pytest

from heteroage.figures import acceleration, accuracy, evaluation, explanation, hallmarks, jobs, tuning
from heteroage.figures.style import Picture, save_picture

RNG = np.random.default_rng(5)
UNIT = re.compile(r"\((?:years|seconds|%|no unit|penalty, .*)\)|\(%\)")


def predictions(tissues=3, projects=6, n=120):
    ages = RNG.uniform(2, 90, n).round(1)
    rows = np.arange(n)
    return pd.DataFrame(
        {
            "sample_id": [f"s{k:03d}" for k in rows],
            "project_id": [f"p{k % projects:02d}" for k in rows],
            "Tissue": [f"tissue_{k % tissues:02d}" for k in rows],
            "Sex": np.where(rows % 2, "F", "M"),
            "Age": ages,
            "fold": rows % 4,
            "Stage1_Pred_Age": ages + RNG.normal(0, 4, n),
            "HeteroAge": ages + RNG.normal(0, 3, n),
        }
    )


def sweep_report():
    rows = [(1, 30, 500, m, a, r) for m in (1.0, 2.0) for r in (0.1, 0.9) for a in (0.4, 0.2, 0.1)]
    report = pd.DataFrame(rows, columns=["min_cohorts", "min_cap", "max_cap", "median_mult", "alpha", "l1_ratio"])
    report["Score"] = -np.linspace(9, 5, len(rows))
    return report.assign(n_features=10.0, selected=np.arange(len(rows)) == len(rows) - 1)


def experts():
    return pd.DataFrame(
        {
            "hallmark": ["Cellular_Senescence", "Telomere_Attrition"],
            "R2_Residual": [0.2, -0.03],
            "skill": [True, False],
        }
    )


def corrections(table):
    years = RNG.normal(0, 1, len(table))
    return pd.DataFrame(
        {
            "sample_id": table["sample_id"],
            "Cellular_Senescence_Correction": years,
            "Telomere_Attrition_Correction": 0.0,
        }
    )


def contributions(n=30):
    table = pd.DataFrame({"sample_id": [f"s{k}" for k in range(n)], "Stage1_Pred_Age": RNG.uniform(20, 80, n)})
    table["Cellular_Senescence_Correction"] = RNG.normal(0, 2, n)
    table["Stage1_Pred_Age_Contribution"] = RNG.normal(0, 0.2, n)
    return table.assign(Bias=0.1, HeteroAge=table.iloc[:, 1:].sum(axis=1) + 0.1)


def every_picture():
    table = predictions()
    scores = pd.DataFrame({"MicroMAE": [4.0, 5.0], "MacroMAE": [4.2, 5.2], "R": 0.9, "Gap_Years": [1.0, 0.0]})
    coverage = pd.DataFrame({"stratum": ["all", "Tissue"], "level": ["all", "Blood"], "n": [100, 20]})
    coverage = coverage.assign(coverage=[0.91, 0.8], median_width=20.0)
    random = pd.DataFrame({"hallmark": "Cellular_Senescence", "set": range(9), "R2_Residual": RNG.normal(0, 0.1, 9)})
    accelerated = table.assign(Age_Acceleration_Residual=RNG.normal(0, 3, len(table)), Is_Healthy=table.index % 3 > 0)
    importance = pd.DataFrame({"feature": ["Sex", "RF_PC1"], "split_count": [3, 0]})
    benchmarks = {"sweep_stage1": pd.DataFrame({"s": [12.5, 3.0], "max_rss": [200.0, "-"]})}
    return {
        "tissues": accuracy.plot_tissues(table),
        "projects": accuracy.plot_projects(table),
        "sweep": tuning.plot_sweep(sweep_report()),
        "skill": hallmarks.plot_skill(experts()),
        "corrections": hallmarks.plot_corrections(corrections(table), table),
        "random_sets": hallmarks.plot_random_sets(experts().assign(statistic=0.2, p_value=[0.01, 0.6]), random),
        "optimism": evaluation.plot_optimism(scores.assign(scoring=["random_split", "nested"], model="HeteroAge")),
        "ablation": evaluation.plot_ablation(scores.assign(model=["anchor", "full"])),
        "coverage": evaluation.plot_coverage(coverage, 0.9),
        "acceleration": acceleration.plot_acceleration(accelerated),
        "importance": explanation.plot_importance(importance.assign(mean_abs_contribution_years=[0.4, 0.0])),
        "cohort": explanation.plot_cohort(contributions()),
        "sample": explanation.plot_sample(contributions().iloc[0]),
        "run_times": jobs.plot_run_times(jobs.sum_run_times(benchmarks)),
        "rules": jobs.plot_rules([("build_feature_store", "sweep_stage1"), ("sweep_stage1", "train_stage1")]),
    }


PICTURES = every_picture()


@pytest.mark.parametrize("name", PICTURES)
def test_every_axis_names_its_unit(name):
    figure = PICTURES[name].figure
    labels = [axis.get_xlabel() for axis in figure.axes] + [axis.get_ylabel() for axis in figure.axes]
    labels += [figure.get_supxlabel(), figure.get_supylabel()]
    labels = [label for label in labels if label]
    assert [label for label in labels if not UNIT.search(label)] == []
    assert labels or name == "rules"


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_described_in_words_with_numbers(name):
    assert PICTURES[name].title
    assert re.search(r"\d", PICTURES[name].alt)


def test_equal_pictures_give_equal_bytes_without_a_date(tmp_path):
    for name in ("one", "other"):
        save_picture(evaluation.plot_ablation(ablation()), tmp_path / f"{name}.svg")
    content = (tmp_path / "one.svg").read_bytes()
    assert content == (tmp_path / "other.svg").read_bytes()
    assert b"dc:date" not in content


def ablation():
    return pd.DataFrame({"model": ["anchor", "full"], "MicroMAE": [4.0, 3.9], "MacroMAE": [4.1, 4.0], "R": 0.9})


def test_a_study_of_many_tissues_shares_the_last_panel():
    table = predictions(tissues=12)
    panels = [axis.get_title() for axis in accuracy.plot_tissues(table).figure.axes if axis.get_title()]
    assert len(panels) == accuracy.MOST_PANELS
    assert panels[-1].startswith("5 other tissues (n = 50)")


def test_panels_count_every_sample_once():
    table = predictions(tissues=12)
    titles = " ".join(axis.get_title() for axis in accuracy.plot_tissues(table).figure.axes)
    assert sum(map(int, re.findall(r"n = (\d+)", titles))) == len(table)


def test_experts_without_skill_are_said_to_have_none():
    figure = hallmarks.plot_skill(experts()).figure
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["R² +0.200", "R² -0.030, no skill"]


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


def test_samples_of_unknown_health_are_left_out_of_the_acceleration():
    table = predictions().assign(Age_Acceleration_Residual=1.0, Is_Healthy=True)
    table["Is_Healthy"] = table["Is_Healthy"].astype(object)
    table.loc[:9, "Is_Healthy"] = False
    table.loc[10:19, "Is_Healthy"] = None
    labels = [label.get_text() for label in acceleration.plot_acceleration(table).figure.axes[0].get_yticklabels()]
    assert labels[0] == "all samples (n = 100 + 10)"


def test_shortcuts_are_left_out_and_the_ways_stay():
    edges = [("a", "b"), ("b", "c"), ("a", "c"), ("d", "c"), ("a", "e"), ("e", "c")]
    assert jobs.without_shortcuts(edges) == [("a", "b"), ("a", "e"), ("b", "c"), ("d", "c"), ("e", "c")]


def test_rules_stand_below_what_they_need_and_few_beside_each_other():
    edges = [("a", f"b{k}") for k in range(9)] + [(f"b{k}", "c") for k in range(9)] + [("late", "d"), ("c", "d")]
    lines = jobs.arrange(edges)
    line_of = {rule: k for k, line in enumerate(lines) for rule in line}
    assert all(line_of[start] < line_of[end] for start, end in edges)
    assert max(map(len, lines)) <= jobs.MOST_BESIDE
    assert sorted(line_of) == sorted({rule for edge in edges for rule in edge})
    assert line_of["late"] == line_of["c"]  # not at the top, far from its only use


def test_the_range_of_a_share_holds_it_and_narrows_with_samples():
    low, high = evaluation.wilson(1.0, 30)
    assert 0.85 < low < high == pytest.approx(1.0)
    widths = [np.diff(evaluation.wilson(0.9, n))[0] for n in (10, 100, 1000)]
    assert widths == sorted(widths, reverse=True)


def test_run_times_add_up_by_rule():
    tables = {"train_expert": pd.DataFrame({"s": [1.0, 2.5], "max_rss": ["-", 90.5]})}
    assert jobs.sum_run_times(tables).to_dict("records") == [
        {"rule": "train_expert", "jobs": 2, "seconds": 3.5, "most_memory_mb": 90.5}
    ]


def test_a_given_configuration_is_said_to_be_given():
    picture = tuning.plot_sweep(sweep_report().drop(columns="Score"))
    assert isinstance(picture, Picture)
    assert "not swept" in picture.alt
