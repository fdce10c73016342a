"""Copies of an array are found, and nothing else is taken for one."""

import numpy as np
import pandas as pd
import pytest

from heteroage.checks import duplicates
from heteroage.checks.duplicates import COLUMNS, find_duplicates, most_variable, refuse_duplicates
from heteroage.errors import HeteroAgeError
from heteroage.stages.sampling import assign_groups


@pytest.fixture
def cohort():
    """60 samples of 6 projects and 2 tissues x 400 features; tissues and projects shift them, 200 vary more."""
    rng = np.random.default_rng(1)
    samples = pd.DataFrame(
        {"sample_id": [f"s{k:02d}" for k in range(60)], "project_id": [f"p{k % 6}" for k in range(60)]}
    )
    samples["Tissue"] = np.where(np.arange(60) % 6 < 3, "Blood", "Liver")
    samples["donor_id"] = None
    spread = np.where(np.arange(400) < 200, 0.1, 0.01)
    store = 0.5 + rng.normal(0, 1, (400, 60)) * spread[:, None]
    store += rng.normal(0, 0.2, (400, 2))[:, (samples["Tissue"] == "Liver").astype(int)]
    store += rng.normal(0, 0.02, (400, 6))[:, np.arange(60) % 6]
    return np.clip(store, 0, 1).astype(np.float32), [f"cg{k:08d}_beta" for k in range(400)], samples


def pairs_of(cohort, threshold=0.9):
    return find_duplicates(*cohort, threshold)


def test_no_copies_no_pairs(cohort):
    pairs = pairs_of(cohort)
    assert pairs.empty
    assert list(pairs.columns) == COLUMNS


@pytest.mark.parametrize("noise", [0, 0.01])
def test_a_copy_in_another_project_and_of_another_tissue_is_found(cohort, noise):
    store, _, _ = cohort
    store[:, 41] = store[:, 2] + np.random.default_rng(0).normal(0, noise, len(store))
    pairs = pairs_of(cohort)
    assert pairs[["sample_1", "sample_2", "project_1", "project_2"]].to_numpy().tolist() == [["s02", "s41", "p2", "p5"]]
    assert pairs["concordance"].item() == pytest.approx(1, abs=50 * noise**2 + 1e-6)


def test_the_concordance_is_as_defined(cohort):
    store, _, samples = cohort
    store[:, 14] = store[:, 2] + np.random.default_rng(0).normal(0, 0.03, len(store))
    rows, variance = most_variable(store, np.arange(400), samples)
    expected = 1 - ((store[rows, 2] - store[rows, 14]) ** 2 / variance).mean() / 2
    found = pairs_of(cohort, 0.5).set_index(["sample_1", "sample_2"])["concordance"]
    assert found["s02", "s14"] == pytest.approx(expected, abs=1e-4)
    # Unrelated samples of one study and tissue have 0 on average.
    same = [(a, b) for a in range(60) for b in range(a) if (a - b) % 6 == 0 and 14 not in (a, b)]
    rest = [1 - ((store[rows, a] - store[rows, b]) ** 2 / variance).mean() / 2 for a, b in same]
    assert abs(np.mean(rest)) < 0.03


def test_the_variance_is_that_within_studies_and_tissues(cohort):
    store, _, samples = cohort
    rows, variance = most_variable(store, np.arange(400), samples)
    strata = [samples["project_id"], samples["Tissue"]]
    within = (
        pd.DataFrame(store.T.astype(float)).groupby([s.to_numpy() for s in strata]).transform(lambda v: v - v.mean())
    )
    np.testing.assert_allclose(variance, (within**2).sum().to_numpy()[rows] / (60 - 6), rtol=1e-5)
    assert set(rows) <= set(range(200))


def test_missing_values_hide_no_copy(cohort):
    store, _, _ = cohort
    store[:, 41] = store[:, 2]
    rng = np.random.default_rng(0)
    store[rng.random(store.shape) < 0.3] = np.nan
    pairs = pairs_of(cohort)
    assert pairs[["sample_1", "sample_2"]].to_numpy().tolist() == [["s02", "s41"]]
    assert 30 < pairs["n_features"].item() < 70  # 100 are compared, 0.7² of them are in both


