"""The experts: tuned and trained, in each view, without the fold that the view has never seen."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from altered_data import altered
from weighted_pipeline import weights_of

from heteroage.engine.elastic_net import open_paths
from heteroage.metrics import score_predictions
from heteroage.stages import stage1, stage2
from heteroage.stages.deployable import weights_table
from heteroage.stages.stage2 import DENSE, ExpertGrid, View
from heteroage.stages.training_data import TrainingData

BALANCING = {"min_cohorts": 1, "min_cap": 5, "max_cap": 24, "median_mult": 1.0}
CONFIGURATION = BALANCING | {"technical_sd": 0.0, "alpha": 0.3, "l1_ratio": 0.5}
GRID = ExpertGrid(np.array([8.0, 2.0, 0.5]), [0.5, 1.0])
# Years: both solvers stop within their tolerance of the one optimum.
SOLVER = 1e-3


@pytest.fixture(scope="module")
def anchor(training_data):
    """A weak anchor, so that there is something left for experts to correct."""
    return stage1.cross_fit(training_data, CONFIGURATION)


@pytest.fixture(scope="module")
def hallmark(training_data):
    return training_data.restrict(training_data.feature_names[:16])


@pytest.fixture(scope="module")
def expert(hallmark, anchor):
    return stage2.train_expert("Genomic_Instability", hallmark, anchor, GRID, CONFIGURATION)


def plain_view(make_pipeline, data, anchor, view, unseen):
    """Tune over the view's own folds with scikit-learn alone; returns its configuration and corrections."""
    samples, X = data.samples, data.X.T.astype(np.float64)
    target = samples["Age"].to_numpy() - anchor[view].to_numpy()
    seen = data.fold != unseen if unseen is not None else np.full(len(target), True)
    others = [k for k in data.folds if k != unseen]
    best = None
    for l1_ratio in GRID.l1_ratios:
        for alpha in GRID.alphas:
            predicted, used = np.full(len(target), np.nan), 0
            for k in others:
                own = data.training_set([k] if unseen is None else [k, unseen], BALANCING, target)
                model = make_pipeline(alpha, l1_ratio, False, intercept=False)
                model.fit(X[own.rows], own.y, **weights_of(model, own))
                predicted[data.fold == k] = model.predict(X[data.fold == k])
                used += np.count_nonzero(model[-1].coef_)
            score = score_predictions(target[seen], predicted[seen], samples["project_id"].to_numpy()[seen])["Score"]
            if best is None or (score, -used) > best[0]:
                best = (score, -used), (alpha, l1_ratio), predicted
    _, (alpha, l1_ratio), corrections = best
    if unseen is not None:
        own = data.training_set([unseen], BALANCING, target)
        model = make_pipeline(alpha, l1_ratio, False, intercept=False)
        corrections[~seen] = model.fit(X[own.rows], own.y, **weights_of(model, own)).predict(X[~seen])
    return (alpha, l1_ratio), corrections


def train(data, anchor):
    return stage2.train_expert("Genomic_Instability", data, anchor, GRID, CONFIGURATION).corrections


def test_columns_and_rows(hallmark, expert):
    corrections = expert.corrections
    assert list(corrections.columns) == ["sample_id", "out_of_fold", *(f"without_fold_{k}" for k in range(4))]
    assert corrections["sample_id"].tolist() == hallmark.samples["sample_id"].tolist()
    assert np.isfinite(corrections.drop(columns="sample_id").to_numpy()).all()


def test_a_fold_is_the_same_in_its_own_view_as_out_of_fold(hallmark, expert):
    for k in range(4):
        own = expert.corrections[hallmark.fold == k]
        assert own[f"without_fold_{k}"].tolist() == own["out_of_fold"].tolist()


