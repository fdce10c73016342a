"""Each falsification test passes an honest clock, and fails when its fault is built in."""

import numpy as np
import pandas as pd
import pytest
from study_cohort import cohort

from heteroage.age import transform_age
from heteroage.evaluation import falsification as f
from heteroage.evaluation.falsification import alter_labels, alter_methylation, compare_files, judge_altered_fold
from heteroage.files import write_table
from heteroage.grouping.folds import assign_folds, assign_outer_folds
from heteroage.stages import stage1
from heteroage.stages.context import learn_pcs
from heteroage.stages.training_data import TrainingData, select

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


def varied(data):
    """Out-of-fold ages that differ within folds: a sparse net may find nothing in shuffled ages."""
    table = out_of_fold(data)
    noise = np.random.default_rng(1).normal(0, 1, len(table))
    return table.assign(HeteroAge=table["HeteroAge"] + noise)


def test_shuffling_keeps_each_tissues_ages_and_moves_nearly_all(training_data):
    samples = training_data.samples
    shuffled = f.shuffle_ages(samples, 1)
    for tissue, rows in samples.groupby("Tissue"):
        assert sorted(shuffled.loc[rows.index, "Age"]) == sorted(rows["Age"]), tissue
    assert (shuffled["Age"] == samples["Age"]).mean() < 0.2
    assert shuffled.drop(columns="Age").equals(samples.drop(columns="Age"))


def test_shuffled_ages_are_not_predicted(training_data):
    shuffled = TrainingData(f.shuffle_ages(training_data.samples, 1), training_data.X, training_data.feature_names)
    assert f.judge_shuffled_ages(varied(shuffled)).verdict == "pass"


def test_constant_predictions_prove_nothing(training_data):
    verdict = f.judge_shuffled_ages(training_data.samples.assign(HeteroAge=50.0))
    assert verdict.verdict == "inconclusive"
    assert verdict.meaning.endswith("Inconclusive: 100% of the predictions are constant within tissue and fold")


def test_shuffled_ages_that_reach_the_features_are_found(training_data):
    samples = f.shuffle_ages(training_data.samples, 1)
    X = training_data.X.copy()
    X[0] = transform_age(samples["Age"])
    verdict = f.judge_shuffled_ages(out_of_fold(TrainingData(samples, X, training_data.feature_names)))
    assert verdict.verdict == "fail"
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
    assert verdict.verdict == "pass", verdict


def test_a_planted_study_is_found_when_folds_part_groups(training_data, planted):
    verdict = judged(planted, training_data, at_random(planted))
    assert verdict.verdict == "fail"
    assert verdict.measured > 0.5


def power(n_groups, spread, known, n_studies=1000):
    """Share of each verdict over simulated studies whose groups' mean errors scatter by `spread` years."""
    rng = np.random.default_rng([n_groups, 1])
    half = (n_groups + 1) // 2
    verdicts = []
    for errors in rng.normal(0, spread, (n_studies, n_groups)):
        verdicts.append(f.judge_shares(errors[:half] + known * f.SHIFT, errors[half:]).verdict)
    return pd.Series(verdicts).value_counts(normalize=True)


@pytest.mark.parametrize("n_groups", [4, 5, 6])
def test_a_full_leak_of_few_groups_does_not_pass(n_groups):
    # Without "inconclusive" it passed in 21, 15 and 8% of such studies.
    assert power(n_groups, 5.0, 1.0).get("pass", 0) <= 0.05


def test_an_honest_clock_of_many_groups_passes():
    shares = power(24, 5.0, 0.0)
    assert shares["pass"] > 0.98


def test_a_single_group_with_the_shift_proves_nothing():
    verdict = f.judge_shares(np.array([1.0]), np.array([0.5, -0.5]))
    assert verdict.verdict == "inconclusive"
    assert verdict.meaning.endswith("Inconclusive: 1 and 2 groups with and without the shift are too few")


# Random sets


def test_random_sets_have_the_hallmarks_size_and_none_of_its_features():
    features = [f"cg{k:08d}_beta" for k in range(100)]
    sets = f.draw_random_sets(features, features[:10], 19, 1, "Autophagy")
    assert all(len(set(members)) == 10 and not set(members) & set(features[:10]) for members in sets)
    assert len({tuple(members) for members in sets}) == 19
    assert sets == f.draw_random_sets(features[::-1], features[:10], 19, 1, "Autophagy")
    assert sets != f.draw_random_sets(features, features[:10], 19, 1, "Inflammation")


@pytest.mark.parametrize(
    ("own", "contribution", "judged", "verdict"),
    [
        (0.20, 1.0, "pass", "better than random sets"),
        (0.05, 1.0, "fail", "no better than random sets"),
        (0.05, 0.0, "inconclusive", "no better than random sets"),  # nothing leans on it
        (-0.01, 1.0, "inconclusive", "no skill"),
    ],
)
def test_a_hallmark_that_is_leaned_on_must_beat_random_sets(own, contribution, judged, verdict):
    summary = pd.DataFrame({"hallmark": ["Autophagy"], "R2_Residual": [own], "skill": [own > 0]})
    importance = pd.DataFrame({"feature": ["Autophagy_Correction"], "mean_abs_contribution_years": [contribution]})
    random = np.linspace(0, 0.1, 39)
    table = f.compare_with_random_sets(summary, importance, {"Autophagy": random})
    assert table["verdict"].tolist() == [verdict]
    assert table["p_value"][0] == (1 + (random >= own).sum()) / 40
    assert table["rank"][0] == 1 + (random >= own).sum()
    assert f.judge_random_sets(table).verdict == judged


