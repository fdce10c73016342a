"""Nested predictions are what a user would get for the held-out samples; a failed certificate fails the run."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
from mini_study import ASSEMBLED, FUSED, TABLES, call

from heteroage.evaluation.falsification import Verdict
from heteroage.evaluation.nested import accuracy, coverage
from heteroage.report.model_card import describe, render

RUN = "nested-0"
CERTIFICATE = "results/falsification/certificate.csv"


@pytest.fixture(scope="module")
def nested(study, tmp_path_factory):
    """The finished study with one nested run's held-out samples predicted, by the whole clock and without context."""
    copy = study.copy(tmp_path_factory.mktemp("nested") / "study")
    copy.run(f"results/{RUN}/held_out/fusion_without_context.csv")
    return copy


def test_held_out_samples_are_predicted_as_a_user_would(nested):
    predicted = nested.table(f"results/{RUN}/held_out/predictions.csv")
    everyone = nested.table("results/store/samples.csv")
    assert set(predicted["sample_id"]) == set(everyone.loc[everyone["outer_fold"] == 0, "sample_id"])
    trained = nested.table(f"results/{RUN}/training/samples.csv")
    assert not set(predicted["project_id"]) & set(trained["project_id"])
    assert np.allclose(predicted["Training_Mean_Age"], trained["Age"].mean())

    # The same samples by the command line, from the tables that the study came with.
    master = predicted[["sample_id", "Tissue", "Sex", "Age"]]
    for modality, name in TABLES.items():
        table = nested.table(name).set_index("sample_id")
        betas = table[[c for c in table.columns if c.startswith("cg")]]
        betas = betas.rename(columns=lambda c, m=modality: f"{c.removesuffix(f'_{m}')}_{m}")
        master = master.join(betas, on="sample_id")
    master = master.merge(nested.table("data/context_pcs.csv"), on="sample_id")
    master.to_parquet(nested.path("master.parquet"))
    command = [sys.executable, "-m", "heteroage.cli", "pipeline-predict", "--artifact-dir", f"results/{RUN}_artifacts"]
    done = call([*command, "--input", "master.parquet", "--out", "ages.csv"], nested.folder, nested.repository)
    assert done.returncode == 0, done.stdout
    by_user = nested.table("ages.csv").set_index("sample_id").loc[predicted["sample_id"]]
    # The store holds float32; the tables four decimals.
    assert np.allclose(predicted["HeteroAge"], by_user["HeteroAge"], atol=1e-3)
    assert (predicted["HeteroAge_Lower"] <= predicted["HeteroAge"]).all()
    assert (predicted["HeteroAge"] <= predicted["HeteroAge_Upper"]).all()


def test_without_context_the_fusion_cannot_learn_what_only_context_shows(nested):
    table = nested.table(f"results/{RUN}/held_out/predictions.csv").merge(
        nested.table(f"results/{RUN}/held_out/fusion_without_context.csv"), on="sample_id", validate="1:1"
    )
    error = {c: (table[c] - table["Age"]).abs().mean() for c in ("HeteroAge", "Fusion_Without_Context")}
    # In this study women are 16 years older than their CpGs say.
    assert error["Fusion_Without_Context"] > error["HeteroAge"] + 2


def test_the_whole_evaluation_is_planned_from_the_groups_there_are(nested):
    folds = sorted(nested.table("results/store/samples.csv")["outer_fold"].unique())
    jobs = nested.plan("evaluate").jobs
    assert jobs["assemble_nested_run"] == len(folds) - 1  # one is there already
    assert jobs["alter_training_samples"] == jobs["compare_scorings"] == jobs["score_nested_runs"] == 1


def test_pictures_of_nested_runs_need_nothing_but_nested_runs(nested):
    jobs = nested.plan("results/figures/nested/tissues.svg").jobs
    assert jobs["score_nested_runs"] == 1
    others = {"alter_training_samples", "alter_fold", "score_random_sets", "compare_scorings", "write_certificate"}
    assert others & set(jobs) == set()


def test_the_model_card_waits_for_evaluation_only_if_told_to(nested):
    assert "write_certificate" not in nested.plan().jobs
    plan = nested.configure(model_card__evaluated=True).plan().jobs
    nested.configure(model_card=None)
    assert plan["write_certificate"] == plan["score_nested_runs"] == 1
    assert plan["alter_fold"] == 1
    assert plan["alter_training_samples"] == 2  # shuffled ages, planted study
    card = nested.json("results/full_artifacts/MODEL_CARD.json")
    assert (card["errors_nested"], card["certificate"]) == (None, None)
    assert card["training_data"]["groups"] == nested.table("results/full/training/samples.csv")["group"].nunique()


def test_altering_the_held_out_fold_changes_no_file_of_the_run(nested):
    nested.run("results/falsification/altered_fold.csv")
    compared = nested.table("results/falsification/altered_fold.csv")
    assert {"samples", "pcs", "dictionary", "weights"} <= set(compared["file"])
    assert compared["same"].all()
    assert not list(nested.path("results/falsification").glob("tmp*"))


def test_a_failed_test_fails_the_run_and_leaves_the_certificate(nested):
    rows = [("shuffled_ages", 0.05, 0.2, "inconclusive", "few samples"), ("near_duplicates", 3.0, 0.0, "fail", "-")]
    table = pd.DataFrame(rows, columns=["test", "measured", "limit", "verdict", "meaning"])
    nested.path("results/falsification").mkdir(parents=True, exist_ok=True)
    table.to_csv(nested.path(CERTIFICATE), index=False)
    failed = nested.snakemake("falsify", "--allowed-rules", "falsify")
    assert failed.returncode != 0
    assert "falsification tests failed (1: near_duplicates (3, limit 0))" in failed.stdout
    assert "shuffled_ages proves nothing here: few samples" in failed.stdout
    assert nested.path(CERTIFICATE).is_file()
    table.assign(verdict="inconclusive").to_csv(nested.path(CERTIFICATE), index=False)
    nested.run("falsify", "--allowed-rules", "falsify")


def test_the_card_tells_nested_errors_and_a_failed_test(study):
    predictions = study.table(FUSED).assign(Training_Mean_Age=50.0, HeteroAge_Lower=0.0, HeteroAge_Upper=200.0)
    predictions["group"] = predictions["project_id"]
    failed = pd.DataFrame([Verdict("planted_study", 0.7, 0.25, "fail", "share that is known")])
    tables = {"accuracy": accuracy(predictions), "coverage": coverage(predictions), "certificate": failed}
    samples = study.table("results/full/training/samples.csv")
    card = describe(study.path(ASSEMBLED), samples, {"sha256": "-"}, tables)
    json.dumps(card, allow_nan=False)  # what is missing is null
    overall = next(row for row in card["errors_nested"] if row["model"] == "HeteroAge" and row["stratum"] == "all")
    assert overall["MAE"] == pytest.approx((predictions["HeteroAge"] - predictions["Age"]).abs().mean())
    text = render(card)
    assert f"| HeteroAge | {len(predictions)} | {samples['project_id'].nunique()} | {overall['MAE']:.2f} |" in text
    assert "Prediction intervals of nominal 90% held 100.0%" in text
    assert "| planted_study | 0.70 | 0.25 | FAIL | share that is known |" in text
    assert "snakemake falsify" not in text
