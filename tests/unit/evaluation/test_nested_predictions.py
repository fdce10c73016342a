"""A held-out fold is predicted as a user's own table would be, and stands beside what is known of its samples."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from heteroage.evaluation.nested import anchor_plus_experts, held_out_samples, master_table, predict_held_out


@pytest.fixture
def store(clock):
    """The new samples in a store (features x samples, reversed), with features that the clock does not look at."""
    table = clock.master.iloc[::-1].reset_index(drop=True)
    n = len(table)
    names = [name for name in table.columns if name.startswith("cg")]
    matrix = np.vstack([table[names].to_numpy().T, np.full((3, n), 0.7)]).astype(np.float32)
    samples = table[["sample_id", "Tissue", "Sex", "Age"]].assign(project_id=[f"p{k % 3}" for k in range(n)])
    samples["Is_Healthy"], samples["outer_fold"] = np.arange(n) % 3 > 0, np.arange(n) % 2
    samples["group"] = samples["project_id"]
    return matrix, [*names, "cg90000000_beta", "cg90000001_beta", "ch.1.5_beta"], samples


def test_all_samples_of_the_fold_whose_age_is_known_are_held_out(store):
    samples = store[2].assign(Age=store[2]["Age"].where(store[2].index != 5))
    held_out = held_out_samples(samples, 1)
    assert held_out.index.tolist() == [1, 3, 7, 9, 11, 13]
    assert set(held_out["Is_Healthy"]) == {True, False}


def test_a_fold_is_predicted_as_these_samples_are_from_a_users_table(loaded, clock, store):
    held_out = held_out_samples(store[2], 1)
    master = master_table(loaded.cpgs_read, *store[:2], held_out, None)
    assert sorted(name for name in master if name.startswith("cg")) == loaded.cpgs_read
    table = predict_held_out(without_intervals(loaded), held_out, master, 41.5)
    expected = loaded.predict(clock.master).set_index("sample_id").loc[held_out["sample_id"]].reset_index()
    pd.testing.assert_frame_equal(table[expected.columns], expected, check_exact=True)
    assert table["project_id"].tolist() == held_out["project_id"].tolist()
    assert table["Is_Healthy"].tolist() == held_out["Is_Healthy"].tolist()
    assert (table["fold"] == 1).all()
    assert (table["Training_Mean_Age"] == 41.5).all()
    assert table[["HeteroAge_Lower", "HeteroAge_Upper"]].isna().all(axis=None)


def test_only_experts_with_skill_are_added_up():
    ages = pd.DataFrame({"Stage1_Pred_Age": [40.0], "A_Correction": [1.0], "B_Correction": [-5.0]})
    for skill, expected in (([True, False], 41.0), ([True, True], 36.0), ([False, False], 40.0)):
        experts = pd.DataFrame({"hallmark": ["A", "B"], "skill": skill})
        assert anchor_plus_experts(ages, experts).tolist() == [expected]


def without_intervals(clock):
    return dataclasses.replace(clock, meta=clock.meta | {"intervals": None})


def test_the_users_components_are_joined_by_sample(clock, store):
    held_out = held_out_samples(store[2], 0)
    pcs = pd.DataFrame(
        {"RF_PC2": 2.0, "sample_id": held_out["sample_id"], "RF_PC1": np.arange(len(held_out)), "x": 0.0}
    )
    master = master_table({"cg90000001_beta"}, *store[:2], held_out, pcs.iloc[:0:-1])
    assert list(master.columns) == ["sample_id", "Tissue", "Sex", "Age", "cg90000001_beta", "RF_PC1", "RF_PC2"]
    np.testing.assert_array_equal(master["RF_PC1"], [np.nan, *range(1, len(held_out))])
