"""Copies of an array are found, and similar arrays are not taken for copies."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from heteroage.errors import HeteroAgeError
from heteroage.grouping import copies
from heteroage.grouping.copies import PAIR_COLUMNS, find_copies, most_variable, refuse_copies, strict_ratio
from heteroage.grouping.folds import assign_groups

REAL = Path(__file__).parents[4] / "shared/real"


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


def pairs_of(cohort, ratio=0.5):
    return find_copies(*cohort, ratio)


def named(pairs):
    return pairs[["sample_1", "sample_2"]].to_numpy().tolist()


def test_no_copies_no_pairs(cohort):
    pairs = pairs_of(cohort)
    assert pairs.empty
    assert list(pairs.columns) == PAIR_COLUMNS


@pytest.mark.parametrize("noise", [0, 0.01, 0.03])
def test_a_copy_in_another_project_and_of_another_tissue_is_found(cohort, noise):
    store, _, _ = cohort
    store[:, 41] = store[:, 2] + np.random.default_rng(0).normal(0, noise, len(store))
    pairs = pairs_of(cohort)
    assert pairs[["sample_1", "sample_2", "project_1", "project_2"]].to_numpy().tolist() == [["s02", "s41", "p2", "p5"]]
    assert pairs["concordance"].item() == pytest.approx(1, abs=60 * noise**2 + 1e-4)


def test_concordance_and_ratio_are_as_defined(cohort):
    store, _, samples = cohort
    store[:, 14] = store[:, 2] + np.random.default_rng(0).normal(0, 0.03, len(store))
    store[::2, 14] = np.nan  # the mean is over the features that both have
    rows, variance = most_variable(store, np.arange(400), samples)
    distance = np.nanmean((store[rows, 2, None] - store[rows]) ** 2 / variance[:, None], axis=0) / 2
    others = np.nanmean((store[rows, 14, None] - store[rows]) ** 2 / variance[:, None], axis=0) / 2
    found = pairs_of(cohort).iloc[0]
    nearest = min(np.delete(distance, [2, 14]).min(), np.delete(others, [2, 14]).min())
    assert found["concordance"] == pytest.approx(1 - distance[14], abs=1e-4)
    assert found["distance_ratio"] == pytest.approx(distance[14] / nearest, abs=1e-3)
    # Unrelated samples of one study and tissue have a distance of 1 on average.
    same = [(a, b) for a in range(60) for b in range(a) if (a - b) % 6 == 0 and 14 not in (a, b)]
    apart = [((store[rows, a] - store[rows, b]) ** 2 / variance).mean() / 2 for a, b in same]
    assert np.mean(apart) == pytest.approx(1, abs=0.05)


def test_the_variance_is_that_within_studies_and_tissues(cohort):
    store, _, samples = cohort
    rows, variance = most_variable(store, np.arange(400), samples)
    strata = [samples["project_id"], samples["Tissue"]]
    within = (
        pd.DataFrame(store.T.astype(float)).groupby([s.to_numpy() for s in strata]).transform(lambda v: v - v.median())
    )
    np.testing.assert_allclose(variance, (within**2).sum().to_numpy()[rows] / (60 - 6), rtol=0.2)
    assert set(rows) <= set(range(200))


def test_similar_samples_of_a_homogeneous_subtype_are_not_copies():
    rng = np.random.default_rng(2)
    subtype = np.arange(120) // 30
    store = (0.5 + 0.4 * np.sign(rng.normal(size=(300, 4))))[:, subtype] + rng.normal(0, 0.03, (300, 120))
    samples = pd.DataFrame(
        {"sample_id": [f"s{k:03d}" for k in range(120)], "project_id": [f"p{k % 6}" for k in range(120)]}
    )
    samples = samples.assign(Tissue="Glioma", donor_id=None)
    cohort = store.astype(np.float32), [f"cg{k:08d}_beta" for k in range(300)], samples
    assert pairs_of(cohort).empty  # though all samples of a subtype have a concordance above 0.9
    cohort[0][:, 60] = store[:, 77] + rng.normal(0, 0.01, 300)
    assert named(pairs_of(cohort)) == [["s060", "s077"]]


@pytest.mark.parametrize("sentinel", [-9, 999, 0])
def test_sentinels_neither_make_copies_nor_hide_them(cohort, sentinel):
    store, _, _ = cohort
    store[:, 41] = store[:, 2]
    store[np.random.default_rng(0).random(store.shape) < 0.005] = sentinel
    assert named(pairs_of(cohort)) == [["s02", "s41"]]


def test_sentinels_do_not_inflate_the_variance(cohort):
    store, _, samples = cohort
    rows, variance = most_variable(store, np.arange(400), samples)
    spoilt = store.copy()
    spoilt[np.random.default_rng(0).random(store.shape) < 0.005] = -9
    again, inflated = most_variable(spoilt, np.arange(400), samples)
    assert len(set(rows) & set(again)) > 90
    assert inflated.max() < 1.2 * variance.max()


def test_missing_values_hide_no_copy(cohort):
    store, _, _ = cohort
    store[:, 41] = store[:, 2]
    rng = np.random.default_rng(0)
    store[rng.random(store.shape) < 0.3] = np.nan
    pairs = pairs_of(cohort)
    assert named(pairs) == [["s02", "s41"]]
    assert 30 < pairs["n_features"].item() < 70  # 100 are compared, 0.7² of them are in both


def test_features_that_few_samples_have_are_not_compared(cohort):
    store, _, samples = cohort
    store[:150, :40] = np.nan
    rows, _ = most_variable(store, np.arange(400), samples)
    assert rows.min() >= 150


def test_samples_that_share_hardly_a_feature_are_not_compared(cohort):
    store, _, samples = cohort
    store[:, 14] = store[:, 2]
    rows, _ = most_variable(store, np.arange(400), samples)
    store[rows[:45], 14], store[rows[55:], 2] = np.nan, np.nan
    assert pairs_of(cohort).empty


def test_copies_in_threes_give_every_pair(cohort):
    store, _, _ = cohort
    store[:, [7, 20]] = store[:, [3]] + np.random.default_rng(0).normal(0, 0.01, (400, 2))
    assert sorted(named(pairs_of(cohort))) == [["s03", "s07"], ["s03", "s20"], ["s07", "s20"]]


def test_a_whole_study_copied(cohort):
    store, names, samples = cohort
    noise = np.random.default_rng(0).normal(0, 0.01, store.shape).astype(np.float32)
    twice = pd.concat(
        [samples, samples.assign(sample_id="t" + samples["sample_id"], project_id="q")], ignore_index=True
    )
    pairs = find_copies(np.hstack([store, store + noise]), names, twice, 0.5)
    assert sorted(named(pairs)) == [[s, f"t{s}"] for s in samples["sample_id"]]


def test_two_samples_of_a_rare_tissue_are_not_copies(cohort):
    store, _, samples = cohort
    rng = np.random.default_rng(0)
    brain = rng.uniform(0.1, 0.9, 400)
    for k in (4, 11):
        store[:, k] = np.clip(brain + rng.normal(0, 0.05, 400), 0, 1)
        samples.loc[k, "Tissue"] = "Brain"
    assert pairs_of(cohort).empty
    store[:, 11] = store[:, 4]
    assert named(pairs_of(cohort)) == [["s04", "s11"]]


def test_few_dimensions_ask_for_a_smaller_ratio():
    def ratio(dimensions, n=500):
        points = np.random.default_rng(0).normal(size=(n, dimensions))
        apart = np.square(points[:, None] - points).sum(axis=2)
        return strict_ratio(np.sort(apart, axis=1)[:, 1:65], 0.5)

    assert ratio(3) < ratio(8) < ratio(20) <= ratio(200) == 0.5
    # 500 unrelated points of 3 dimensions: fewer than one pair passes, where a ratio of 0.5 lets dozens pass.
    points = np.random.default_rng(1).normal(size=(500, 3))
    near = np.sort(np.square(points[:, None] - points).sum(axis=2), axis=1)[:, 1:3]
    assert (near[:, 0] / near[:, 1] <= 0.5).sum() > 50
    assert (near[:, 0] / near[:, 1] <= ratio(3)).sum() <= 1


def test_rows_and_blocks_change_nothing(cohort, monkeypatch):
    store, names, samples = cohort
    store[:, 41], store[:, 59], store[:, 30] = store[:, 2], store[:, 0], store[:, 31]
    whole = pairs_of(cohort)
    assert len(whole) == 3
    monkeypatch.setattr(copies, "ROWS_PER_BLOCK", 7)
    pd.testing.assert_frame_equal(pairs_of(cohort), whole)
    order = np.random.default_rng(0).permutation(60)
    shuffled = find_copies(store[:, order], names, samples.iloc[order].reset_index(drop=True), 0.5)
    assert {frozenset(pair) for pair in named(shuffled)} == {frozenset(pair) for pair in named(whole)}


def test_samples_are_compared_within_a_modality(cohort):
    store, names, samples = cohort
    both = np.vstack([store, store])
    both[:400, 30:], both[400:, :30] = np.nan, np.nan  # beta of one half, chalm of the other
    both[:400, 5] = both[:400, 9]
    names = [*names, *(name.replace("_beta", "_chalm") for name in names)]
    pairs = find_copies(both, names, samples, 0.5)
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
        refuse_copies(pairs_of(cohort))
    refuse_copies(pairs_of(cohort).iloc[:0])


def test_nothing_to_compare(cohort):
    store, names, samples = cohort
    for value in (0.5, np.nan):
        assert find_copies(np.full((400, 60), value, np.float32), names, samples, 0.5).empty
    assert find_copies(store[:, :2], names, samples[:2], 0.5).empty


def test_a_study_per_sample(cohort):
    store, names, samples = cohort
    store[:, 41] = store[:, 2]
    alone = samples.assign(project_id=samples["sample_id"])
    assert named(find_copies(store, names, alone, 0.5)) == [["s02", "s41"]]


@pytest.mark.skipif(not REAL.is_dir(), reason="the real data are not here")
@pytest.mark.parametrize(
    ("name", "found", "across"), [("blood", 47, 21), ("other_pipelines", 8, 0), ("glioma", 0, 0), ("brain", 0, 0)]
)
def test_real_data(name, found, across):
    """Pairs are of one donor, or of samples that agree in age and sex; the numbers are those of docs/audit.md."""
    table = pd.read_parquet(REAL / f"{name}_beta.parquet").sort_values("sample_id", ignore_index=True)
    cpgs = [column for column in table if column.startswith(("cg", "ch."))]
    values = table[cpgs].to_numpy(np.float32).T
    pairs = find_copies(values, [f"{cpg}_beta" for cpg in cpgs], table[["sample_id", "project_id", "Tissue"]], 0.5)
    assert (len(pairs), (pairs["project_1"] != pairs["project_2"]).sum()) == (found, across)
    one, other = (table.set_index("sample_id").loc[pairs[f"sample_{k}"]].reset_index() for k in "12")
    alike = (one["Sex"] == other["Sex"]) & ((one["Age"] - other["Age"]).abs() <= 1)
    assert ((one["donor_id"] == other["donor_id"]) | alike).all()
