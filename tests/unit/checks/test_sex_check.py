"""Sex labels that the X and Y chromosomes contradict are found; where the labels do not part, nothing is said."""

import numpy as np
import pandas as pd
import pytest
from tissue_cohort import tissue_cohort

from heteroage.checks.sex_check import check_sex


@pytest.fixture
def cohort():
    return tissue_cohort()


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
    shuffled = samples.assign(Sex=np.random.default_rng(1).permutation(samples["Sex"]))
    assert set(check_sex(store, names, shuffled, chromosomes)["Predicted_Sex"]) == {"unknown"}
    one_sex = samples.assign(Sex="F")
    assert set(check_sex(store, names, one_sex, chromosomes)["Predicted_Sex"]) == {"unknown"}
    elsewhere = chromosomes.assign(chromosome="7")
    table = check_sex(*cohort, elsewhere)
    assert set(table["Predicted_Sex"]) == {"unknown"}
    assert not table["Mismatch"].any()
