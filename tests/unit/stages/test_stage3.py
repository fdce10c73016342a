"""The fusion: the anchor is its floor, its rounds are earned, and it never sees the fold that it predicts."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heteroage.stages import stage3
from heteroage.stages.intervals import calibrate_intervals
from heteroage.stages.stage3 import Fusion, FusionInput

PARAMETERS = {"learning_rate": 0.2, "num_leaves": 6, "min_data_in_leaf": 5, "min_data_per_group": 5, "cat_smooth": 1}
ROUNDS = 15
INTERVALS = {"level": 0.9, "tissue_groups": 8}
VIEWS = ["out_of_fold", *(f"without_fold_{k}" for k in range(4))]


def fusion_input(signal, seed=1, n=120):
    """A cohort whose anchor is wrong by something that one correction knows (signal 1) or nobody (signal 0)."""
    rng = np.random.default_rng(seed)
    project = np.arange(n) % 16
    # The anchor is unbiased at every age that it predicts: no trees can better it without the correction.
    predicted, error, fold = rng.uniform(10, 80, n), rng.normal(0, 6, n), project // 4
    samples = pd.DataFrame(
        {
            "sample_id": [f"s{k:03d}" for k in range(n)],
            "project_id": [f"p{k:02d}" for k in project],
            "group": [f"p{k:02d}" for k in project],
            "Tissue": rng.choice(["Blood", "Liver", "unknown"], n),
            "Sex": rng.choice(["F", "M"], n),
            "Age": predicted + error,
            "fold": fold,
        }
    )

    def in_views(values, noise):
        table = pd.DataFrame({"sample_id": samples["sample_id"]})
        for view in VIEWS:
            table[view] = values + rng.normal(0, noise, n)
        for k in range(4):
            table.loc[fold == k, f"without_fold_{k}"] = table.loc[fold == k, "out_of_fold"]
        return table

    corrections = {
        "Known": in_views(signal * error + (1 - signal) * rng.normal(0, 6, n), 0.5),
        "Noise": in_views(rng.normal(0, 6, n), 0.5),
    }
    pcs = pd.DataFrame({"sample_id": samples["sample_id"], "RF_PC1": rng.normal(size=n), "RF_PC2": rng.normal(size=n)})
    return FusionInput(samples, in_views(predicted, 0.3), corrections, pcs)


@pytest.fixture(scope="module")
def data():
    return fusion_input(signal=1)


@pytest.fixture(scope="module")
def fitted(data):
    frame = data.frame("out_of_fold")
    return frame, Fusion.boost(frame, data.samples["Age"].to_numpy(), PARAMETERS, ROUNDS)


@pytest.fixture(scope="module")
def fused(data):
    """The final fusion, its number of rounds, and the tuning curve."""
    fusion, curve = stage3.train(data, PARAMETERS, ROUNDS)
    return fusion, int(curve["chosen"].argmax()), curve


@pytest.fixture(scope="module")
def crossed(data, fused):
    return stage3.cross_fit(data, PARAMETERS, ROUNDS, fused[1])


# Boosting from the anchor


@pytest.mark.parametrize(
    "parameters", [{}, PARAMETERS, {"min_data_in_leaf": 1, "min_sum_hessian_in_leaf": 0.0}, {"min_child_samples": 1}]
)
def test_zero_rounds_are_the_anchor_to_the_bit(data, parameters):
    frame = data.frame("out_of_fold")
    fusion = Fusion.boost(frame, data.samples["Age"].to_numpy(), parameters, 0)
    assert fusion.predict(frame).tolist() == frame["Stage1_Pred_Age"].tolist()
    strange = frame.assign(Tissue="Moon", Sex="unknown", RF_PC1=1e9, Stage1_Pred_Age=-3.5)
    assert fusion.predict(strange).tolist() == [-3.5] * len(frame)


def test_trees_add_to_the_anchor(data, fitted):
    frame, fusion = fitted
    age = data.samples["Age"].to_numpy()
    assert np.abs(fusion.predict(frame) - age).mean() < 0.7 * np.abs(frame["Stage1_Pred_Age"] - age).mean()


def test_the_text_model_predicts_the_same(fitted):
    import lightgbm as lgb

    frame, fusion = fitted
    read = replace(fusion, booster=lgb.Booster(model_str=fusion.booster.model_to_string()))
    assert read.predict(frame).tolist() == fusion.predict(frame).tolist()


def test_the_same_input_gives_the_same_model(data, fitted):
    frame, fusion = fitted
    again = Fusion.boost(frame, data.samples["Age"].to_numpy(), {**PARAMETERS, "num_threads": 2}, ROUNDS)
    assert again.booster.model_to_string() == fusion.booster.model_to_string()


def test_features_are_the_columns_in_order(fitted):
    frame, fusion = fitted
    expected = ["Stage1_Pred_Age", "Known_Correction", "Noise_Correction", "Tissue", "Sex", "RF_PC1", "RF_PC2"]
    assert list(frame.columns) == fusion.booster.feature_name() == expected


def test_the_frame_of_a_view_is_of_that_view(data):
    for view in VIEWS:
        frame = data.frame(view)
        assert frame["Stage1_Pred_Age"].tolist() == data.anchor[view].tolist()
        assert frame["Known_Correction"].tolist() == data.corrections["Known"][view].tolist()


def test_staged_ages_start_at_the_anchor_and_end_at_the_fusion(data, fitted):
    frame, fusion = fitted
    staged = fusion.staged_ages(frame, ROUNDS)
    assert staged.shape == (len(frame), ROUNDS + 1)
    assert staged[:, 0].tolist() == frame["Stage1_Pred_Age"].tolist()
    # 1e-9 years: the trees are added in another order.
    np.testing.assert_allclose(staged[:, -1], fusion.predict(frame), rtol=0, atol=1e-9)
    age = data.samples["Age"].to_numpy()
    for rounds in (1, 7):
        shorter = Fusion.boost(frame, age, PARAMETERS, rounds)
        np.testing.assert_allclose(staged[:, rounds], shorter.predict(frame), rtol=0, atol=1e-9)


def test_rounds_past_the_last_tree_change_nothing(fitted):
    frame, fusion = fitted
    staged = fusion.staged_ages(frame, ROUNDS + 3)
    np.testing.assert_array_equal(staged[:, ROUNDS:], np.repeat(staged[:, [ROUNDS]], 4, axis=1))


# The unknown


def test_unknown_is_not_a_level_and_is_encoded_as_missing(fitted):
    frame, fusion = fitted
    categories = fusion.categories
    assert categories == {"Tissue": ["Blood", "Liver"], "Sex": ["F", "M"]}
    encoded = pd.DataFrame(stage3.encode(frame, categories), columns=frame.columns)
    assert encoded["Tissue"].isna().tolist() == (frame["Tissue"] == "unknown").tolist()
    assert encoded["Tissue"].dropna().unique().tolist() in ([0.0, 1.0], [1.0, 0.0])
    strange = stage3.encode(frame.assign(Tissue="Moon", Sex="unknown"), categories)
    assert np.isnan(strange[:, 3:5]).all()


def test_every_unknown_level_is_treated_alike(data, fitted):
    frame, _ = fitted
    age = data.samples["Age"].to_numpy() + 10.0 * (frame["Tissue"] == "Blood")
    known = frame["Tissue"] != "unknown"
    fusion = Fusion.boost(frame[known], age[known], PARAMETERS, ROUNDS)
    ages = {t: fusion.predict(frame.assign(Tissue=t)) for t in ("unknown", "Moon", "", "Blood", "Liver")}
    assert ages["unknown"].tolist() == ages["Moon"].tolist() == ages[""].tolist()
    assert ages["Blood"].mean() > ages["Liver"].mean() + 5


# Cross-fitting


def test_columns(data, crossed):
    table = crossed.drop(columns=stage3.PROCEDURE)
    assert list(table.columns) == [
        *("sample_id", "project_id", "Tissue", "Sex", "Age", "fold"),
        *("Stage1_Pred_Age", "HeteroAge", "Age_Acceleration"),
    ]
    assert table["Stage1_Pred_Age"].tolist() == data.anchor["out_of_fold"].tolist()
    assert (table["Age_Acceleration"] == table["HeteroAge"] - table["Age"]).all()
    assert table["HeteroAge"].notna().all()


def test_only_experts_with_skill_are_added_to_the_anchor(data, crossed):
    """`Noise` corrects by 6 years of noise, so its R2 is far below 0."""
    expected = data.anchor["out_of_fold"] + data.corrections["Known"]["out_of_fold"]
    assert data.anchor_plus_experts().tolist() == expected.tolist()
    error = (expected - data.samples["Age"]).abs().mean()
    assert stage3.errors_out_of_fold(data, crossed)["anchor_plus_experts"]["MicroMAE"] == pytest.approx(error)


def test_what_is_there_to_learn_is_learnt(data, crossed):
    errors = stage3.errors_out_of_fold(data, crossed)
    assert errors["this_clock"]["MicroMAE"] < 0.8 * errors["anchor"]["MicroMAE"]
    assert errors["procedure"]["MicroMAE"] < 0.8 * errors["anchor"]["MicroMAE"]
    assert crossed["Rounds"].min() > 0


def test_with_nothing_to_learn_the_fusion_returns_the_anchor():
    nothing = fusion_input(signal=0, n=400)
    _, curve = stage3.train(nothing, PARAMETERS, ROUNDS)
    assert curve["chosen"].argmax() == 0
    table = stage3.cross_fit(nothing, PARAMETERS, ROUNDS, 0)
    assert table["HeteroAge"].tolist() == table["Stage1_Pred_Age"].tolist()


@pytest.mark.parametrize("groups", [1, 2])
def test_folds_of_donors_earn_no_rounds(data, fused, groups):
    """With fewer than three groups the folds hold out donors, who cannot tell what holds in another study."""
    assert fused[1] > 0  # by sixteen groups
    samples = data.samples.assign(group=[f"g{k % groups}" for k in range(len(data.samples))])
    few = replace(data, samples=samples)
    rounds, _ = stage3.tune_rounds(few, "out_of_fold", None, PARAMETERS, ROUNDS)
    assert rounds == 0
    crossed = stage3.cross_fit(few, PARAMETERS, ROUNDS, 0)
    np.testing.assert_array_equal(crossed["HeteroAge"], crossed["Stage1_Pred_Age"])
    meta = stage3.metadata(*stage3.train(few, PARAMETERS, ROUNDS), few, crossed, PARAMETERS, INTERVALS)
    assert meta["intervals"] is None
    assert (meta["tuning"]["paired_standard_error_of_best_and_anchor"] is None) == (groups == 1)


@pytest.mark.parametrize("rounds", [0, 3])
def test_published_ages_are_those_of_the_sealed_rounds(data, crossed, rounds):
    """Whatever each fold would choose: out-of-fold ages, error, acceleration line and intervals are this clock's."""
    other = stage3.cross_fit(data, PARAMETERS, ROUNDS, rounds)
    frame, age = data.frame("without_fold_1"), data.samples["Age"].to_numpy()
    own = (data.samples["fold"] == 1).to_numpy()
    # 1e-9 years: the trees are added in another order.
    expected = Fusion.boost(frame[~own], age[~own], PARAMETERS, rounds).predict(frame[own])
    np.testing.assert_allclose(other.loc[own, "HeteroAge"], expected, rtol=0, atol=1e-9)
    # The procedure's own choice does not depend on it.
    np.testing.assert_allclose(other["Procedure"], crossed["Procedure"], rtol=0, atol=1e-9)
    assert (other["Rounds"] == crossed["Rounds"]).all()
    if rounds == 0:
        errors = stage3.errors_out_of_fold(data, other)
        assert errors["this_clock"] == errors["anchor"] != errors["procedure"]


