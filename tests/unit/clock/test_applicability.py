"""What imputing costs, how far a sample lies from training, and what is flagged."""

import numpy as np
import pytest

from heteroage.clock.applicability import (
    Applicability,
    Covariance,
    distance_of,
    learn_distance,
    learn_slopes,
)
from heteroage.clock.factors import learn_covariance
from heteroage.errors import HeteroAgeError


def correlated(n_features, n_samples, rng):
    """Features with three causes in common and noise of their own, on beta scale."""
    common = rng.normal(size=(3, n_samples))
    return 0.5 + rng.normal(0, 0.05, (n_features, 3)) @ common + rng.normal(0, 0.03, (n_features, n_samples))


def covariance_of(values, weights):
    names = [f"cg{k:08d}_beta" for k in range(len(values))]
    columns = learn_covariance(values, names, np.arange(values.shape[1]) % 4)
    return Covariance.of(columns, dict(zip(names, weights, strict=True)), 1, "c.csv"), names


@pytest.mark.parametrize("n_samples", [25, 400])  # fewer samples than features, and more
def test_the_cost_in_format_version_1_is_the_standard_deviation_of_what_was_not_contributed(n_samples):
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
            # Single features are exact but for the least own variance; of many, what no factor holds is left out.
            tolerance = 0.01 if len(lacking) == 1 else 0.15
            np.testing.assert_allclose(years[0], contributed.std(), rtol=tolerance)
            assert years[1] == 0


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
