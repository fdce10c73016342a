"""Starting the anchor from a published clock, simulated: the deployed model is the sum of both."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from heteroage.age import inverse_transform_age, transform_age
from heteroage.errors import HeteroAgeError
from heteroage.report.model_card import describe_start
from heteroage.stages import stage1
from heteroage.stages.deployable import open_start, weights_table

CONFIGURATION = {"min_cohorts": 1, "min_cap": 5, "max_cap": 24, "median_mult": 1.0}
CONFIGURATION |= {"technical_sd": 0.0, "alpha": 0.03, "l1_ratio": 0.5}


def published(data, tmp_path, share=0.6, absent=0, names=None):
    """A clock that knows the age slopes of some CpGs, with an intercept of no meaning."""
    cpgs = names or [name for name in data.feature_names if name.endswith("_beta")]
    cpgs = cpgs[: max(1, int(share * len(cpgs)))]
    X, age = data.values(cpgs).astype(float), transform_age(data.samples["Age"].to_numpy())
    rows = ["(Intercept),123"]
    for name, values in zip(cpgs, X, strict=True):
        known = ~np.isnan(values)
        slope = np.polyfit(values[known], age[known], 1)[0] / len(cpgs) if np.ptp(values[known]) else 1.0
        rows.append(f"{name},{slope:.6f}")
    rows += [f"cg9999{k:04d},1" for k in range(absent)]
    path = tmp_path / "published.csv"
    path.write_text("CpGmarker,CoefficientTraining\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return {"coefficients": str(path), "strengths": [0, 0.5, 1]}


@pytest.fixture(scope="module")
def training_data(training_data):
    """By chance one small study is missing more than a tenth of these CpGs: it gets values."""
    X, own = training_data.X.copy(), (training_data.samples["project_id"] == "p07").to_numpy()
    X[:, own] = np.where(np.isnan(X[:, own]), np.float32(0.5), X[:, own])
    return replace(training_data, X=X)


@pytest.fixture
def start(training_data, tmp_path):
    return open_start(published(training_data, tmp_path), training_data)


@pytest.mark.parametrize("technical_sd", [0.0, 0.01])
def test_the_pipeline_is_the_sum_of_both_models(training_data, start, technical_sd):
    chosen = CONFIGURATION | {"technical_sd": technical_sd, "strength": 0.7}
    data, everybody = training_data, np.arange(len(training_data.samples))
    pipeline = stage1.train(data, chosen, start=start)
    own, added = stage1._own(data, [], chosen, start, 0.7)
    paths = stage1.fit_paths(data.X, [own], [0.5], np.array([0.03]), [technical_sd], data.noisy)[0]
    expected = inverse_transform_age(data.predict(paths, everybody)[0, 0, 0] + added)
    frame = dict(zip(pipeline.feature_names_in_, data.values(list(pipeline.feature_names_in_)), strict=True))
    # Years: the paths are solved in float32.
    np.testing.assert_allclose(pipeline.predict(pd.DataFrame(frame)), expected, rtol=0, atol=2e-3)
    # Every published CpG has weight; where the net adds none, its raw weight is the published one times the strength.
    table = weights_table(pipeline).set_index("feature")["weight_raw"]
    net = {data.feature_names[k] for k in paths.used}
    alone = [k for k, place in enumerate(start.places) if data.feature_names[place] not in net]
    assert len(alone) > 0
    for k in alone:
        name = data.feature_names[start.places[k]]
        assert table[name] == pytest.approx(0.7 * start.coefficient[k])


def test_strength_0_is_the_plain_anchor(training_data, start):
    plain = stage1.cross_fit(training_data, CONFIGURATION)
    assert stage1.cross_fit(training_data, CONFIGURATION | {"strength": 0.0}, start=start).equals(plain)
    grid = stage1.Grid([CONFIGURATION], [0.0], [0.5], np.array([0.3, 0.1]))
    without = stage1.sweep(training_data, grid)
    report = stage1.sweep(training_data, replace(grid, strengths=[0.0, 0.5, 1.0]), start=start)
    first = report[report["strength"] == 0].drop(columns=["strength", "selected"]).reset_index(drop=True)
    assert first.equals(without[without["alpha"].isin(first["alpha"])].drop(columns="selected").reset_index(drop=True))
    assert "strength" not in without.columns
    assert list(report.columns)[:8] == [*CONFIGURATION, "strength"]
    assert stage1.selected_row(report, "r.csv")["strength"] in (0, 0.5, 1)


def test_an_exact_published_clock_leaves_nothing_to_learn(training_data, tmp_path):
    """Where ages are a published clock's own and nothing is missing, strength 1 has no error."""
    whole = replace(training_data, X=np.where(np.isnan(training_data.X), np.float32(0.5), training_data.X))
    start = open_start(published(whole, tmp_path), whole)
    score = start.score(start.values, np.arange(len(whole.samples)))
    exact = replace(whole, samples=whole.samples.assign(Age=inverse_transform_age(score)))
    chosen = CONFIGURATION | {"alpha": 5.0}
    # 1e-9 years: sums of floats.
    found = stage1.cross_fit(exact, chosen | {"strength": 1.0}, start=start)["out_of_fold"]
    np.testing.assert_allclose(found, exact.samples["Age"], rtol=0, atol=1e-9)
    assert np.abs(stage1.cross_fit(exact, chosen)["out_of_fold"] - exact.samples["Age"]).mean() > 0.1


@pytest.mark.parametrize("k", range(4))
def test_the_score_of_a_fold_does_not_see_that_fold(training_data, start, k):
    held_out = training_data.fold == k
    rows = np.flatnonzero(~held_out)
    values = start.values.copy()
    values[:, held_out] = np.nan
    before = start.score(start.values, rows)[rows]
    assert before.tolist() == start.score(values, rows)[rows].tolist()


def test_what_is_refused(training_data, tmp_path):
    def refused(text, given, data=training_data):
        with pytest.raises(HeteroAgeError, match=re.escape(text)):
            open_start(given, data)

    path = tmp_path / "none.csv"
    path.write_text("cpg,coefficient\ncg99990001,1\ncg99990002,1\n", encoding="utf-8")
    refused("shares no CpG with the data (its CpGs are 2: cg99990001_beta", {"coefficients": str(path)})
    given = published(training_data, tmp_path, absent=40)
    refused("the data have no column for 40. Studies with more than 10% missing: ", given)
    with pytest.raises(HeteroAgeError, match="selects a published clock's strength of 1, but the config has no stage1"):
        stage1.cross_fit(training_data, CONFIGURATION | {"strength": 1.0})


def test_what_is_said(training_data, tmp_path):
    given = published(training_data, tmp_path) | {
        "source": "Horvath 2013",
        "licence": "CC-BY",
        "trained_on": ["a", "z"],
    }
    first, second = describe_start(given, 0.5, ["a", "b"])
    assert "published clock published.csv (SHA-256 " in first
    assert "source Horvath 2013; licence CC-BY); the folds chose strength 0.5" in first
    assert "trained on studies that are among these (1: a)" in second
    assert "are probably too small" in second
    assert len(describe_start(given, 0.5, ["b"])) == len(describe_start(given, 0.0, ["a"])) == 1
    assert "does not say what that clock was trained on" in describe_start(given | {"trained_on": []}, 1, ["b"])[1]
    assert describe_start(None, 0.0, ["a"]) == []