def shaken(data, k, ages=False, seed=5):
    """Other features (and ages) for fold k in the given views; and every other view entirely others."""
    rng = np.random.default_rng(seed)
    rows, view = (data.samples["fold"] == k).to_numpy(), f"without_fold_{k}"

    def shake(table):
        table = table.copy()
        for name in VIEWS:
            which = rows if name == view else np.full(len(rows), True)
            table.loc[which, name] += rng.normal(0, 20, int(which.sum()))
        return table

    samples, pcs = data.samples.copy(), data.pcs.copy()
    pcs.loc[rows, ["RF_PC1", "RF_PC2"]] = rng.normal(0, 9, (int(rows.sum()), 2))
    samples.loc[rows, "Tissue"] = rng.choice(["Blood", "Moon", "unknown"], int(rows.sum()))
    if ages:
        samples.loc[rows, "Age"] = rng.uniform(0, 200, int(rows.sum()))
    return FusionInput(samples, shake(data.anchor), {h: shake(t) for h, t in data.corrections.items()}, pcs)


@pytest.mark.parametrize("k", range(4))
def test_a_folds_own_ages_do_not_move_its_predictions(data, fused, crossed, k):
    """Neither the procedure's, nor this clock's with its rounds given: these see all folds."""
    rows = (data.samples["fold"] == k).to_numpy()
    samples = data.samples.copy()
    samples.loc[rows, "Age"] = np.random.default_rng(3).uniform(0, 200, int(rows.sum()))
    other = stage3.cross_fit(replace(data, samples=samples), PARAMETERS, ROUNDS, fused[1])
    assert other["Rounds"][rows].tolist() == crossed["Rounds"][rows].tolist()
    ages, ours = other["HeteroAge"], crossed["HeteroAge"]
    assert ages[rows].tolist() == ours[rows].tolist()
    assert other["Procedure"][rows].tolist() == crossed["Procedure"][rows].tolist()
    # The change was large enough to be seen by those who may look.
    assert (ages[~rows] != ours[~rows]).any()


