"""The simulated cohorts are what the settings say, the same each time, with their truth beside them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from input_tables import merged
from threadpoolctl import threadpool_limits

from heteroage.demo import cpg_names, simulate, simulate_dictionary
from heteroage.files import read_json
from heteroage.grouping.folds import assign_groups, training_samples
from heteroage.probes import MODALITIES

RESOURCES = Path(__file__).parents[2] / "resources" / "demo"


@pytest.fixture(scope="module")
def settings():
    return yaml.safe_load((RESOURCES / "settings.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def dictionary(settings):
    return simulate_dictionary(settings)


@pytest.fixture(scope="module")
def demo(settings, dictionary):
    with threadpool_limits(1):  # on a busy machine, threads that wait for each other take several times as long
        return simulate(settings, dictionary)


@pytest.fixture(scope="module")
def cohorts(demo):
    return merged(demo.tables)


def test_the_shipped_dictionary_is_the_simulated_one(settings, dictionary):
    assert read_json(RESOURCES / "hallmarks.json") == dictionary
    assert list(dictionary) == settings["hallmarks"]


def test_hallmarks_are_of_the_demos_cpgs_and_overlap(settings, dictionary):
    names = cpg_names(settings)
    assert len(set(names)) == settings["cpgs"]
    size = settings["cpgs_per_hallmark"] + settings["shared_by_hallmarks"]
    assert all(len(set(cpgs)) == size and set(cpgs) <= set(names) for cpgs in dictionary.values())
    members = [cpg for cpgs in dictionary.values() for cpg in cpgs]
    assert len(members) - len(set(members)) == settings["shared_by_hallmarks"] * len(dictionary)


def test_sizes(settings, demo, cohorts):
    samples = cohorts.samples
    assert samples["Tissue"].nunique() == len(settings["tissues"]) >= 6
    assert samples["project_id"].nunique() == settings["projects"] >= 12
    assert len(samples) == settings["projects"] * settings["samples_per_project"] >= 600
    assert set(demo.tables) == set(MODALITIES)
    assert all(frame.shape[1] == settings["cpgs_per_modality"] >= 2000 for frame in cohorts.betas.values())
    assert len(settings["hallmarks"]) >= 8
    assert len(demo.new_samples) == settings["samples_per_project"]
    assert (samples.groupby("Tissue")["project_id"].nunique() >= 2).all()


def test_the_same_settings_give_the_same_cohorts_and_another_seed_others(settings, dictionary):
    small = (
        settings
        | {"projects": 3, "samples_per_project": 8, "cpgs": 600, "cpgs_per_modality": 300}
        | {"repeated_donors": 3, "cpgs_per_hallmark": 60}
        | {"drift": settings["drift"] | {"faint_cpgs": 100}}
    )
    words = simulate_dictionary(small)
    one, two, other = simulate(small, words), simulate(small, words), simulate(small | {"seed": 21}, words)
    for modality in MODALITIES:
        pd.testing.assert_frame_equal(one.tables[modality], two.tables[modality], check_exact=True)
        assert not one.tables[modality].equals(other.tables[modality])
    pd.testing.assert_frame_equal(one.context_pcs, two.context_pcs, check_exact=True)
    pd.testing.assert_frame_equal(one.new_samples, two.new_samples, check_exact=True)
    assert one.truth == two.truth


def test_there_are_missing_values_unhealthy_samples_and_samples_without_a_modality(settings, cohorts):
    for frame in cohorts.betas.values():
        share = frame.isna().to_numpy().mean()
        assert 0.5 * settings["missing_share"] < share < 2 * settings["missing_share"]
        assert ((frame >= 0) & (frame <= 1) | frame.isna()).to_numpy().all()
    unhealthy = 1 - cohorts.samples["Is_Healthy"].astype(bool).mean()
    assert 0.5 * settings["unhealthy_share"] < unhealthy < 2 * settings["unhealthy_share"]
    assert len(training_samples(cohorts.samples)) >= 500
    sizes = {modality: len(frame) for modality, frame in cohorts.betas.items()}
    assert sizes["beta"] == len(cohorts.samples) > max(sizes["chalm"], sizes["camda"])
    assert set(cohorts.betas["chalm"].index) != set(cohorts.betas["camda"].index)


def test_some_donors_gave_twice_a_few_of_them_in_two_studies(settings, cohorts):
    samples = cohorts.samples
    donors = samples.groupby("donor_id")
    twice = donors.size()[donors.size() > 1].index
    # A draw may fall on a sample that was drawn before: a few repeats fewer than asked for.
    assert settings["repeated_donors"] / 2 < len(twice) <= settings["repeated_donors"]
    assert (donors[["Sex", "Age"]].nunique() == 1).all().all()  # one person, one visit
    crossing = donors["project_id"].nunique()
    assert 1 <= (crossing > 1).sum() <= 2
    groups = assign_groups(samples)
    assert samples["project_id"].nunique() - 2 <= groups.nunique() < samples["project_id"].nunique()


def test_the_table_to_predict_is_of_no_training_project(demo, cohorts):
    new_samples = demo.new_samples
    assert not set(new_samples["sample_id"]) & set(cohorts.samples["sample_id"])
    assert {"sample_id", "Tissue", "Sex", "Age", "RF_PC1"} <= set(new_samples.columns)
    assert set(cohorts.feature_names) <= set(new_samples.columns)
    assert "project_id" not in new_samples.columns


def test_pcs_are_of_every_training_sample(settings, demo, cohorts):
    pcs = demo.context_pcs
    assert list(pcs.columns) == ["sample_id", *(f"RF_PC{k + 1}" for k in range(settings["n_pcs"]))]
    assert set(pcs["sample_id"]) == set(cohorts.samples["sample_id"])
    assert pcs.notna().all().all()


def test_truth(settings, demo, cohorts, dictionary):
    truth = demo.truth
    assert set(truth) == {
        *("simulated", "drifting_cpgs", "accelerated_hallmark", "acceleration_years", "accelerated_samples"),
    }
    assert truth["simulated"] is True
    assert truth["accelerated_hallmark"] == settings["accelerated_hallmark"] in dictionary
    assert truth["acceleration_years"] == settings["acceleration_years"]
    everyone = set(cohorts.samples["sample_id"]) | set(demo.new_samples["sample_id"])
    assert set(truth["accelerated_samples"]) < everyone
    assert 0.1 < len(truth["accelerated_samples"]) / len(everyone) < 0.3


def test_the_truth_is_in_the_data(demo, cohorts, dictionary):
    """Drifting CpGs follow age, others do not; the accelerated hallmark's differ in accelerated samples of like age."""
    samples, truth = cohorts.samples, demo.truth
    beta = cohorts.betas["beta"]
    beta = beta.rename(columns=lambda name: name.removesuffix("_beta"))
    ages = samples["Age"].to_numpy()
    logit = np.log((beta + 1e-3) / (1 - beta + 1e-3))
    within = logit - logit.groupby(samples["Tissue"].to_numpy()).transform("mean")
    r = within.corrwith(pd.Series(ages, index=beta.index)).abs()
    drifting = r.index.isin(truth["drifting_cpgs"])
    # Most drifting CpGs are too faint to be told from the others one by one.
    assert r[drifting].nlargest(20).mean() > 2 * r[~drifting].nlargest(20).mean()
    assert r[drifting].mean() > r[~drifting].mean()

    accelerated = beta.index.isin(truth["accelerated_samples"])
    decade = np.floor(ages / 10)
    within = within - within.groupby(decade).transform("mean")
    difference = (within[accelerated].mean() - within[~accelerated].mean()).abs()
    of_hallmark = {name: difference[difference.index.isin(cpgs)].mean() for name, cpgs in dictionary.items()}
    assert max(of_hallmark, key=of_hallmark.get) == truth["accelerated_hallmark"]