def test_every_view_equals_a_plain_recomputation(hallmark, anchor, expert, make_pipeline):
    for k in range(4):
        view = f"without_fold_{k}"
        _, expected = plain_view(make_pipeline, hallmark, anchor, view, k)
        np.testing.assert_allclose(expert.corrections[view], expected, rtol=0, atol=SOLVER)
    assert expert.corrections["out_of_fold"].std() > 1  # the comparison is of corrections that say something


def test_the_final_expert_is_tuned_on_all_folds_and_fitted_on_all_samples(hallmark, anchor, expert, make_pipeline):
    (alpha, l1_ratio), _ = plain_view(make_pipeline, hallmark, anchor, "out_of_fold", None)
    assert (expert.summary["alpha"], expert.summary["l1_ratio"]) == (alpha, l1_ratio)
    frame = pd.DataFrame(hallmark.X.T.astype(np.float64), columns=hallmark.feature_names)
    residual = hallmark.samples["Age"].to_numpy() - anchor["out_of_fold"].to_numpy()
    own = hallmark.training_set([], BALANCING, residual)
    model = make_pipeline(alpha, l1_ratio, False, intercept=False)
    expected = model.fit(frame.iloc[own.rows], own.y, **weights_of(model, own)).predict(frame)
    predicted = expert.model.predict(frame[list(expert.model.feature_names_in_)])
    np.testing.assert_allclose(predicted, expected, rtol=0, atol=SOLVER)


@pytest.mark.parametrize("k", range(4))
def test_nobody_in_view_k_has_seen_fold_k(hallmark, anchor, expert, k):
    """All about fold k is changed, and all other views of the anchor; its view k of the other folds is given."""
    rows, view = hallmark.fold == k, f"without_fold_{k}"
    anchored = anchor.copy()
    anchored.loc[rows, view] += 50.0
    others = [name for name in anchor.columns if name not in ("sample_id", view)]
    anchored[others] += np.random.default_rng(5).normal(0, 5, anchored[others].shape)
    changed = train(altered(hallmark, rows, ages=True, features=True), anchored)
    assert changed.loc[~rows, view].tolist() == expert.corrections.loc[~rows, view].tolist()
    # The change was large enough to be seen by those who may look.
    assert (changed.loc[~rows, "out_of_fold"] != expert.corrections.loc[~rows, "out_of_fold"]).any()


@pytest.mark.parametrize("k", range(4))
def test_a_folds_own_ages_do_not_move_its_corrections(hallmark, anchor, expert, k):
    rows = hallmark.fold == k
    changed = train(altered(hallmark, rows, ages=True), anchor)
    for view in ("out_of_fold", f"without_fold_{k}"):
        assert changed.loc[rows, view].tolist() == expert.corrections.loc[rows, view].tolist()


def test_summary(hallmark, anchor, expert):
    summary, correction = expert.summary, expert.corrections["out_of_fold"]
    residual = hallmark.samples["Age"] - anchor["out_of_fold"]
    assert summary["hallmark"] == "Genomic_Instability"
    assert summary["features_offered"] == 16
    assert summary["features_used"] == np.count_nonzero(expert.model[-1].coef_) > 0
    # 1e-9: the same sums in another order.
    assert summary["MAE_Anchor"] == pytest.approx(residual.abs().mean(), abs=1e-9)
    assert "MAE_Residual" not in summary  # the same number as MAE_Anchor_Plus_Correction
    after = (hallmark.samples["Age"] - (anchor["out_of_fold"] + correction)).abs().mean()
    assert summary["MAE_Anchor_Plus_Correction"] == pytest.approx(after, abs=1e-9)
    r2 = 1 - ((residual - correction) ** 2).sum() / (residual**2).sum()
    assert summary["R2_Residual"] == pytest.approx(r2, abs=1e-9)
    assert summary["skill"] is True