@pytest.mark.parametrize("k", range(4))
def test_the_model_of_fold_k_knows_nothing_of_fold_k_nor_of_other_views(data, fused, crossed, k):
    """All about fold k is changed but for one sample's features: that sample's prediction stays."""
    rows, view = (data.samples["fold"] == k).to_numpy(), f"without_fold_{k}"
    one = int(np.flatnonzero(rows)[2])
    other = shaken(data, k, ages=True)
    for ours, theirs in [
        (data.anchor, other.anchor),
        *((data.corrections[h], other.corrections[h]) for h in data.corrections),
    ]:
        theirs.loc[one, view] = ours.loc[one, view]
    other.pcs.loc[one] = data.pcs.loc[one]
    other.samples.loc[one, "Tissue"] = data.samples.loc[one, "Tissue"]
    changed = stage3.cross_fit(other, PARAMETERS, ROUNDS, fused[1])
    ages, ours = changed["HeteroAge"], crossed["HeteroAge"]
    assert ages[one] == ours[one]
    assert changed["Procedure"][one] == crossed["Procedure"][one]
    assert ages[rows].drop(one).ne(ours[rows].drop(one)).all()


def test_rounds_of_a_view_ignore_the_unseen_fold(data):
    for k in (0, 3):
        view = f"without_fold_{k}"
        one, curve = stage3.tune_rounds(data, view, k, PARAMETERS, ROUNDS)
        two, other = stage3.tune_rounds(shaken(data, k, ages=True), view, k, PARAMETERS, ROUNDS)
        assert one == two > 0
        assert curve["Group_MAE"].tolist() == other["Group_MAE"].tolist()
        assert len(curve) == ROUNDS + 1


