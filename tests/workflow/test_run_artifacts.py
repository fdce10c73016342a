"""What a finished run leaves: the documented files, consistent with each other and with the training data."""

import re

import joblib
import numpy as np
import pandas as pd
import pytest
from mini_study import ARTIFACTS, ASSEMBLED, FUSED, ORTHOGONAL, SETTINGS, TABLES, TRAINING

from heteroage.age import inverse_transform_age
from heteroage.clock.model import LinearModel
from heteroage.files import sha256_of
from heteroage.stages.stage3 import encode

SAMPLE = ["sample_id", "project_id", "Tissue", "Sex", "Age", "fold"]
WEIGHTS = ["feature", "weight_standardised", "weight_raw", "median", "mean", "scale"]
CORRECTIONS = [f"{hallmark}_Correction" for hallmark in SETTINGS["hallmarks"]]
REPORT = (
    "min_cohorts min_cap max_cap median_mult technical_sd alpha l1_ratio "
    "MicroMAE MacroMAE MedAE MicroR MacroR n_features Score selected"
)
COLUMNS = {
    "stage1/Stage1_Sweep_Report.csv": REPORT.split(),
    "stage1/Stage1_Global_Anchor_OOF.csv": [*SAMPLE, "Stage1_Pred_Age", "Stage1_Residual"],
    "stage1/Stage1_Global_Model_Weights.csv": WEIGHTS,
    "stage2/Stage2_Expert_OOF_Corrections.csv": ["sample_id", *CORRECTIONS],
    "stage2/Stage2_Expert_Weights.csv": ["hallmark", *WEIGHTS],
    "stage3/Stage3_Final_Predictions_OOF.csv": [*SAMPLE, "Stage1_Pred_Age", "HeteroAge", "Age_Acceleration"],
    "stage3/Stage3_Attention_Importance.csv": ["feature", "gain", "split_count", "mean_abs_contribution_years"],
}
# The design names these contents, not all of their columns and keys.
PERFORMANCE = {
    "hallmark",
    "features_offered",
    "features_used",
    "alpha",
    "l1_ratio",
    "MAE_Anchor",
    "R2_Residual",
    "MAE_Anchor_Plus_Correction",
}
METADATA = {
    "parameters",
    "boosting_rounds",
    "feature_order",
    "categories",
    "acceleration_reference",
    "intervals",
    "software",
}
OTHERS = [
    "stage1/model.joblib",
    "stage1/Stage1_Orthogonalized_Hallmark_Dict.json",
    *(f"stage2/hallmarks/Hallmark_{hallmark}.joblib" for hallmark in SETTINGS["hallmarks"]),
    "stage2/Stage2_Performance_Summary.csv",
    "stage2/Stage2_Manifest.json",
    "stage2/manifest.json",
    "stage3/model.joblib",
    "stage3/Stage3_Artifacts.json",
]
# The joblib models and the weights tables do the same sums in another order, on values of about 100.
YEARS = 1e-6
NAMELESS = {"check_names": False, "check_exact": True}


@pytest.fixture(scope="module")
def frame(study):
    return study.training_frame()


@pytest.fixture(scope="module")
def samples(study):
    return study.table(f"{TRAINING}/samples.csv")


def linear_model(table):
    return LinearModel.from_table(table.reset_index(drop=True), "the weights")


def predict_by_weights(table, frame):
    model = linear_model(table)
    total = np.full(len(frame), model.intercept)
    for k, name in enumerate(model.features):
        model.add(k, total, frame[name].to_numpy())
    return total


def expert_weights(study, hallmark):
    table = study.table(f"{ARTIFACTS}/stage2/Stage2_Expert_Weights.csv")
    return table[table["hallmark"] == hallmark]


def all_weights(study):
    anchor = study.table(f"{ARTIFACTS}/stage1/Stage1_Global_Model_Weights.csv")
    return [anchor, *(expert_weights(study, hallmark) for hallmark in SETTINGS["hallmarks"])]