def test_the_concordance_is_over_the_features_that_both_have(cohort):
    store, _, samples = cohort
    store[:, 14] = store[:, 2] + np.random.default_rng(0).normal(0, 0.03, len(store))
    store[::2, 14] = np.nan
    rows, variance = most_variable(store, np.arange(400), samples)
    expected = 1 - np.nanmean((store[rows, 2] - store[rows, 14]) ** 2 / variance) / 2
    found = pairs_of(cohort, 0.5).set_index(["sample_1", "sample_2"])["concordance"]
    assert found["s02", "s14"] == pytest.approx(expected, abs=1e-4)


def test_samples_that_share_hardly_a_feature_are_not_compared(cohort):
    store, _, _ = cohort
    store[:, 14] = store[:, 2]
    store[:90, 14], store[105:, 2] = np.nan, np.nan  # each has about half of what is compared, both have 15 at most
    assert pairs_of(cohort).empty


def test_a_group_of_copies_gives_every_pair(cohort):
    store, _, _ = cohort
    store[:, [7, 20]] = store[:, [3]]
    assert pairs_of(cohort)[["sample_1", "sample_2"]].to_numpy().tolist() == [
        ["s03", "s07"],
        ["s03", "s20"],
        ["s07", "s20"],
    ]


def test_blocks_change_nothing(cohort, monkeypatch):
    store, _, _ = cohort
    store[:, 41], store[:, 59], store[:, 30] = store[:, 2], store[:, 0], store[:, 31]
    whole = pairs_of(cohort, 0.3)
    monkeypatch.setattr(duplicates, "BLOCK", 7)
    pd.testing.assert_frame_equal(pairs_of(cohort, 0.3), whole)
    assert len(whole) > 3


def test_samples_are_compared_within_a_modality(cohort):
    store, names, samples = cohort
    both = np.vstack([store, store])
    both[:400, 30:], both[400:, :30] = np.nan, np.nan  # beta of one half, chalm of the other
    both[:400, 5] = both[:400, 9]
    names = [*names, *(name.replace("_beta", "_chalm") for name in names)]
    pairs = find_duplicates(both, names, samples, 0.9)
    assert pairs[["modality", "sample_1", "sample_2"]].to_numpy().tolist() == [["beta", "s05", "s09"]]


def test_copies_tie_their_projects_transitively(cohort):
    store, _, samples = cohort
    store[:, 41], store[:, 5] = store[:, 2], store[:, 0]  # p5 with p2, p0 with p5
    group = assign_groups(samples, pairs_of(cohort))
    assert dict(zip(samples["project_id"], group, strict=True)) == {
        "p0": "p0", "p1": "p1", "p2": "p0", "p3": "p3", "p4": "p4", "p5": "p0",
    }  # fmt: skip
    assert (assign_groups(samples, pairs_of(cohort).iloc[:0]) == samples["project_id"]).all()


def test_copies_are_refused_by_name(cohort):
    store, _, _ = cohort
    store[:, 41] = store[:, 2]
    with pytest.raises(HeteroAgeError, match=r"near-identical arrays \(1: s02 \(p2\) and s41 \(p5\)\). Remove one"):
        refuse_duplicates(pairs_of(cohort))
    refuse_duplicates(pairs_of(cohort).iloc[:0])


def test_nothing_but_constants(cohort):
    _, names, samples = cohort
    assert find_duplicates(np.full((400, 60), 0.5, np.float32), names, samples, 0.9).empty
    assert find_duplicates(np.full((400, 60), np.nan, np.float32), names, samples, 0.9).empty


def test_a_study_per_sample(cohort):
    store, names, samples = cohort
    store[:, 41] = store[:, 2]
    alone = samples.assign(project_id=samples["sample_id"])
    assert list(find_duplicates(store, names, alone, 0.9)["sample_2"]) == ["s41"]
