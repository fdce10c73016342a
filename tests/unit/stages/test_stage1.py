"""The anchor: equal to a plain recomputation, and blind to the fold that it predicts."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from altered_data import altered
from weighted_pipeline import weights_of

from heteroage.engine import elastic_net, feature_pass
from heteroage.errors import HeteroAgeError
from heteroage.metrics import score_predictions
from heteroage.stages import stage1
from heteroage.stages.training_data import MOST_ALPHAS

BALANCING = {"min_cohorts": 1, "min_cap": 5, "max_cap": 24, "median_mult": 1.0}
CONFIGURATION = BALANCING | {"technical_sd": 0.0, "alpha": 0.03, "l1_ratio": 0.5}
ALPHAS = np.array([0.3, 0.1, 0.03, 0.01])
GRID = stage1.Grid([BALANCING, BALANCING | {"max_cap": 12}], [0.0, 0.02], [0.5, 1.0], ALPHAS)
# Years: both solvers stop within their tolerance of the one optimum, some 1e-6 of the age range away from it.
SOLVER = 1e-3


@pytest.fixture(scope="module")
def anchor(training_data):
    return stage1.cross_fit(training_data, CONFIGURATION)


@pytest.fixture(scope="module")
def report(training_data):
    return stage1.sweep(training_data, GRID)


def plain(make_pipeline, data, excluded, predicted, configuration):
    """Impute, standardise and fit without the excluded folds, with scikit-learn alone; predict a fold."""
    age = data.samples["Age"].to_numpy()
    own = data.training_set(excluded, configuration, age)
    X = data.X.T.astype(np.float64)
    model = make_pipeline(configuration["alpha"], configuration["l1_ratio"], True)
    model.fit(X[own.rows], own.y, **weights_of(model, own))
    return model.predict(X[data.fold == predicted])


# Cross-fitting


def test_columns_and_rows(training_data, anchor):
    assert list(anchor.columns) == ["sample_id", "out_of_fold", *(f"without_fold_{k}" for k in range(4))]
    assert anchor["sample_id"].tolist() == training_data.samples["sample_id"].tolist()
    assert np.isfinite(anchor.drop(columns="sample_id").to_numpy()).all()


def test_a_fold_is_the_same_in_its_own_view_as_out_of_fold(training_data, anchor):
    for k in range(4):
        own = training_data.fold == k
        assert anchor.loc[own, f"without_fold_{k}"].tolist() == anchor.loc[own, "out_of_fold"].tolist()
        assert (anchor.loc[~own, f"without_fold_{k}"] != anchor.loc[~own, "out_of_fold"]).all()


def test_every_view_equals_a_plain_recomputation_fold_by_fold(training_data, anchor, make_pipeline):
    for k in range(4):
        rows = training_data.fold == k
        expected = plain(make_pipeline, training_data, [k], k, CONFIGURATION)
        np.testing.assert_allclose(anchor.loc[rows, "out_of_fold"], expected, rtol=0, atol=SOLVER)
        assert np.ptp(expected) > 20  # the comparison is of a model that says something
        for unseen in set(range(4)) - {k}:
            expected = plain(make_pipeline, training_data, [k, unseen], k, CONFIGURATION)
            np.testing.assert_allclose(anchor.loc[rows, f"without_fold_{unseen}"], expected, rtol=0, atol=SOLVER)


@pytest.mark.parametrize("k", range(4))
def test_nobody_in_view_k_has_seen_fold_k(training_data, anchor, k):
    rows = training_data.fold == k
    other = stage1.cross_fit(altered(training_data, rows, ages=True, features=True), CONFIGURATION)
    view = f"without_fold_{k}"
    assert other.loc[~rows, view].tolist() == anchor.loc[~rows, view].tolist()
    # The change was large enough to be seen by those who may look.
    assert (other.loc[~rows, "out_of_fold"] != anchor.loc[~rows, "out_of_fold"]).all()


@pytest.mark.parametrize("k", range(4))
def test_a_folds_own_ages_do_not_move_its_predictions(training_data, anchor, k):
    rows = training_data.fold == k
    other = stage1.cross_fit(altered(training_data, rows, ages=True), CONFIGURATION)
    for view in ("out_of_fold", f"without_fold_{k}"):
        assert other.loc[rows, view].tolist() == anchor.loc[rows, view].tolist()


def test_a_samples_prediction_does_not_depend_on_the_others_of_its_fold(training_data, anchor):
    others = training_data.fold == 1
    one = np.flatnonzero(others)[0]
    others[one] = False
    other = stage1.cross_fit(altered(training_data, others, features=True), CONFIGURATION)
    # 1e-9 years: the matrix product may add in another order.
    np.testing.assert_allclose(other.loc[one, "out_of_fold"], anchor.loc[one, "out_of_fold"], rtol=0, atol=1e-9)


def test_threads_change_no_bit(training_data, anchor):
    two = stage1.cross_fit(training_data, CONFIGURATION, threads=2)
    pd.testing.assert_frame_equal(two, anchor, check_exact=True)


def test_out_of_fold_table(training_data, anchor):
    table = stage1.out_of_fold_table(training_data, anchor)
    assert list(table.columns) == [
        *("sample_id", "project_id", "Tissue", "Sex", "Age", "fold"),
        *("Stage1_Pred_Age", "Stage1_Residual"),
    ]
    assert table["Stage1_Pred_Age"].tolist() == anchor["out_of_fold"].tolist()
    assert (table["Stage1_Residual"] == table["Age"] - table["Stage1_Pred_Age"]).all()
    assert "Stage1_Pred_Age" not in training_data.samples.columns


# The sweep


def test_report_has_a_row_per_configuration(report):
    assert list(report.columns) == [
        *("min_cohorts", "min_cap", "max_cap", "median_mult", "technical_sd", "alpha", "l1_ratio"),
        *("MicroMAE", "MacroMAE", "MedAE", "MicroR", "MacroR", "n_features", "Score", "selected"),
    ]
    assert len(report) >= 2 * 2 * 2 * 4
    assert len(report[["max_cap", "technical_sd", "alpha", "l1_ratio"]].drop_duplicates()) == len(report)


def test_the_selected_row_is_the_best(report):
    assert report["selected"].sum() == 1
    assert report.loc[report["selected"], "Score"].item() == report["Score"].max()
    # 1e-12: the same sum in another order.
    np.testing.assert_allclose(report["Score"], -(report["MicroMAE"] + report["MacroMAE"]) / 2, rtol=1e-12)
    assert report["Score"].nunique() > 10


def test_scores_equal_a_plain_recomputation(training_data, report, make_pipeline):
    samples = training_data.samples
    plain_net = report[report["technical_sd"] == 0]
    for row in plain_net.iloc[[0, 3, 6, 9, 15]].to_dict("records"):
        predicted = np.empty(len(samples))
        for k in range(4):
            predicted[training_data.fold == k] = plain(make_pipeline, training_data, [k], k, row)
        expected = score_predictions(samples["Age"], predicted, samples["project_id"])
        for name in ("MicroMAE", "MacroMAE", "MedAE", "Score"):
            assert row[name] == pytest.approx(expected[name], abs=SOLVER)
        for name in ("MicroR", "MacroR"):
            assert row[name] == pytest.approx(expected[name], abs=1e-4)  # SOLVER, over a spread of ages of 10 years


def test_larger_penalties_use_fewer_features(report):
    chosen = (report["max_cap"] == 24) & (report["l1_ratio"] == 1.0) & (report["technical_sd"] == 0)
    of_one = report[chosen].sort_values("alpha")
    assert of_one["n_features"].is_monotonic_decreasing
    assert of_one["n_features"].iloc[0] > of_one["n_features"].iloc[-1]


def test_threads_change_no_bit_of_the_report(training_data, report):
    two = stage1.sweep(training_data, GRID, threads=2)
    pd.testing.assert_frame_equal(two, report, check_exact=True)


# Taking a report's selection


def test_a_report_of_an_earlier_version_has_no_technical_noise(report):
    assert stage1.selected_row(report.drop(columns="technical_sd"), "r.csv")["technical_sd"] == 0.0


# Beyond the ends of the grid


@pytest.mark.parametrize("alphas", [[3.0, 1.5, 0.75], [0.002, 0.001, 0.0005]], ids=["too high", "too low"])
def test_the_sweep_goes_on_where_the_best_alpha_is_at_an_end(training_data, alphas):
    grid = replace(GRID, balancings=[BALANCING], technical_sds=[0.0], alphas=np.array(alphas))
    report = stage1.sweep(training_data, grid)
    tried = np.sort(report["alpha"].unique())[::-1]
    assert set(alphas) < set(tried)
    best = report.loc[report["selected"], "alpha"].item()
    assert tried[0] > best > tried[-1] or len(tried) > MOST_ALPHAS
    # By the grid's own ratio; 1e-4: alphas are rounded to 6 digits.
    steps = np.log(tried / alphas[0]) / np.log(0.5)
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-4)
    # The rows are those of a sweep of all these alphas at once.
    whole = stage1.sweep(training_data, replace(grid, alphas=tried))
    together = report.merge(whole, on=["l1_ratio", "alpha"], suffixes=("", "_whole"))
    np.testing.assert_allclose(together["Score"], together["Score_whole"], atol=SOLVER)


def test_the_selection_survives_the_csv(report, tmp_path):
    path = tmp_path / "report.csv"
    report.to_csv(path, index=False)
    chosen = report[report["selected"]].iloc[0]
    for read in (report, pd.read_csv(path), pd.read_csv(path, dtype={"selected": str})):
        assert stage1.selected_row(read, "r.csv") == {
            name: float(chosen[name])
            for name in ["min_cohorts", "min_cap", "max_cap", "median_mult", "technical_sd", "alpha", "l1_ratio"]
        }


def test_a_marked_row_wins_over_the_best_score(report):
    marked = report.assign(selected=np.arange(len(report)) == 2)
    assert stage1.selected_row(marked, "r.csv")["alpha"] == report["alpha"][2]


def test_a_report_without_marks_selects_the_best_score(report):
    best = report["Score"].idxmax()
    row = stage1.selected_row(report.drop(columns="selected"), "r.csv")
    assert (row["alpha"], row["max_cap"]) == (report["alpha"][best], report["max_cap"][best])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda r: r.drop(columns=["alpha", "max_cap"]),
            "r.csv is not a sweep report: columns are missing (2: max_cap, alpha).",
        ),
        (
            lambda r: r.drop(columns=["selected", "Score"]),
            "r.csv has neither a column selected nor a Score to select by.",
        ),
        (lambda r: r.iloc[:0].drop(columns="selected"), "r.csv has neither a column selected nor a Score"),
        (lambda r: r.assign(selected=False), "r.csv has 0 selected rows. Mark exactly one as True."),
        (lambda r: r.assign(selected=r.index < 3), "r.csv has 3 selected rows. Mark exactly one as True."),
        (lambda r: r.assign(alpha=0.0, technical_sd=0.0), "r.csv selects alpha 0.0, l1_ratio"),
        (lambda r: r.assign(alpha=np.nan), "r.csv selects alpha nan, l1_ratio"),
        (lambda r: r.assign(l1_ratio=0.0, technical_sd=0.0), "l1_ratio 0.0, technical_sd 0; alpha must be above 0"),
        (lambda r: r.assign(l1_ratio=1.5, technical_sd=0.0), "l1_ratio 1.5, technical_sd 0; alpha must be above 0"),
    ],
)
def test_reports_that_select_nothing_usable(report, change, text):
    with pytest.raises(HeteroAgeError, match=re.escape(text)):
        stage1.selected_row(change(report), "r.csv")


# Statistics that sweep, cross-fitting and final model share


@pytest.mark.parametrize("balancings", [GRID.balancings[:1], GRID.balancings], ids=["one balancing", "two"])
def test_shared_statistics_change_nothing_and_are_computed_once(training_data, monkeypatch, balancings):
    monkeypatch.setattr(feature_pass, "LARGE", 0)
    grid = replace(GRID, balancings=balancings)

    def made(learnt):
        report = stage1.sweep(training_data, grid, learnt=learnt)
        anchor = stage1.cross_fit(training_data, CONFIGURATION, learnt=learnt)
        coefficients = stage1.train(training_data, CONFIGURATION, learnt=learnt)[-1].regressor_.coef_
        return report.to_csv(), anchor.to_csv(), coefficients.tolist()

    usual, learnt = made(None), stage1.learn(training_data, grid)
    monkeypatch.setattr(elastic_net, "FeaturePass", None)  # fails if statistics are computed again
    assert made(learnt) == usual


def test_statistics_are_shared_only_if_the_training_sets_are_known_and_few(training_data):
    caps = [BALANCING | {"max_cap": cap} for cap in (24, 12, 6)]
    assert stage1.learn(training_data, replace(GRID, balancings=caps)) is None
    same = stage1.learn(training_data, replace(GRID, balancings=[BALANCING] * 3))
    assert len(same.sets) == len(stage1.learn(training_data, replace(GRID, balancings=[BALANCING])).sets)
    assert stage1.learn(training_data, replace(GRID, balancings=[BALANCING], strengths=[0.0, 1.0])) is None


# The final anchor


def test_the_final_anchor_is_the_plain_fit_on_all_balanced_samples(training_data, make_pipeline):
    model = stage1.train(training_data, CONFIGURATION)
    frame = pd.DataFrame(training_data.X.T.astype(np.float64), columns=training_data.feature_names)
    own = training_data.training_set([], CONFIGURATION, training_data.samples["Age"].to_numpy())
    expected = make_pipeline(0.03, 0.5, True)
    expected = expected.fit(frame.iloc[own.rows], own.y, **weights_of(expected, own)).predict(frame)
    used = list(model.feature_names_in_)
    assert 0 < len(used) < len(training_data.feature_names)
    np.testing.assert_allclose(model.predict(frame[used]), expected, rtol=0, atol=SOLVER)


@pytest.mark.parametrize("technical_sd", [0.0, 0.02])
def test_a_model_does_not_keep_what_differs_between_runs(training_data, technical_sd):
    model = stage1.train(training_data, CONFIGURATION | {"technical_sd": technical_sd})
    assert np.isnan(model[-1].regressor_.dual_gap_)


def test_an_anchor_that_uses_no_feature_still_is_a_model(training_data):
    model = stage1.train(training_data, CONFIGURATION | {"alpha": 100.0})
    frame = pd.DataFrame(training_data.X.T.astype(np.float64), columns=training_data.feature_names)
    predicted = model.predict(frame[list(model.feature_names_in_)])
    assert np.ptp(predicted) < 1e-9  # years; one prediction for all
    assert 5 < predicted[0] < 85