@pytest.mark.parametrize("folder", [ARTIFACTS, ASSEMBLED])
def test_each_documented_file_is_made_and_assembled(study, folder):
    assert [name for name in [*COLUMNS, *OTHERS] if not study.path(f"{folder}/{name}").is_file()] == []


@pytest.mark.parametrize("name", COLUMNS)
def test_a_table_has_exactly_its_documented_columns(study, name):
    assert list(study.table(f"{ARTIFACTS}/{name}").columns) == COLUMNS[name]


def test_summary_and_metadata_hold_what_is_documented(study):
    summary = study.table(f"{ARTIFACTS}/stage2/Stage2_Performance_Summary.csv")
    assert set(summary.columns) >= PERFORMANCE
    assert summary["hallmark"].tolist() == SETTINGS["hallmarks"]
    assert set(study.json(f"{ARTIFACTS}/stage3/Stage3_Artifacts.json")) >= METADATA


def test_the_artifacts_are_the_declared_outputs_of_rules(study):
    declared = {line.split("\t")[0] for line in study.run("--summary").splitlines() if "\t" in line}
    made = {
        str(path.relative_to(study.folder))
        for path in study.path("results/full/artifacts").rglob("*")
        if path.is_file()
    }
    assert made <= declared
    assert {f"{ARTIFACTS}/{name}" for name in [*COLUMNS, *OTHERS]} <= declared


def test_nothing_half_written_is_left(study):
    assert list(study.folder.rglob("*.part")) == []


def test_the_anchor_predicts_what_its_weights_predict(study, frame):
    model = joblib.load(study.path(f"{ARTIFACTS}/stage1/model.joblib"))
    table = study.table(f"{ARTIFACTS}/stage1/Stage1_Global_Model_Weights.csv")
    ages = inverse_transform_age(predict_by_weights(table, frame))
    np.testing.assert_allclose(model.predict(frame[model.feature_names_in_]), ages, rtol=0, atol=YEARS)
    assert np.std(ages) > 5  # years: not the same age for everyone


@pytest.mark.parametrize("hallmark", SETTINGS["hallmarks"])
def test_an_expert_predicts_what_its_weights_predict(study, frame, hallmark):
    model = joblib.load(study.path(f"{ARTIFACTS}/stage2/hallmarks/Hallmark_{hallmark}.joblib"))
    by_weights = predict_by_weights(expert_weights(study, hallmark), frame)
    np.testing.assert_allclose(model.predict(frame[model.feature_names_in_]), by_weights, rtol=0, atol=YEARS)
    assert set(model.feature_names_in_) <= set(study.json(ORTHOGONAL)[hallmark])


def test_the_fusion_predicts_the_same_from_joblib_and_from_text(study):
    import lightgbm as lgb

    meta = study.json(f"{ARTIFACTS}/stage3/Stage3_Artifacts.json")
    ages = study.table("results/predictions/held_back.csv")
    pcs = study.table("data/held_back.parquet").filter(regex=r"^RF_PC\d+$")
    matrix = encode(pd.concat([ages, pcs], axis=1)[meta["feature_order"]], meta["categories"])
    text = study.path(f"{ARTIFACTS}/stage3/model.txt").read_text(encoding="utf-8")
    added = joblib.load(study.path(f"{ARTIFACTS}/stage3/model.joblib")).predict(matrix)
    np.testing.assert_array_equal(added, lgb.Booster(model_str=text).predict(matrix))
    np.testing.assert_allclose(ages["Stage1_Pred_Age"] + added, ages["HeteroAge"], rtol=0, atol=YEARS)
    assert np.ptp(added) > 1  # years: the study lets the fusion learn something


def test_weights_are_of_used_features_in_falling_order(study):
    for table in all_weights(study):
        weight = table["weight_standardised"].to_numpy()[1:]
        assert table["feature"].iloc[0] == "(intercept)"
        # An expert that uses no feature keeps one, with weight 0: a Pipeline needs a column.
        assert (weight != 0).all() or weight.tolist() == [0.0]
        assert (np.diff(np.abs(weight)) <= 0).all()


