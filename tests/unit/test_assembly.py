"""The digest of a run's training data."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from heteroage import assembly
from heteroage.assembly import distance_of, learn_covariance, learn_distance, learn_slopes, training_digest
from heteroage.clock import artifacts
from heteroage.clock.apply import write_reference
from heteroage.clock.cohort import Applicability
from heteroage.clock.imputation import Covariance
from heteroage.errors import HeteroAgeError
from heteroage.evaluation.nested import MODELS
from heteroage.files import read_json, read_table, sha256_of, write_table
from heteroage.stages.context import project
from heteroage.stages.training_data import TrainingData


def test_the_training_digest_changes_with_any_byte_and_not_with_order_or_place(tmp_path, training_data):
    for name in ("samples.csv", "names.txt"):
        (tmp_path / name).write_text(name)
    files = [tmp_path / "samples.csv", tmp_path / "names.txt"]
    digest = training_digest(files, training_data)
    assert digest["files"] == {path.name: sha256_of(path) for path in files} | {"values": training_data.digest()}
    assert training_digest(files[::-1], training_data)["sha256"] == digest["sha256"]
    assert str(tmp_path) not in json.dumps(digest)
    values = training_data.X.copy()
    values[0, 0] += 0.25
    assert training_digest(files, replace(training_data, X=values))["sha256"] != digest["sha256"]
    files[0].write_text("Samples.csv")
    assert training_digest(files, training_data)["sha256"] != digest["sha256"]


@pytest.fixture
def trained(clock, clock_copy, loaded):
    """The folder as it is before it is calibrated, and the data that its clock was trained on."""
    for name in (artifacts.APPLICABILITY, artifacts.COVARIANCE, artifacts.REFERENCE_SAMPLES):
        (clock_copy / name).unlink()
    full = pd.concat([clock.training, project(clock.loadings, clock.training)], axis=1)
    names = [name for name in full.columns if name.startswith(("cg", "RF_PC"))]
    samples = full[["sample_id", "Tissue", "Sex", "Age"]].assign(fold=np.arange(len(full)) % 4)
    predicted = loaded.predict(clock.training)
    corrections = [name for name in predicted if name.endswith("_Correction")]
    for path, columns in zip(assembly.OOF_TABLES, (["Stage1_Pred_Age"], corrections), strict=True):
        write_table(predicted[["sample_id", *columns]], clock_copy / path)
    samples["project_id"] = [f"p{k % 8}" for k in range(len(full))]
    samples["group"] = samples["project_id"].replace("p7", "p6")
    crossed = samples[["sample_id", "project_id", "Age"]].assign(HeteroAge=predicted["HeteroAge"])
    write_table(crossed, clock_copy / assembly.PREDICTIONS)
    return clock_copy, TrainingData(samples, full[names].to_numpy(np.float32).T, names)


def learnt(folder, data):
    assembly.add_applicability(folder, data)
    return read_json(folder / artifacts.APPLICABILITY), read_table(folder / artifacts.COVARIANCE)


def test_limits_and_covariance_are_those_of_the_training_samples(trained, clock):
    limits, covariance = learnt(*trained)
    read = assembly.read_unsealed(trained[0])
    assert limits["age_range"] == [clock.training["Age"].min(), clock.training["Age"].max()]
    assert set(limits["slopes"]) == {
        "Stage1_Pred_Age",
        "Genomic_Instability_Correction",
        "Telomere_Attrition_Correction",
        "RF_PC1",
        "RF_PC2",
    }
    features = covariance.set_index("feature")
    assert sorted(features.index) == sorted({*read.terms, *read.cpgs_read, *read.pc_names})
    name = "cg00000003_beta"
    filled = clock.training[name].fillna(clock.training[name].median())
    factors = features.loc[name].filter(like="factor_")
    spread = features.loc[name, "own_variance"] + (factors.astype(float) ** 2).sum()
    assert spread == pytest.approx(filled.var(ddof=0), rel=1e-5)  # the store's single precision


def test_the_order_of_samples_features_and_out_of_fold_rows_does_not_matter(trained):
    folder, data = trained
    expected = learnt(folder, data)
    rng = np.random.default_rng(1)
    for path in (*assembly.OOF_TABLES, assembly.PREDICTIONS):
        table = read_table(folder / path)
        write_table(table.iloc[rng.permutation(len(table))], folder / path)
    order = rng.permutation(len(data.feature_names))
    shuffled = TrainingData(data.samples, data.X[order], [data.feature_names[k] for k in order])
    limits, covariance = learnt(folder, shuffled)
    assert limits == expected[0]
    pd.testing.assert_frame_equal(covariance, expected[1], check_exact=True)


def test_what_the_fusion_adds_is_what_prediction_adds(trained, clock, loaded):
    folder, data = trained
    predicted = loaded.predict(clock.training)
    frame = {name: predicted[name].to_numpy() for name in predicted if name.endswith(("_Pred_Age", "_Correction"))}
    components = {name: loaded.predict_stage1(clock.training)[name].to_numpy() for name in loaded.pc_names}
    added = assembly.added_by_fusion(assembly.read_unsealed(folder), frame, components, data.samples)
    # 1e-9 years: the rounding of a difference of two ages.
    np.testing.assert_allclose(added, predicted["HeteroAge"] - predicted["Stage1_Pred_Age"], rtol=0, atol=1e-9)
    unknown = data.samples.assign(Tissue="unknown", Sex="unknown")
    other = assembly.added_by_fusion(assembly.read_unsealed(folder), frame, components, unknown)
    without = loaded.predict(clock.training.drop(columns=["Tissue", "Sex"]))
    np.testing.assert_allclose(other, without["HeteroAge"] - without["Stage1_Pred_Age"], rtol=0, atol=1e-9)


def test_features_that_nobody_has_vary_by_nothing():
    values = np.vstack([np.full(30, np.nan), np.linspace(0.2, 0.8, 30)])
    values[1, 4] = np.nan
    table = assembly.covariance_table(values, ["cg1_beta", "cg2_beta"], np.arange(30) % 3).set_index("feature")
    assert np.isfinite(table.to_numpy(float)).all()
    assert (table.loc["cg1_beta"].astype(float) == 0).all()


def test_reference_samples_are_written_as_they_were_when_the_clock_was_made(clock, trained):
    folder, data = trained
    learnt(folder, data)
    write_reference(folder, assembly.read_unsealed(folder))
    for name in (artifacts.REFERENCE_SAMPLES, artifacts.REFERENCE_PREDICTIONS):
        one, other = read_table(folder / name), read_table(clock.folder / name)
        kept = [column for column in one if column not in ("Imputed_Years", "Flags")]
        pd.testing.assert_frame_equal(one[kept], other[kept], check_exact=True)


def test_errors_of_studies_are_out_of_fold_or_those_of_nested_runs(trained):
    folder, data = trained
    crossed = read_table(folder / assembly.PREDICTIONS)
    error = crossed["HeteroAge"] - crossed["Age"]
    by_project = error.groupby(crossed["project_id"]).mean()
    found = learnt(folder, data)[0]["studies"]
    assert (found["source"], found["studies"]) == ("out_of_fold", 8)
    assert (found["lowest"], found["highest"]) == pytest.approx((by_project.min(), by_project.max()))
    around = error - error.groupby(data.samples["group"]).transform("mean")
    assert found["within_sd"] == pytest.approx(((around**2).sum() / (80 - 7)) ** 0.5)
    rows = [(model, "project_id", f"p{k}", 10, k + (model == "HeteroAge")) for model in MODELS for k in range(8)]
    accuracy = pd.DataFrame(rows, columns=["model", "stratum", "level", "n", "Bias"])
    assembly.add_applicability(folder, data, accuracy)
    nested = read_json(folder / artifacts.APPLICABILITY)["studies"]
    assert nested == found | {"source": "nested", "lowest": 1.0, "highest": 8.0}


def correlated(n_features, n_samples, rng):
    """Features with three causes in common and noise of their own, on beta scale."""
    common = rng.normal(size=(3, n_samples))
    return 0.5 + rng.normal(0, 0.05, (n_features, 3)) @ common + rng.normal(0, 0.03, (n_features, n_samples))


def covariance_of(values, weights):
    names = [f"cg{k:08d}_beta" for k in range(len(values))]
    columns = learn_covariance(values, names, np.arange(values.shape[1]) % 4)
    return Covariance.of(columns, dict(zip(names, weights, strict=True)), 1, "c.csv"), names


@pytest.mark.parametrize("n_samples", [25, 400])  # fewer samples than features, and more
def test_the_cost_in_format_version_1_is_the_standard_deviation_of_what_was_not_contributed(n_samples):
    rng = np.random.default_rng(n_samples)
    values = correlated(40, n_samples, rng)
    weights = rng.normal(size=(40, 2))
    covariance, names = covariance_of(values, weights)
    for lacking in ([3], [3, 17], list(range(40))):
        sums = covariance.start(2)
        for k in lacking:
            covariance.add(names[k], sums, np.array([True, False]))
        for slope in (21.0, 5.0):
            contributed = ((slope * weights[lacking, 0] + weights[lacking, 1])[:, None] * values[lacking]).sum(axis=0)
            years = covariance.years(sums, np.full(2, slope))
            # Single features are exact but for the least own variance; of many, what no factor holds is left out.
            tolerance = 0.01 if len(lacking) == 1 else 0.15
            np.testing.assert_allclose(years[0], contributed.std(), rtol=tolerance)
            assert years[1] == 0


def test_distance_limit_is_exceeded_by_one_in_a_hundred_out_of_fold():
    rng = np.random.default_rng(3)
    values = correlated(30, 2000, rng)
    limit = learn_distance(values, np.arange(2000) % 5)
    new = np.random.default_rng(4)
    distances = distance_of(values, values.mean(axis=1), values.std(axis=1))
    assert 0.005 < (distances > limit).mean() < 0.02
    far = distance_of(values + new.choice([-0.4, 0.4], (30, 1)), values.mean(axis=1), values.std(axis=1))
    assert (far > limit).all()


def test_slopes_of_a_fusion_that_is_a_line_and_of_none():
    rng = np.random.default_rng(5)
    frame = {"Stage1_Pred_Age": rng.normal(50, 20, 200), "A_Correction": rng.normal(size=200)}
    added = 0.1 * frame["Stage1_Pred_Age"] + 0.7 * frame["A_Correction"]
    slopes = learn_slopes(added, frame)
    np.testing.assert_allclose([slopes["Stage1_Pred_Age"], slopes["A_Correction"]], [1.1, 0.7], rtol=1e-6)
    assert learn_slopes(np.zeros(200), frame) == {"Stage1_Pred_Age": 1.0, "A_Correction": 0.0}


@pytest.mark.parametrize(
    "content", [None, {}, {"age_range": [1]}, {"age_range": [0, 1], "distance_limit": "x", "slopes": {}}]
)
def test_what_is_no_applicability_is_refused(content):
    with pytest.raises(HeteroAgeError, match=r"a\.json"):
        Applicability.from_json(content, "a.json")
