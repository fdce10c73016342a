"""What several test modules share: a small training set, and a small sealed clock with tables to apply it to."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from illumina import MANIFEST
from sklearn.compose import TransformedTargetRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import ElasticNet
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from heteroage import assembly
from heteroage.age import inverse_transform_age, transform_age
from heteroage.clock import artifacts
from heteroage.clock.apply import write_reference
from heteroage.clock.cohort import Applicability, StudyErrors
from heteroage.clock.loading import load_clock
from heteroage.files import write_json, write_model, write_table
from heteroage.stages import stage3
from heteroage.stages.context import compute_loadings, project
from heteroage.stages.deployable import weights_table
from heteroage.stages.training_data import TrainingData


def pytest_configure(config):
    """Profile of the property tests: the same examples in each run, none cut off on a busy machine."""
    from hypothesis import settings

    settings.register_profile("heteroage", derandomize=True, deadline=None, max_examples=60)
    settings.load_profile("heteroage")


def elastic_net_pipeline(alpha: float, l1_ratio: float, transform_target: bool, intercept: bool = True) -> Pipeline:
    """The structure of every linear model of the clock, built with scikit-learn alone. Experts have no intercept."""
    net = ElasticNet(alpha=alpha, l1_ratio=l1_ratio, fit_intercept=intercept, tol=1e-10, max_iter=100_000)
    if transform_target:
        net = TransformedTargetRegressor(
            net, func=transform_age, inverse_func=inverse_transform_age, check_inverse=False
        )
    return Pipeline(
        [
            ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
            ("scale", StandardScaler()),
            ("elastic_net", net),
        ]
    )


def simulate_betas(ages, n_features, rng, missing=0.05):
    """Samples x features: a third drift with age, all are noisy, some values are missing."""
    drift = np.where(np.arange(n_features) % 3 == 0, rng.normal(0, 0.05, n_features), 0.0)
    betas = 0.5 + np.outer(transform_age(ages), drift) + rng.normal(0, 0.04, (len(ages), n_features))
    betas[rng.random(betas.shape) < missing] = np.nan
    return betas


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "manifest.csv"
    path.write_text(MANIFEST)
    return path


@pytest.fixture(scope="session")
def make_pipeline():
    return elastic_net_pipeline


@pytest.fixture(scope="session")
def training_data():
    """90 samples of 12 projects in 4 folds, 3 tissues, 42 features of which the last two are RF_PCs."""
    rng = np.random.default_rng(7)
    n = 90
    project = np.arange(n) % 12
    ages = np.round(rng.uniform(5, 85, n), 1)
    samples = pd.DataFrame(
        {
            "sample_id": [f"s{k:03d}" for k in range(n)],
            "project_id": [f"p{k:02d}" for k in project],
            "group": [f"p{k:02d}" for k in project],
            "Tissue": np.array(["Blood", "Blood", "Skin", "Liver"])[project % 4],
            "Sex": np.where(rng.random(n) < 0.5, "F", "M"),
            "Age": ages,
            "fold": project // 3,
        }
    )
    X = simulate_betas(ages, 40, rng).T
    pcs = rng.normal(0, 1, (2, n))
    names = [f"cg{k:08d}_{'beta' if k % 2 else 'chalm'}" for k in range(40)] + ["RF_PC1", "RF_PC2"]
    return TrainingData(samples, np.vstack([X, pcs]).astype(np.float32), names)


@dataclass(frozen=True)
class SealedClock:
    """A sealed folder with the models it was made of, and a master table of new samples for it."""

    folder: Path
    pipelines: dict[str, Pipeline]
    loadings: pd.DataFrame
    meta: dict
    booster: object
    training: pd.DataFrame
    master: pd.DataFrame


def _master(n, rng, prefix):
    """A master table of beta and chalm CpGs; 24 are in both modalities."""
    ages = np.round(rng.uniform(3, 90, n), 1)
    table = pd.DataFrame(
        {
            "sample_id": [f"{prefix}{k:03d}" for k in range(n)],
            "Tissue": rng.choice(["Blood", "Liver", "Skin"], n),
            "Sex": rng.choice(["F", "M"], n),
            "Age": ages,
        }
    )
    shared = np.random.default_rng(3)  # the same CpGs drift in every table
    drift = np.where(shared.random(48) < 0.5, shared.normal(0, 0.05, 48), 0)
    values = 0.5 + np.outer(transform_age(ages), drift) + rng.normal(0, 0.03, (n, 48))
    values = values.astype(np.float32).astype(np.float64)  # the precision of the feature store
    values[rng.random(values.shape) < 0.04] = np.nan
    names = [f"cg{k:08d}_{modality}" for modality in ("beta", "chalm") for k in range(24)]
    return pd.concat([table, pd.DataFrame(values, columns=names)], axis=1)


@pytest.fixture(scope="session")
def clock(tmp_path_factory):
    """A clock of three stages trained on 80 samples; its RF_PCs are computed from loadings."""
    folder = tmp_path_factory.mktemp("clock")
    training = _master(80, np.random.default_rng(11), "t")
    cpgs = [name for name in training.columns if name.startswith("cg")]
    age = training["Age"].to_numpy()

    loadings = compute_loadings(training[cpgs].to_numpy(np.float32).T, cpgs, np.arange(len(training)), 2, 20)
    pcs = project(loadings, training)
    full = pd.concat([training, pcs], axis=1)

    anchor = elastic_net_pipeline(0.02, 0.5, True).fit(full[[*cpgs, "RF_PC1", "RF_PC2"]], age)
    predicted = anchor.predict(full[[*cpgs, "RF_PC1", "RF_PC2"]])
    offered = {"Genomic_Instability": cpgs[:16], "Telomere_Attrition": [*cpgs[16:32], "RF_PC1"]}
    experts = {
        name: elastic_net_pipeline(0.05, 0.5, False, intercept=False).fit(full[features], age - 0.9 * predicted)
        for name, features in offered.items()
    }

    frame = pd.DataFrame({"Stage1_Pred_Age": predicted})
    for name, pipeline in experts.items():
        frame[f"{name}_Correction"] = pipeline.predict(full[offered[name]])
    frame["Tissue"], frame["Sex"] = training["Tissue"], training["Sex"]
    frame = pd.concat([frame, pcs], axis=1)
    parameters = {
        "learning_rate": 0.2,
        "num_leaves": 6,
        "min_data_in_leaf": 5,
        "min_data_per_group": 5,
        "cat_smooth": 1,
    }
    # The label leans on tissue and sex, so that the trees use both.
    lean = 6.0 * (frame["Tissue"] == "Liver") - 4.0 * (frame["Sex"] == "F")
    fusion = stage3.Fusion.boost(frame, age + lean.to_numpy(), parameters, 12)
    booster, categories, fused = fusion.booster, fusion.categories, fusion.predict(frame)
    meta = {
        "feature_order": list(frame.columns),
        "categories": categories,
        "pc_medians": {name: float(pcs[name].median()) for name in pcs.columns},
        "acceleration_reference": stage3.acceleration_reference(pd.DataFrame({"Age": age, "HeteroAge": fused})),
        "boosting_rounds": 12,
        "parameters": parameters,
    }

    for stage in ("stage1", "stage2/hallmarks", "stage3"):
        (folder / stage).mkdir(parents=True)
    write_table(weights_table(anchor), folder / artifacts.STAGE1_WEIGHTS)
    write_table(loadings, folder / artifacts.PC_LOADINGS)
    tables = [weights_table(pipeline).assign(hallmark=name) for name, pipeline in experts.items()]
    write_table(pd.concat(tables), folder / artifacts.STAGE2_WEIGHTS)
    (folder / artifacts.STAGE3_MODEL).write_text(booster.model_to_string(), encoding="utf-8")
    write_json(meta, folder / artifacts.STAGE3_META)
    write_model(anchor, folder / "stage1/model.joblib")
    for name, pipeline in experts.items():
        write_model(pipeline, folder / f"stage2/hallmarks/Hallmark_{name}.joblib")
    joblib.dump(booster, folder / "stage3/model.joblib")
    features = sorted({*cpgs, "RF_PC1", "RF_PC2"})
    fold = np.arange(len(training)) % 4
    limit = assembly.learn_distance(training[cpgs].to_numpy().T, fold)
    linear = {name: frame[name].to_numpy() for name in frame if name not in categories}
    studies = StudyErrors("out_of_fold", 9, -3.0, 4.0, 3.0, 6.0)
    slopes = assembly.learn_slopes(fused - predicted, linear)
    limits = Applicability(float(age.min()), float(age.max()), limit, slopes, studies)
    write_json(limits.as_json(), folder / artifacts.APPLICABILITY)
    covariance = assembly.covariance_table(full[features].to_numpy().T, features, fold)
    write_table(covariance, folder / artifacts.COVARIANCE)
    write_reference(folder, assembly.read_unsealed(folder))
    artifacts.seal(folder, {"samples": len(training)})

    master = _master(14, np.random.default_rng(12), "n")
    return SealedClock(folder, {"anchor": anchor, **experts}, loadings, meta, booster, training, master)


@pytest.fixture(scope="session")
def loaded(clock):
    """The clock as `load_clock` reads it."""
    return load_clock(clock.folder)


@pytest.fixture
def clock_copy(clock, tmp_path):
    """A copy of the clock's folder that a test may spoil."""
    return Path(shutil.copytree(clock.folder, tmp_path / "clock_copy"))


@pytest.fixture
def reseal():
    """Seal a folder anew after a test has changed what belongs into it."""

    def seal(folder):
        (folder / artifacts.MANIFEST).unlink()
        artifacts.seal(folder, {})

    return seal


@pytest.fixture(scope="session")
def clock_without_loadings(clock, tmp_path_factory):
    """The same clock as if its RF_PCs had come from a file: no loadings in the folder."""
    folder = tmp_path_factory.mktemp("without_loadings") / "clock"
    shutil.copytree(clock.folder, folder)
    (folder / artifacts.PC_LOADINGS).unlink()
    (folder / artifacts.MANIFEST).unlink()
    artifacts.seal(folder, {})
    return folder