def test_raw_weights_predict_what_standardised_weights_predict(study, frame):
    for table in all_weights(study):
        body = table.iloc[1:].set_index("feature")
        filled = frame[body.index].fillna(body["median"])
        raw = table["weight_raw"].iloc[0] + filled.to_numpy() @ body["weight_raw"].to_numpy()
        np.testing.assert_allclose(raw, predict_by_weights(table, frame), rtol=0, atol=YEARS)


def test_the_sweep_report_has_every_configuration_and_selects_the_best(study):
    report = study.table(f"{ARTIFACTS}/stage1/Stage1_Sweep_Report.csv")
    assert len(report) == 5 * 2 == len(report[["alpha", "l1_ratio"]].drop_duplicates())
    np.testing.assert_allclose(report["Score"], -(report["MicroMAE"] + report["MacroMAE"]) / 2, rtol=1e-12)
    assert report["selected"].sum() == 1
    assert report.loc[report["selected"], "Score"].item() == report["Score"].max()


def test_out_of_fold_tables_agree_with_each_other_and_the_samples(study, samples):
    anchor = study.table(f"{ARTIFACTS}/stage1/Stage1_Global_Anchor_OOF.csv")
    corrections = study.table(f"{ARTIFACTS}/stage2/Stage2_Expert_OOF_Corrections.csv")
    fused = study.table(FUSED)
    for table in (anchor, fused):
        pd.testing.assert_frame_equal(table[SAMPLE], samples[SAMPLE])
    assert corrections["sample_id"].tolist() == samples["sample_id"].tolist()
    for table in (anchor, corrections, fused):
        assert table.notna().all(axis=None)
    pd.testing.assert_series_equal(anchor["Stage1_Pred_Age"], fused["Stage1_Pred_Age"])
    pd.testing.assert_series_equal(anchor["Stage1_Residual"], anchor["Age"] - anchor["Stage1_Pred_Age"], **NAMELESS)
    pd.testing.assert_series_equal(fused["Age_Acceleration"], fused["HeteroAge"] - fused["Age"], **NAMELESS)


def test_the_selected_configuration_is_scored_as_its_out_of_fold_table_says(study):
    report = study.table(f"{ARTIFACTS}/stage1/Stage1_Sweep_Report.csv").query("selected").iloc[0]
    anchor = study.table(f"{ARTIFACTS}/stage1/Stage1_Global_Anchor_OOF.csv")
    error = anchor["Stage1_Residual"].abs()
    # The sweep walks down the whole grid and the anchor starts from the alphas above its own: equal fits up to
    # the solver's tolerance, a few thousandths of a year here.
    assert report["MicroMAE"] == pytest.approx(error.mean(), abs=0.05)
    assert report["MacroMAE"] == pytest.approx(error.groupby(anchor["project_id"]).mean().mean(), abs=0.05)


def test_each_feature_is_in_one_hallmark_that_claims_its_cpg(study, frame):
    dictionary, orthogonal = study.hallmarks, study.json(ORTHOGONAL)
    placed = [feature for features in orthogonal.values() for feature in features]
    assert len(placed) == len(set(placed))
    claimed = {cpg for cpgs in dictionary.values() for cpg in cpgs}
    assert set(placed) == {name for name in frame.columns if name.rpartition("_")[0] in claimed}
    for hallmark, features in orthogonal.items():
        assert {feature.rpartition("_")[0] for feature in features} <= set(dictionary[hallmark])
    assert len(claimed) < sum(map(len, dictionary.values()))  # some are claimed twice


def test_features_are_cpgs_with_their_modality_and_pcs_alone(study, frame):
    assert [name for name in frame.columns if not re.fullmatch(r"cg\d{8}_(beta|chalm|camda)|RF_PC\d", name)] == []
    assert frame.columns[:-3].tolist() == sorted(study.feature_names)
    given = {column for name in TABLES.values() for column in study.table(name).columns}
    assert {"bmi", "plate_beta", "Age", "donor_id"} <= given  # there to be left out
    for table in all_weights(study):
        assert set(table["feature"].iloc[1:]) <= set(frame.columns)


