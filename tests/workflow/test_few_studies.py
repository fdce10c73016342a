"""Few studies train, and say what was not measured; a published clock helps them along."""

import numpy as np
import pandas as pd
import pytest
from mini_study import ARTIFACTS, ASSEMBLED, FUSED, PROJECTS, TRAINING

from heteroage.age import transform_age
from heteroage.clock.loading import load_clock
from heteroage.clock.published import read_coefficients
from heteroage.files import sha256_of

NOT_MEASURED = "the error on a new study was NOT measured"


def merged(study, n):
    """The study as if its projects were n; projects that share donors become one."""
    name = {project: f"lab_{k % 4 % n}" for k, project in enumerate(PROJECTS)}
    return study.edit_tables(lambda table: table.assign(project_id=table["project_id"].map(name)))


def texts(study):
    """Summary, card and page of a run."""
    return [
        " ".join(study.path(name).read_text(encoding="utf-8").split())
        for name in ("results/summary.txt", f"{ASSEMBLED}/MODEL_CARD.md", "results/report/training.html")
    ]


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_studies_train_on_folds_of_donors_and_promise_nothing_of_a_new_study(new_study, n):
    study = merged(new_study, n)
    said = study.run("all", "report")
    samples = study.table(f"{TRAINING}/samples.csv")
    assert samples["group"].nunique() == n
    assert samples["fold"].nunique() == 4  # as configured
    donors = samples.dropna(subset="donor_id").groupby("donor_id")["fold"]
    assert donors.size().max() > 1  # or the next line would say nothing
    assert (donors.nunique() == 1).all()
    for text in [*texts(study), " ".join(said.split())]:
        assert NOT_MEASURED in text
    summary, card, _ = texts(study)
    assert "Error on held-out donors" in summary
    assert "Folds, donors of the same studies held out" in card
    assert "whole groups" not in card
    meta = study.json(f"{ARTIFACTS}/stage3/Stage3_Artifacts.json")
    assert (meta["intervals"], meta["boosting_rounds"]) == (None, 0)
    ages = study.table(FUSED)
    assert (ages["HeteroAge"] - ages["Age"]).abs().mean() < (ages["Age"] - ages["Age"].mean()).abs().mean()
    assert load_clock(study.path(ASSEMBLED)).studies is None
    assert not study.path("results/report/index.html").exists()


@pytest.fixture(scope="module")
def started(inputs, tmp_path_factory):
    """Three studies that start from a simulated published clock: a ridge regression on CpGs of the beta table."""
    study = merged(inputs.inputs_alone(tmp_path_factory.mktemp("started") / "study"), 3)
    beta = study.table("data/beta.parquet")
    cpgs = [name for name in beta.columns if name.startswith("cg")][:60]
    X, age = beta[cpgs].fillna(beta[cpgs].median()), transform_age(beta["Age"].to_numpy())
    slopes = np.linalg.solve(np.cov(X.T) + 0.02 * np.eye(60), np.cov(X.T, age)[:-1, -1])
    table = pd.DataFrame({"CpGmarker": ["(Intercept)", *cpgs], "CoefficientTraining": [9.0, *slopes]})
    table.to_csv(study.path("data/published.csv"), index=False)
    given = {"coefficients": "data/published.csv", "strengths": [0.5, 1], "trained_on": ["lab_1"]}
    given |= {"source": "a simulation", "licence": "none"}
    study.configure(stage1__start_from=given, stage1__alpha={"highest": 0.3, "lowest": 0.05, "steps": 3})
    return study, study.run("all", "report")


def test_three_studies_are_a_fold_each_without_being_asked(started):
    study = started[0]
    samples = study.table(f"{TRAINING}/samples.csv")
    assert (samples.groupby("fold")["group"].nunique().tolist(), samples["fold"].nunique()) == ([1, 1, 1], 3)
    assert "Methods paragraph" in texts(study)[2]
    for text in texts(study):
        assert "The studies are three groups." in text
        assert NOT_MEASURED not in text


def test_the_strength_is_swept_chosen_and_told(started):
    study = started[0]
    report = study.table(f"{ARTIFACTS}/stage1/Stage1_Sweep_Report.csv")
    assert set(report["strength"]) == {0.0, 0.5, 1.0}
    best = report.loc[report["Score"].idxmax()]
    chosen = report[report["selected"]].iloc[0]
    assert chosen["Score"] == best["Score"]
    assert chosen["strength"] > 0  # the published clock knows more than three small studies can learn
    digest = sha256_of(study.path("data/published.csv"))[:16]
    for text in texts(study):
        assert f"published clock published.csv (SHA-256 {digest}; source a simulation; licence none)" in text
        assert "studies that are among these (1: lab_1)" in text
        assert "are probably too small" in text


def test_the_deployed_anchor_holds_the_sum(started):
    """Where the net adds nothing to a published CpG, its raw weight is strength times the published coefficient."""
    study = started[0]
    report = study.table(f"{ARTIFACTS}/stage1/Stage1_Sweep_Report.csv")
    strength = report.loc[report["selected"], "strength"].item()
    published = read_coefficients(study.path("data/published.csv"))
    anchor = load_clock(study.path(ASSEMBLED)).anchor
    weight = dict(zip(anchor.features, anchor.raw, strict=True))
    assert set(published.features) <= set(weight)
    expected = strength * published.coefficient
    found = np.array([weight[name] for name in published.features])
    kept = np.isclose(found, expected, rtol=1e-9)  # rounding of w / s + c
    assert kept.sum() >= 10
    assert kept.sum() < len(kept)  # and the net has corrected some


def test_another_coefficient_table_trains_again(started):
    study = started[0]
    table = study.table("data/published.csv")
    table["CoefficientTraining"] *= 1.01
    before = study.path("data/published.csv").read_bytes()
    table.to_csv(study.path("data/published.csv"), index=False)
    planned = study.plan().jobs
    study.path("data/published.csv").write_bytes(before)
    assert planned["train_stage1"] == 1


def test_studies_that_miss_its_cpgs_stop_the_run_before_the_sweep(started, tmp_path):
    study = started[0].copy(tmp_path / "study")
    cpgs = study.table("data/published.csv")["CpGmarker"][1:13].tolist()

    def spoil(table):
        lab = table["project_id"] == "lab_2"
        return table.assign(**{name: table[name].mask(lab) for name in cpgs})

    study.edit_table("data/beta.parquet", spoil)
    done = study.snakemake()
    assert done.returncode != 0
    said = " ".join(done.stdout.split())
    assert "stage1.start_from.coefficients, data/published.csv, has CpGs that are missing in some studies" in said
    assert "Studies with more than 10% missing: 1: lab_2" in said
    assert "sweep:" not in study.path("logs/full/train_stage1.log").read_text(encoding="utf-8")
