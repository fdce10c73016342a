"""What imputing costs, how far a sample lies from training, and what is flagged."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from heteroage.age import inverse_transform_age, transform_age
from heteroage.applicability import (
    Applicability,
    Covariance,
    distance_of,
    learn_covariance,
    learn_distance,
    learn_slopes,
)
from heteroage.errors import HeteroAgeError
from heteroage.flags import MEANINGS
from heteroage.loading import load_clock


@pytest.fixture(scope="module")
def loaded(clock):
    return load_clock(clock.folder)


def correlated(n_features, n_samples, rng):
    """Features with three causes in common and noise of their own, on beta scale."""
    common = rng.normal(size=(3, n_samples))
    return 0.5 + rng.normal(0, 0.05, (n_features, 3)) @ common + rng.normal(0, 0.03, (n_features, n_samples))


def covariance_of(values, weights):
    names = [f"cg{k:08d}_beta" for k in range(len(values))]
    return Covariance.of(learn_covariance(values, names), dict(zip(names, weights, strict=True)), "c.csv"), names


@pytest.mark.parametrize("n_samples", [25, 400])  # fewer samples than features, and more
def test_the_cost_is_the_standard_deviation_of_what_was_not_contributed(n_samples):
    rng = np.random.default_rng(n_samples)
    values = correlated(40, n_samples, rng)
    weights = rng.normal(size=(40, 2))
    covariance, names = covariance_of(values, weights)
    for lacking in ([3], [3, 17], list(range(40))):
        sums = covariance.start(2)
        for k in lacking:
            covariance.add(names[k], sums, np.array([True, False]))
        for slope in (21.0, 5.0):
            contributed = ((slope * weights[lacking, 0] + weights[lacking, 1])[:, None] * values[lacking]).sum(axis=0)
            years = covariance.years(sums, np.full(2, slope))
            # Single features are exact; of many, what eight factors do not hold is left out.
            tolerance = 1e-6 if len(lacking) == 1 else 0.1
            np.testing.assert_allclose(years[0], contributed.std(), rtol=tolerance)
            assert years[1] == 0


def test_correlated_features_cost_more_than_their_sum_of_squares():
    shared = np.random.default_rng(1).normal(0.5, 0.05, 300)
    covariance, names = covariance_of(np.tile(shared, (10, 1)), np.tile([1.0, 0.0], (10, 1)))
    sums = covariance.start(1)
    for name in names:
        covariance.add(name, sums, np.array([True]))
    np.testing.assert_allclose(covariance.years(sums, np.array([21.0])), 21 * 10 * shared.std(), rtol=1e-6)


def test_imputed_years_of_a_clock(loaded, clock):
    """Of an adult: what the feature contributes to the anchor varies over the training samples, times the slope."""
    name = next(feature for feature in loaded.anchor.features if feature.startswith("cg"))
    cpgs = [column for column in clock.master.columns if column.startswith("cg")]
    whole = clock.master.assign(**clock.master[cpgs].fillna(0.5))
    without = loaded.predict(whole.assign(**{name: np.nan}))
    adults = whole[without["Stage1_Pred_Age"] > 20]
    assert len(adults) > 5
    before, after = (loaded.predict(table)["Imputed_Years"] for table in (adults, adults.assign(**{name: np.nan})))
    a, b = (getattr(loaded.covariance, key)[loaded.covariance.features[name]] for key in ("a", "b"))
    filled = clock.training[name].fillna(clock.training[name].median())
    assert (before == 0).all()
    np.testing.assert_allclose(after, abs(21 * a + b) * filled.std(ddof=0), rtol=1e-6)


def test_distance_limit_is_exceeded_by_one_in_a_hundred_out_of_fold():
    rng = np.random.default_rng(3)
    values = correlated(30, 2000, rng)
    limit = learn_distance(values, np.arange(2000) % 5)
    new = np.random.default_rng(4)
    distances = distance_of(values, values.mean(axis=1), values.std(axis=1))
    assert 0.005 < (distances > limit).mean() < 0.02
    far = distance_of(values + new.choice([-0.4, 0.4], (30, 1)), values.mean(axis=1), values.std(axis=1))
    assert (far > limit).all()


def test_slopes_of_a_fusion_that_is_a_line_and_of_none():
    rng = np.random.default_rng(5)
    frame = {"Stage1_Pred_Age": rng.normal(50, 20, 200), "A_Correction": rng.normal(size=200)}
    added = 0.1 * frame["Stage1_Pred_Age"] + 0.7 * frame["A_Correction"]
    slopes = learn_slopes(added, frame, "Stage1_Pred_Age")
    np.testing.assert_allclose([slopes["Stage1_Pred_Age"], slopes["A_Correction"]], [1.1, 0.7], rtol=1e-6)
    assert learn_slopes(np.zeros(200), frame, "Stage1_Pred_Age") == {"Stage1_Pred_Age": 1.0, "A_Correction": 0.0}


@pytest.mark.parametrize(
    "content", [None, {}, {"age_range": [1]}, {"age_range": [0, 1], "distance_limit": "x", "slopes": {}}]
)
def test_what_is_no_applicability_is_refused(content):
    with pytest.raises(HeteroAgeError, match=r"a\.json"):
        Applicability.from_json(content, "a.json")


# Flags


def flags(loaded, frame):
    return [set(filter(None, cell.split(";"))) for cell in loaded.predict(frame)["Flags"]]


def test_each_flag_is_raised_by_what_it_says_and_by_nothing_else(loaded, clock):
    base = clock.master.iloc[[0]].assign(Age=40.0, Tissue="Blood", Sex="F")
    (ordinary,) = flags(loaded, base)
    assert ordinary <= {"far_from_training"}
    cpgs = [name for name in base.columns if name.startswith("cg")]
    anchor = sorted(loaded.anchor_weight, key=loaded.anchor_weight.get, reverse=True)
    cases = {
        "tissue_unknown": base.assign(Tissue=None),
        "tissue_not_in_training": base.assign(Tissue="Moon"),
        "sex_unknown": base.assign(Sex="?"),
        "age_outside_training": base.assign(Age=121.0),
        "far_from_training": base.assign(**dict.fromkeys(cpgs, 1.0)),
        "values_outside_0_1": base.assign(**{cpgs[0]: 1.2}),
    }
    for flag, table in cases.items():
        assert flag in flags(loaded, table)[0], flag
    without = base.assign(sample_id="x", **dict.fromkeys(anchor[:40], np.nan))
    assert "mostly_imputed" in flags(loaded, pd.concat([base, without]))[1]
    assert "prediction_outside_training" in flags(loaded, cases["far_from_training"])[0] or (
        loaded.predict(cases["far_from_training"])["HeteroAge"].between(3, 90).all()
    )
    assert set(cases) <= set(MEANINGS)
    assert all(found <= set(MEANINGS) for table in cases.values() for found in flags(loaded, table))


# Intervals and contributions


def test_intervals_are_the_tissues_own_or_the_pooled(loaded, clock):
    meta = dict(loaded.meta, intervals={"half_width": 0.4, "tissues": {"Blood": {"half_width": 0.1}}})
    output = dataclasses.replace(loaded, meta=meta).predict(clock.master)
    plain = loaded.predict(clock.master)
    pd.testing.assert_frame_equal(output[plain.columns], plain, check_exact=True)
    place = list(output.columns).index("HeteroAge")
    assert list(output.columns)[place + 1 : place + 3] == ["HeteroAge_Lower", "HeteroAge_Upper"]
    width = np.where(output["Tissue"] == "Blood", 0.1, 0.4)
    centre = transform_age(output["HeteroAge"])
    np.testing.assert_allclose(output["HeteroAge_Upper"], inverse_transform_age(centre + width), rtol=1e-12)
    lower = np.maximum(inverse_transform_age(centre - width), 0)
    np.testing.assert_allclose(output["HeteroAge_Lower"], lower, rtol=1e-12)
    assert (output["HeteroAge_Lower"] <= output["HeteroAge"]).all()


def test_contributions_add_up_to_the_age(loaded, clock):
    table, ages = loaded.contributions(clock.master), loaded.predict(clock.master)
    assert list(table.columns[:3]) == ["sample_id", "Stage1_Pred_Age", "Stage1_Pred_Age_Contribution"]
    assert {"Tissue", "Sex", "RF_PC1", "Genomic_Instability_Correction"} <= set(table.columns)
    np.testing.assert_array_equal(table["HeteroAge"], ages["HeteroAge"])
    parts = table.drop(columns=["sample_id", "HeteroAge"])
    np.testing.assert_allclose(parts.sum(axis=1), table["HeteroAge"], rtol=0, atol=1e-9)  # rounding of the sum
    assert table["Tissue"].abs().max() > 0.5
    alone = loaded.contributions(clock.master.iloc[[3]])
    pd.testing.assert_frame_equal(alone, table.iloc[[3]].reset_index(drop=True), check_exact=True)