def test_only_healthy_samples_with_an_age_are_trained_on(study, samples):
    columns = ["project_id", "sample_id", "Is_Healthy", "Age"]
    everyone = pd.concat([study.table(name)[columns] for name in TABLES.values()]).drop_duplicates()
    everyone = everyone.sort_values(["project_id", "sample_id"]).set_index("sample_id")
    fit = everyone["Is_Healthy"] & everyone["Age"].notna()
    assert samples["sample_id"].tolist() == fit.index[fit].tolist()
    assert not fit.all()


def test_projects_and_donors_are_never_split_over_folds(study, samples):
    for column in ("project_id", "donor_id"):
        assert (samples.groupby(column)["fold"].nunique() == 1).all()
    # Donors who gave to two studies tie these: there are fewer groups than projects.
    assert samples["group"].nunique() < samples["project_id"].nunique()


def test_the_manifest_of_stage2_lists_each_expert(study):
    manifest = study.json(f"{ARTIFACTS}/stage2/manifest.json")
    assert manifest == study.json(f"{ARTIFACTS}/stage2/Stage2_Manifest.json")
    assert set(manifest["hallmarks"]) == set(SETTINGS["hallmarks"])
    for hallmark, expert in manifest["hallmarks"].items():
        assert study.path(f"{ARTIFACTS}/stage2/{expert['file']}").is_file()
        assert expert["features"] == expert_weights(study, hallmark)["feature"].tolist()[1:]
        assert set(expert["hyperparameters"]) == {"alpha", "l1_ratio"}


def test_importance_is_of_the_fusions_features_by_falling_gain(study):
    importance = study.table(f"{ARTIFACTS}/stage3/Stage3_Attention_Importance.csv")
    meta = study.json(f"{ARTIFACTS}/stage3/Stage3_Artifacts.json")
    assert sorted(importance["feature"]) == sorted(meta["feature_order"])
    assert importance["gain"].is_monotonic_decreasing
    assert importance["feature"].iloc[0] == "Sex"  # by which the mini study's ages lean
    assert set(meta["feature_order"]) >= {"Stage1_Pred_Age", "Tissue", "Sex", "RF_PC1", *CORRECTIONS}


# Made by the assembly itself.
ADDED = {"Reading.json", "stage3/Applicability.json", "stage3/Feature_Covariance.csv", "reference/samples.csv"}
ADDED |= {"reference/predictions.csv", "MODEL_CARD.md", "MODEL_CARD.json"}


def test_the_assembled_folder_is_sealed_and_equals_the_artifacts(study):
    manifest = study.json(f"{ASSEMBLED}/MANIFEST.json")
    folder = study.path(ASSEMBLED)
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(manifest["files"]) == present - {"MANIFEST.json"}
    for name, digest in manifest["files"].items():
        assert sha256_of(folder / name) == digest, name
        if name not in ADDED:
            assert sha256_of(study.path(f"{ARTIFACTS}/{name}")) == digest, name
    digests = manifest["training_data"]["files"]
    assert digests.pop("values") == study.training_data().digest()
    assert digests.pop("feature_names.txt") == sha256_of(study.path("results/store/feature_names.txt"))
    for name, digest in digests.items():
        assert sha256_of(study.path(f"{TRAINING}/{name}")) == digest, name
    assert {"format_version", "software"} <= set(manifest)


def test_predictions_are_made_for_each_sample_of_the_named_table(study):
    predicted, given = study.table("results/predictions/held_back.csv"), study.table("data/held_back.parquet")
    assert predicted["sample_id"].tolist() == given["sample_id"].tolist()
    assert {*CORRECTIONS, "Stage1_Pred_Age", "HeteroAge", "Age_Acceleration", "Imputed_Fraction"} <= set(predicted)
    assert predicted["HeteroAge"].notna().all()