def test_a_hallmark_that_says_nothing_corrects_nothing(hallmark, anchor):
    """Features without variation get no weight, and no mean residual passes for a correction."""
    shifted = anchor.assign(**{view: anchor[view] - 3.0 for view in anchor.columns if view != "sample_id"})
    nothing = replace(hallmark, X=np.full_like(hallmark.X, 0.5))
    expert = stage2.train_expert("Nothing", nothing, shifted, GRID, CONFIGURATION)
    assert expert.summary["features_used"] == 0
    # The anchor is biased by 3 years, but R2 is against no correction: 0, not below.
    assert expert.summary["R2_Residual"] == 0.0
    assert expert.summary["skill"] is False
    assert (expert.corrections.drop(columns="sample_id") == 0).all().all()
    frame = pd.DataFrame(np.ones((3, 16)), columns=hallmark.feature_names)
    assert expert.model.predict(frame[list(expert.model.feature_names_in_)]).tolist() == [0.0, 0.0, 0.0]


def test_skill_is_an_r2_above_zero(hallmark, anchor):
    rng = np.random.default_rng(4)
    noise = replace(hallmark, X=rng.random(hallmark.X.shape).astype(np.float32))
    summary = stage2.train_expert("Noise", noise, anchor, GRID, CONFIGURATION).summary
    # 0.05: what corrections by noise can explain by luck.
    assert summary["R2_Residual"] < 0.05
    assert summary["skill"] is (summary["R2_Residual"] > 0)


def test_the_tables_of_all_experts(hallmark, expert, tmp_path):
    other = replace(expert, corrections=expert.corrections.assign(out_of_fold=1.5))
    outputs = {
        name: tmp_path / name for name in ("views", "out_of_fold", "weights", "summary", "manifest", "same_manifest")
    }
    of = {"Genomic_Instability": expert.corrections, "Another": other.corrections}
    summaries = [expert.summary, expert.summary | {"hallmark": "Another"}]
    stage2.write_experts(
        of, [expert.weights, expert.weights.assign(hallmark="Another")], summaries, {"C": "why"}, outputs
    )
    views = pd.read_csv(outputs["views"])
    assert views["hallmark"].unique().tolist() == list(of)
    own = views[views["hallmark"] == "Genomic_Instability"].drop(columns="hallmark")
    pd.testing.assert_frame_equal(own, expert.corrections)
    wide = pd.read_csv(outputs["out_of_fold"])
    assert list(wide.columns) == ["sample_id", "Genomic_Instability_Correction", "Another_Correction"]
    assert (wide["Another_Correction"] == 1.5).all()
    assert pd.read_csv(outputs["weights"]).columns[0] == "hallmark"
    assert outputs["manifest"].read_bytes() == outputs["same_manifest"].read_bytes()
    assert set(json.loads(outputs["manifest"].read_text())["hallmarks"]) == set(of)


def test_cross_fitting_alone_gives_the_experts_own_corrections(hallmark, anchor, expert):
    fitted = stage2.cross_fit("Genomic_Instability", hallmark, anchor, GRID, CONFIGURATION)
    pd.testing.assert_frame_equal(fitted.corrections, expert.corrections)
    assert fitted.r2 == expert.summary["R2_Residual"]


def test_manifest_names_each_experts_file_features_hyperparameters_and_metrics(expert):
    summary = pd.DataFrame([expert.summary])
    weights = weights_table(expert.model).assign(hallmark="Genomic_Instability")
    manifest = stage2.stage2_manifest(summary, weights, {"Lost": "none of its CpGs is in the data"})
    entry = manifest["hallmarks"]["Genomic_Instability"]
    assert entry["file"] == "hallmarks/Hallmark_Genomic_Instability.joblib"
    assert sorted(entry["features"]) == sorted(expert.model.feature_names_in_)
    assert entry["hyperparameters"] == {key: expert.summary[key] for key in ("alpha", "l1_ratio")}
    assert entry["metrics"]["R2_Residual"] == expert.summary["R2_Residual"]
    assert manifest["skipped"] == {"Lost": "none of its CpGs is in the data"}


