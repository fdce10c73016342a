"""Each falsification test passes an honest clock, and fails when its fault is built in."""

import numpy as np
import pandas as pd
import pytest

from heteroage.age import transform_age
from heteroage.evaluation import falsification as f
from heteroage.grouping.folds import assign_folds
from heteroage.stages import stage1
from heteroage.stages.training_data import TrainingData

CONFIGURATION = {"min_cohorts": 1, "min_cap": 5, "max_cap": 500, "median_mult": 5, "technical_sd": 0.0}
CONFIGURATION |= {"alpha": 0.01, "l1_ratio": 0.5}


def out_of_fold(data):
    """The anchor's ages, out of fold, under the name that the judges look at."""
    views = stage1.cross_fit(data, CONFIGURATION)
    return data.samples.assign(HeteroAge=views["out_of_fold"])


def at_random(data):
    """The built-in fault: samples of a group on both sides of a fold."""
    dealt = data.samples.assign(group=data.samples["sample_id"])
    return TrainingData(data.samples.assign(fold=assign_folds(dealt, 4, 1, False)), data.X, data.feature_names)


# Shuffled ages


def test_shuffling_keeps_each_tissues_ages_and_moves_nearly_all(training_data):
    samples = training_data.samples
    shuffled = f.shuffle_ages(samples, 1)
    for tissue, rows in samples.groupby("Tissue"):
        assert sorted(shuffled.loc[rows.index, "Age"]) == sorted(rows["Age"]), tissue
    assert (shuffled["Age"] == samples["Age"]).mean() < 0.2
    assert shuffled.drop(columns="Age").equals(samples.drop(columns="Age"))


def test_shuffled_ages_are_not_predicted(training_data):
    shuffled = TrainingData(f.shuffle_ages(training_data.samples, 1), training_data.X, training_data.feature_names)
    assert f.judge_shuffled_ages(out_of_fold(shuffled)).passed


def test_shuffled_ages_that_reach_the_features_are_found(training_data):
    samples = f.shuffle_ages(training_data.samples, 1)
    X = training_data.X.copy()
    X[0] = transform_age(samples["Age"])
    verdict = f.judge_shuffled_ages(out_of_fold(TrainingData(samples, X, training_data.feature_names)))
    assert not verdict.passed
    assert verdict.measured > 0.9


# A planted study


@pytest.fixture(scope="module")
def planted(training_data):
    pcs = pd.DataFrame(training_data.X[-2:].T, columns=["RF_PC1", "RF_PC2"])
    samples, planted_pcs = f.plant_study(training_data.samples, pcs, 1)
    X = np.vstack([training_data.X[:-2], planted_pcs.to_numpy(np.float32).T])
    names = [*training_data.feature_names[:-2], *planted_pcs.columns]
    return TrainingData(samples, X, names)


def judged(planted, training_data, data):
    samples = training_data.samples.assign(shift=f.planted_shift(training_data.samples, 1))
    return f.judge_planted_study(samples, out_of_fold(data))


def test_half_of_the_groups_are_shifted_whole(training_data, planted):
    shift = (planted.samples["Age"] - training_data.samples["Age"]).round(6)
    by_group = shift.groupby(training_data.samples["group"])
    assert (by_group.nunique() == 1).all()
    assert by_group.first().value_counts().to_dict() == {20: 6, 0: 6}
    assert planted.X.shape[0] == training_data.X.shape[0] + 12


def test_a_planted_study_does_not_help_across_studies(training_data, planted):
    verdict = judged(planted, training_data, planted)
    assert verdict.passed, verdict


def test_a_planted_study_is_found_when_folds_part_groups(training_data, planted):
    verdict = judged(planted, training_data, at_random(planted))
    assert not verdict.passed
    assert verdict.measured > 0.5


# Altered labels


def test_only_the_held_out_folds_labels_are_altered(training_data):
    samples = training_data.samples.assign(outer_fold=training_data.fold, Is_Healthy=True)
    altered = f.alter_labels(samples, 2, 1)
    held_out = (samples["outer_fold"] == 2).to_numpy()
    assert altered[~held_out].equals(samples[~held_out])
    assert (altered.loc[held_out, "Age"] != samples.loc[held_out, "Age"]).all()
    assert not altered.loc[held_out, "Is_Healthy"].any()
    assert altered.drop(columns=["Age", "Tissue", "Sex", "Is_Healthy"]).equals(
        samples.drop(columns=["Age", "Tissue", "Sex", "Is_Healthy"])
    )


def test_one_changed_artifact_or_training_file_fails():
    manifest = {"files": {"stage1/model.joblib": "a", "stage3/model.txt": "b"}, "training_data": {"sha256": "c"}}
    assert f.judge_altered_labels(manifest, manifest).passed
    for other in (
        {**manifest, "files": {**manifest["files"], "stage3/model.txt": "x"}},
        {**manifest, "files": {"stage1/model.joblib": "a"}},
        {**manifest, "training_data": {"sha256": "x"}},
    ):
        verdict = f.judge_altered_labels(manifest, other)
        assert (verdict.passed, verdict.measured) == (False, 1)


# Random sets


def test_random_sets_have_the_hallmarks_size_and_none_of_its_features():
    features = [f"cg{k:08d}_beta" for k in range(100)]
    sets = f.draw_random_sets(features, features[:10], 19, 1, "Autophagy")
    assert all(len(set(members)) == 10 and not set(members) & set(features[:10]) for members in sets)
    assert len({tuple(members) for members in sets}) == 19
    assert sets == f.draw_random_sets(features[::-1], features[:10], 19, 1, "Autophagy")
    assert sets != f.draw_random_sets(features, features[:10], 19, 1, "Inflammation")


@pytest.mark.parametrize(
    ("own", "contribution", "passed", "verdict"),
    [
        (0.20, 1.0, True, "better than random sets"),
        (0.05, 1.0, False, "no better than random sets"),
        (0.05, 0.0, True, "no better than random sets"),  # nothing leans on it
        (-0.01, 1.0, True, "no skill"),
    ],
)
def test_a_hallmark_that_is_leaned_on_must_beat_random_sets(own, contribution, passed, verdict):
    summary = pd.DataFrame({"hallmark": ["Autophagy"], "R2_Residual": [own], "skill": [own > 0]})
    importance = pd.DataFrame({"feature": ["Autophagy_Correction"], "mean_abs_contribution_years": [contribution]})
    random = np.linspace(0, 0.1, 39)
    table = f.compare_with_random_sets(summary, importance, {"Autophagy": random})
    assert table["verdict"].tolist() == [verdict]
    assert table["p_value"][0] == (1 + (random >= own).sum()) / 40
    assert table["rank"][0] == 1 + (random >= own).sum()
    assert f.judge_random_sets(table).passed is passed


# Near-identical arrays


def test_near_identical_arrays_in_different_folds_fail():
    samples = pd.DataFrame({"sample_id": list("abcd"), "fold": [0, 0, 1, 2]})
    pairs = pd.DataFrame({"sample_1": ["a", "c", "c", "a"], "sample_2": ["b", "d", "d", "x"], "modality": list("bbcb")})
    verdict = f.judge_near_duplicates(pairs, samples)
    assert (verdict.passed, verdict.measured) == (False, 1)  # of two modalities; x does not train
    assert "of 2 pairs" in verdict.meaning
    assert "(1: c and d)" in verdict.meaning
    assert f.judge_near_duplicates(pairs.iloc[[0, 3]], samples).passed
    assert f.judge_near_duplicates(pairs.iloc[:0], samples).passed