# Near-identical arrays


def test_near_identical_arrays_in_different_folds_fail():
    samples = pd.DataFrame({"sample_id": list("abcd"), "fold": [0, 0, 1, 2]})
    pairs = pd.DataFrame({"sample_1": ["a", "c", "c", "a"], "sample_2": ["b", "d", "d", "x"], "modality": list("bbcb")})
    verdict = f.judge_near_duplicates(pairs, samples)
    assert (verdict.verdict, verdict.measured) == ("fail", 1)  # of two modalities; x does not train
    assert "of 2 pairs" in verdict.meaning
    assert "(1: c and d)" in verdict.meaning
    assert f.judge_near_duplicates(pairs.iloc[[0, 3]], samples).verdict == "pass"
    assert f.judge_near_duplicates(pairs.iloc[:0], samples).verdict == "pass"


@pytest.fixture
def samples():
    table = cohort()
    return table.assign(outer_fold=assign_outer_folds(table, 4))


def test_only_the_held_out_folds_labels_are_altered(samples):
    altered = alter_labels(samples, 2, 1)
    held_out = (samples["outer_fold"] == 2).to_numpy()
    assert altered[~held_out].equals(samples[~held_out])
    assert (altered.loc[held_out, "Age"] != samples.loc[held_out, "Age"]).all()
    assert (altered.loc[held_out, "Is_Healthy"] != samples.loc[held_out, "Is_Healthy"]).all()
    rest = ["Age", "Tissue", "Sex", "Is_Healthy"]
    assert altered.drop(columns=rest).equals(samples.drop(columns=rest))


def store_of(samples, path):
    values = np.random.default_rng(3).uniform(0, 1, (50, len(samples))).astype(np.float32)
    np.save(path, values)
    return values


def test_only_the_held_out_folds_methylation_is_altered(samples, tmp_path, monkeypatch):
    monkeypatch.setattr(f, "FEATURES_PER_BLOCK", 7)
    values = store_of(samples, tmp_path / "store.npy")
    held_out = (samples["outer_fold"] == 0).to_numpy()
    alter_methylation(tmp_path / "store.npy", tmp_path / "altered.npy", np.flatnonzero(held_out), 1)
    altered = np.load(tmp_path / "altered.npy")
    assert (altered[:, ~held_out] == values[:, ~held_out]).all()
    assert (altered[:, held_out] != values[:, held_out]).all()
    assert np.isnan(altered[:, held_out]).any()
    assert (np.load(tmp_path / "store.npy") == values).all()
    alter_methylation(tmp_path / "store.npy", tmp_path / "by_two.npy", np.flatnonzero(held_out), 1, threads=2)
    assert (tmp_path / "by_two.npy").read_bytes() == (tmp_path / "altered.npy").read_bytes()


@pytest.mark.parametrize(("leak", "verdict"), [("none", "pass"), ("methylation", "fail"), ("labels", "fail")])
def test_a_run_that_sees_its_outer_fold_fails(samples, tmp_path, leak, verdict):
    """The built-in faults: RF_PCs that are learnt from all samples; folds that look at all ages."""
    store_of(samples, tmp_path / "own.npy")
    held_out = np.flatnonzero(samples["outer_fold"] == 0)
    alter_methylation(tmp_path / "own.npy", tmp_path / "again.npy", held_out, 1)
    files = {}
    for name, table in (("own", samples), ("again", alter_labels(samples, 0, 1))):
        chosen = select(table, "nested-0", 5, 1, True)
        seen = table.assign(store_column=range(len(table))) if leak == "methylation" else chosen
        store = np.load(tmp_path / f"{name}.npy")
        loadings, _ = learn_pcs(store, [f"cg{k:08d}_beta" for k in range(50)], seen, 3, 40)
        write_table(loadings, tmp_path / f"{name}_loadings.csv")
        if leak == "labels":
            chosen["mean_age"] = table["Age"].mean()
        write_table(chosen, tmp_path / f"{name}_samples.csv")
        files[name] = {part: tmp_path / f"{name}_{part}.csv" for part in ("samples", "loadings")}
    judged = judge_altered_fold(compare_files(files["own"], files["again"]))
    assert judged.verdict == verdict
    assert "of 2 files of the run" in judged.meaning


def test_a_changed_file_is_named():
    judged = judge_altered_fold(pd.DataFrame({"file": ["samples", "weights"], "same": [True, False]}))
    assert (judged.verdict, judged.measured) == ("fail", 1)
    assert judged.meaning.endswith("are altered (weights)")
