"""Samples that lie far out of their tissue."""

import numpy as np
import pandas as pd
import pytest
from tissue_cohort import tissue_cohort

from heteroage.checks.samples import FAR, check_sex, find_outliers, robust_distances


@pytest.fixture
def cohort():
    return tissue_cohort()


def outliers_of(store, names, samples):
    return find_outliers(store, names, samples, {"beta": np.ones(len(samples), bool)})


def test_nobody_lies_far_out(cohort):
    table = outliers_of(*cohort)
    assert not table["Outlier"].any()
    assert len(table) == 90
    # Of a tissue with few samples nothing is said.
    assert table.set_index("sample_id")["Outlier_Score"].isna().to_dict() == {f"s{k:02d}": k >= 86 for k in range(90)}


def test_one_who_lies_far_out_is_found_first(cohort):
    store, _, _ = cohort
    store[:, 33] += np.random.default_rng(0).normal(0, 0.5, 300).astype(np.float32)
    table = outliers_of(*cohort)
    assert table["sample_id"][0] == "s33"
    assert list(table["Outlier"]) == [True] + [False] * 89
    assert table["Outlier_Score"][0] >= FAR
    assert abs(table[table["Farthest_PC"][0]][0]) == table[table["Farthest_PC"][0]].abs().max()


def test_a_sample_of_another_tissue_than_its_label_lies_far_out(cohort):
    cohort[2].loc[60, "Tissue"] = "Blood"
    assert list(outliers_of(*cohort).query("Outlier")["sample_id"]) == ["s60"]


def test_scores_are_those_of_the_tissue():
    rng = np.random.default_rng(0)
    pcs = rng.normal(0, 1, (40, 2)) + np.repeat([[0, 0], [50, 0]], 20, axis=0)
    tissue = pd.Series(["a"] * 20 + ["b"] * 20)
    distance = robust_distances(pcs, tissue)
    own = pcs[20:]
    spread = 1.4826 * np.median(np.abs(own - np.median(own, axis=0)), axis=0)
    np.testing.assert_allclose(distance[20:], np.abs(own - np.median(own, axis=0)) / spread)
    assert distance.max() < 6
    assert robust_distances(np.ones((12, 2)), pd.Series(["a"] * 12)).max() == 0


def test_modalities_without_features_to_compare_are_left_out(cohort):
    _, names, samples = cohort
    assert outliers_of(np.full((300, 90), 0.5, np.float32), names, samples).empty


@pytest.fixture
def chromosomes(cohort):
    """40 features on X and 10 on Y: half methylated or background in women, near 0 or 1 in men."""
    store, names, samples = cohort
    rng = np.random.default_rng(3)
    extreme = np.where(rng.random((50, 1)) < 0.5, 0.08, 0.92)
    male = (samples["Sex"] == "M").to_numpy()
    store[:50] = np.where(male, extreme, 0.5) + rng.normal(0, 0.05, (50, 90))
    cpgs = [name.removesuffix("_beta") for name in names]
    return pd.DataFrame({"cpg": cpgs, "chromosome": ["X"] * 40 + ["Y"] * 10 + ["7"] * 250})


def test_labels_that_agree(cohort, chromosomes):
    table = check_sex(*cohort, chromosomes)
    assert (table["Predicted_Sex"] == table["Sex"]).all()
    assert not table["Mismatch"].any()


def test_wrong_and_unknown_labels(cohort, chromosomes):
    store, names, samples = cohort
    truth = samples["Sex"].copy()
    for k in (5, 70):
        samples.loc[k, "Sex"] = {"F": "M", "M": "F"}[truth[k]]
    samples.loc[8, "Sex"] = "unknown"
    table = check_sex(store, names, samples, chromosomes)
    assert list(table["sample_id"][table["Mismatch"]]) == ["s05", "s70"]
    assert list(table["sample_id"][:2]) == ["s05", "s70"]
    assert table.set_index("sample_id").loc["s08", "Predicted_Sex"] == truth[8]


@pytest.mark.parametrize(("gone", "left"), [("X", "Y_Signal"), ("Y", "X_Signal")])
def test_one_chromosome_is_enough(cohort, chromosomes, gone, left):
    table = check_sex(*cohort, chromosomes[chromosomes["chromosome"] != gone])
    assert table[f"{gone}_Signal"].isna().all()
    assert table[left].notna().all()
    assert (table["Predicted_Sex"] == table["Sex"]).all()


def test_women_whose_y_probes_are_masked(cohort, chromosomes):
    store, _, samples = cohort
    store[40:50, (samples["Sex"] == "F").to_numpy()] = np.nan
    table = check_sex(*cohort, chromosomes)
    assert (table["Predicted_Sex"] == samples["Sex"]).all()
    assert (table["Y_Signal"].isna() == (samples["Sex"] == "F")).all()


def test_nothing_is_said_where_the_labels_do_not_part(cohort, chromosomes):
    store, names, samples = cohort
    shuffled = samples.assign(Sex=np.random.default_rng(1).permutation(samples["Sex"].tolist()))
    assert set(check_sex(store, names, shuffled, chromosomes)["Predicted_Sex"]) == {"unknown"}
    one_sex = samples.assign(Sex="F")
    assert set(check_sex(store, names, one_sex, chromosomes)["Predicted_Sex"]) == {"unknown"}
    elsewhere = chromosomes.assign(chromosome="7")
    table = check_sex(*cohort, elsewhere)
    assert set(table["Predicted_Sex"]) == {"unknown"}
    assert not table["Mismatch"].any()