def test_the_curve_starts_at_the_anchors_error_over_groups(data):
    curve = stage3.tune_rounds(data, "out_of_fold", None, PARAMETERS, 2)[1]["Group_MAE"]
    error = (data.anchor["out_of_fold"] - data.samples["Age"]).abs()
    # 1e-9 years: means in another order.
    assert curve[0] == pytest.approx(error.groupby(data.samples["group"]).mean().mean(), abs=1e-9)


# What is reported


def test_importance(fitted):
    frame, fusion = fitted
    table = fusion.importance(frame)
    assert list(table.columns) == ["feature", "gain", "split_count", "mean_abs_contribution_years"]
    assert sorted(table["feature"]) == sorted(frame.columns)
    assert table["gain"].is_monotonic_decreasing
    assert table["feature"][0] == "Known_Correction"
    assert (table["mean_abs_contribution_years"][table["split_count"] == 0] == 0).all()
    contributions = fusion.booster.predict(stage3.encode(frame, fusion.categories), pred_contrib=True)
    known = list(frame.columns).index("Known_Correction")
    # 1e-9 years: the same mean.
    assert table["mean_abs_contribution_years"][0] == pytest.approx(np.abs(contributions[:, known]).mean(), abs=1e-9)
    added = fusion.predict(frame) - frame["Stage1_Pred_Age"]
    np.testing.assert_allclose(contributions.sum(axis=1), added, rtol=0, atol=1e-6)  # LightGBM's own rounding