@pytest.mark.parametrize("script", ["score_random_sets", "collect_experts", "assemble_artifacts", "audit_inputs"])
def test_scikit_learn_is_loaded_only_where_a_pipeline_is_made(script):
    code = f"import runpy, sys; runpy.run_path('scripts/{script}.py'); print('sklearn' in sys.modules)"
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


RESIDUAL = np.array([4.0, -4.0, 2.0, -2.0])


def view(*shares, features=(0, 3, 9)):
    """A view whose corrections are these shares of the residual, from the largest alpha to the smallest."""
    corrections = np.array(shares)[None, :, None] * RESIDUAL
    scores = -np.abs(corrections - RESIDUAL).mean(axis=2)
    return View(np.array([4.0, 2.0, 1.0]), corrections, np.array([features]), scores, -3.0, DENSE * 2 * 4)


def test_tuning_goes_on_to_smaller_alphas_where_corrections_help():
    assert view(0.0, 0.1, 0.3).further().tolist() == [0.5, 0.25, 0.125]


@pytest.mark.parametrize("least", [0.0, -0.1])
def test_tuning_does_not_go_on_to_smaller_alphas_where_no_correction_is_as_good(least):
    assert view(least - 0.2, least - 0.1, least).further().tolist() == []


def test_a_best_alpha_inside_the_grid_ends_the_tuning():
    assert view(0.0, 0.3, 0.1).further().tolist() == []


@pytest.mark.parametrize(
    ("shares", "features", "goes_on"),
    [
        ((0.3, 0.1, 0.0), (0, 1, 3), True),  # sparse: the first features that enter are noise
        ((0.3, 0.1, 0.0), (0, 3, 9), False),  # dense, and worse than the largest alpha
        ((0.0, 0.1, 0.3), (0, 3, 9), True),
        ((0.0, 0.3, 0.1), (0, 3, 9), False),
    ],
)
def test_tuning_walks_down_the_grid_until_dense_models_are_worse(shares, features, goes_on):
    assert view(*shares, features=features).descends() == goes_on


def test_an_l1_ratio_stays_behind_once_it_is_dense_and_worse():
    scores = np.array([[-3.0, -1.0, -2.0], [-3.0, -1.0, -2.0], [-3.0, -2.0, -1.0]])
    features = np.array([[0, 3, 9], [0, 1, 3], [0, 3, 9]])  # dense and worse; sparse; dense and best at the end
    tried = View(np.array([4.0, 2.0, 1.0]), np.zeros((3, 3, 4)), features, scores, -3.0, DENSE * 2 * 4)
    assert tried.going_on().tolist() == [False, True, True]


def test_what_stays_behind_is_not_chosen_and_changes_no_other(training_data):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, len(training_data.samples))).astype(np.float32)
    data = TrainingData(training_data.samples, X, [f"cg{k:08}_beta" for k in range(300)])
    target = X[0] + X[1] + 0.1 * rng.normal(size=X.shape[1])
    tuning = [data.training_set([fold], CONFIGURATION, target) for fold in data.folds]
    grid, asked = ExpertGrid(np.geomspace(30, 0.05, 12), [0.02, 0.9]), []

    def tuned(all_go_on):
        asked.clear()
        with open_paths(data.X, tuning, grid.l1_ratios, [0.0], data.noisy) as solve:

            def noted(alphas, following, going_on):
                asked.append(list(going_on))
                return solve(alphas, following, None if all_go_on else going_on)

            return stage2.tune("", data, None, target, grid, noted)

    every, fast = tuned(True), tuned(False)
    assert [0.02, 0.9] in asked
    assert [0.9] in asked  # of the small l1_ratio, models are dense and no longer better
    behind = np.isneginf(fast.scores)
    assert behind[0].any()
    assert not behind[1].any()
    np.testing.assert_array_equal(fast.scores, every.scores)
    np.testing.assert_array_equal(fast.corrections[~behind], every.corrections[~behind])
    assert not fast.corrections[behind].any()
    assert fast.best == every.best
