"""The clock finds what was planted, and nothing where nothing was."""

import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from mini_study import FUSED, SETTINGS, TABLES

STAGES = ["Stage1_Pred_Age", "HeteroAge"]


def mae(predicted, age):
    return (predicted - age).abs().mean()


def within_cells(table, column):
    """Pearson's r of a prediction with age, both centred within each tissue of each fold.

    Centring takes out what a model may rightly know (a tissue's mean age), and the bias of held-out means: a
    fold's own ages are not in the mean that predicts it.
    """
    centred = table[[column, "Age"]] - table.groupby(["Tissue", "fold"])[[column, "Age"]].transform("mean")
    return float(np.corrcoef(centred[column], centred["Age"])[0, 1])


def test_heteroage_is_far_better_than_the_mean_age(study):
    table = study.table(FUSED)
    means = {fold: table.loc[table["fold"] != fold, "Age"].mean() for fold in table["fold"].unique()}
    floor = mae(table["fold"].map(means), table["Age"])
    # In CpGs and sex together nearly all of the age was planted; half of the floor's error is a wide margin.
    assert mae(table["HeteroAge"], table["Age"]) < 0.5 * floor


def test_the_fusion_learns_what_only_the_fusion_sees(study):
    table = study.table(FUSED)
    # Four standard errors of the paired differences: chance alone exceeds them once in 30,000.
    gain = (table["Stage1_Pred_Age"] - table["Age"]).abs() - (table["HeteroAge"] - table["Age"]).abs()
    assert gain.mean() > 4 * gain.std() / np.sqrt(len(gain))


def test_held_back_samples_are_predicted_about_as_well_as_out_of_fold_ones(study):
    table, new = study.table(FUSED), study.table("results/predictions/held_back.csv")
    # Of 20 samples of one new study: their mean error scatters by a third and more.
    assert mae(new["HeteroAge"], new["Age"]) < 2 * mae(table["HeteroAge"], table["Age"])


@pytest.fixture(scope="module")
def shuffled(inputs, tmp_path_factory):
    """Out-of-fold predictions after the ages were shuffled within each tissue."""
    study = inputs.inputs_alone(tmp_path_factory.mktemp("shuffled") / "study")
    everyone = pd.concat([study.table(name)[["sample_id", "Tissue", "Age"]] for name in TABLES.values()])
    everyone = everyone.drop_duplicates().set_index("sample_id").sort_index()
    rng = np.random.default_rng(5)
    ages = everyone.groupby("Tissue")["Age"].transform(lambda age: rng.permutation(age.to_numpy()))
    study.edit_tables(lambda table: table.assign(Age=table["sample_id"].map(ages)))
    study.run(FUSED)
    return study.table(FUSED)


@pytest.mark.parametrize("stage", STAGES)
def test_shuffled_ages_are_not_predicted(study, shuffled, stage):
    cells = shuffled.groupby(["Tissue", "fold"]).ngroups
    # Within a cell held-out ages are in any order alike, so r has mean 0 and standard error 1/sqrt(n - cells),
    # 0.08 here; four of them are exceeded once in 16,000 such studies.
    bound = 4 / np.sqrt(len(shuffled) - cells)
    assert abs(within_cells(shuffled, stage)) < bound
    assert within_cells(study.table(FUSED), stage) > 2 * bound  # and the measure sees an age that is there


def test_the_demo_is_simulated_with_its_truth(new_study):
    resources = new_study.path("resources/demo")
    resources.mkdir(parents=True)
    (resources / "settings.yaml").write_text(yaml.safe_dump(SETTINGS), encoding="utf-8")
    shutil.copy(new_study.path("data/hallmarks.json"), resources)
    new_study.run("results/demo/truth.json")
    truth = new_study.json("results/demo/truth.json")
    samples = pd.concat(new_study.table(f"results/demo/{name}.parquet") for name in (*TABLES, "held_back"))
    assert truth["drifting_cpgs"]
    assert set(truth["accelerated_samples"]) <= set(samples["sample_id"])
    assert len(new_study.table("results/demo/context_pcs.csv"))