@given(st.integers(0, 1000), st.integers(2, 40))
def test_acceleration_reference_is_the_least_squares_line(seed, n):
    rng = np.random.default_rng(seed)
    age = rng.uniform(0, 90, n)
    predicted = 0.8 * age + rng.normal(5, 4, n)
    line = stage3.acceleration_reference(pd.DataFrame({"Age": age, "HeteroAge": predicted}))
    slope, intercept = np.polyfit(age, predicted, 1)
    # 1e-6: two ages drawn close together make polyfit's system ill-conditioned.
    assert line["slope"] == pytest.approx(slope, rel=1e-6, abs=1e-6)
    assert line["intercept"] == pytest.approx(intercept, rel=1e-6, abs=1e-6)


def test_acceleration_reference_of_one_age():
    table = pd.DataFrame({"Age": [40.0, 40.0], "HeteroAge": [41.0, 45.0]})
    assert stage3.acceleration_reference(table) == {"slope": 0.0, "intercept": 43.0}


# The final fusion


def test_the_final_fusion_and_its_metadata(data, fused, crossed):
    (fusion, rounds, curve), table = fused, crossed
    assert rounds == fusion.booster.num_trees() > 0
    meta = stage3.metadata(fusion, curve, data, crossed, PARAMETERS, {"level": 0.9, "tissue_groups": 8})
    assert meta["intervals"] == calibrate_intervals(table, data.samples["group"], 0.9, 8)
    assert meta["errors_out_of_fold"]["this_clock"]["MicroMAE"] == pytest.approx(table["Age_Acceleration"].abs().mean())
    assert meta["tuning"]["rounds_chosen_without_fold"] == dict(zip(crossed["fold"], crossed["Rounds"], strict=True))
    assert meta["boosting_rounds"] == rounds
    assert meta["feature_order"] == list(data.frame("out_of_fold").columns)
    assert meta["categories"] == {"Tissue": ["Blood", "Liver"], "Sex": ["F", "M"]}
    assert meta["pc_medians"] == {name: data.pcs[name].median() for name in ("RF_PC1", "RF_PC2")}
    assert meta["acceleration_reference"] == stage3.acceleration_reference(table)
    assert {"lightgbm", "scikit-learn"} <= set(meta["software"])
    json.dumps(meta, allow_nan=False)


def test_the_tables_of_earlier_stages_are_read(data, tmp_path):
    long = pd.concat([table.assign(hallmark=name) for name, table in data.corrections.items()])
    tables = {"samples": data.samples, "anchor": data.anchor, "corrections": long, "pcs": data.pcs}
    for name, table in tables.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    opened = FusionInput.open({name: tmp_path / f"{name}.csv" for name in tables})
    expected = data.frame("without_fold_2")
    pd.testing.assert_frame_equal(opened.frame("without_fold_2"), expected, check_exact=True, check_dtype=False)
