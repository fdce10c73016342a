"""Intervals hold for groups that were not calibrated on, and are of use where there are few of them."""

import numpy as np
import pandas as pd
import pytest

from heteroage.age import inverse_transform_age, transform_age
from heteroage.stages.intervals import calibrate_intervals, group_weighted_quantile, half_width, spread_of_others


def scores_of_groups(rng, n_groups, spread=0.3):
    """Scores whose size differs between groups; large groups have small errors, as well-run studies may."""
    size = rng.integers(10, 120, n_groups)
    scale = np.exp(rng.normal(0, spread, n_groups)) * np.where(size > 60, 0.6, 1.3)
    group = np.repeat(np.arange(n_groups), size)
    return np.abs(rng.normal(0, scale[group])), group


def coverage_of_new_groups(width, rng):
    score, group = scores_of_groups(rng, 400)
    return pd.Series(score <= width).groupby(group).mean().mean()


def test_the_quantile_of_equal_groups_is_that_of_their_samples():
    score = np.random.default_rng(1).exponential(size=60)
    expected = np.quantile(score, 0.9, method="inverted_cdf")
    assert group_weighted_quantile(score, np.arange(60) % 6, 0.9) == pytest.approx(expected)


def test_each_group_weighs_the_same_however_many_samples_it_has():
    score, group = scores_of_groups(np.random.default_rng(2), 8)
    again = group == 3
    more, of = np.concatenate([score, *[score[again]] * 20]), np.concatenate([group, *[group[again]] * 20])
    assert group_weighted_quantile(more, of, 0.9) == group_weighted_quantile(score, group, 0.9)


@pytest.mark.parametrize("level", [0.8, 0.9])
def test_the_interval_covers_new_groups_as_it_says(level):
    # Twenty studies of 20 groups: the mean coverage scatters by about half a point.
    rng = np.random.default_rng(3)
    covered = [coverage_of_new_groups(half_width(*scores_of_groups(rng, 20), level), rng) for _ in range(20)]
    assert np.mean(covered) == pytest.approx(level, abs=0.02)


def test_quantiles_over_samples_would_not():
    rng = np.random.default_rng(3)
    covered = [coverage_of_new_groups(np.quantile(scores_of_groups(rng, 20)[0], 0.9), rng) for _ in range(20)]
    assert np.mean(covered) < 0.88


def test_with_nine_groups_one_outlier_does_not_make_the_width():
    score, group = scores_of_groups(np.random.default_rng(4), 9, spread=0.1)
    usual = half_width(score, group, 0.9)
    score[np.argmax(score)] = 40.0
    assert half_width(score, group, 0.9) < 1.2 * usual


def test_scores_that_are_alike_need_no_higher_level():
    group = np.repeat(np.arange(9), 10)
    score = np.tile(np.arange(1.0, 11.0), 9)
    assert half_width(score, group, 0.9) == 9.0


def table(n_groups=10, per_group=20):
    rng = np.random.default_rng(5)
    group = np.repeat(np.arange(n_groups), per_group)
    age = rng.uniform(1, 90, len(group))
    tissue = np.where(group < 6, "Blood", "Brain")
    error = rng.normal(0, np.where(tissue == "Blood", 0.1, 0.4))
    predicted = inverse_transform_age(transform_age(age) + error)
    return pd.DataFrame({"Age": age, "HeteroAge": predicted, "Tissue": tissue}), group


def test_a_tissue_in_enough_groups_has_its_own_width():
    frame, group = table()
    intervals = calibrate_intervals(frame, group, 0.9, 6)
    assert list(intervals["tissues"]) == ["Blood"]
    blood = intervals["tissues"]["Blood"]
    assert (blood["n_groups"], blood["n_samples"]) == (6, 120)
    assert blood["half_width"] < 0.6 * intervals["half_width"]
    assert (intervals["level"], intervals["scale"], intervals["n_groups"]) == (0.9, "transformed_age", 10)


def test_fewer_than_three_groups_give_no_interval():
    frame, group = table()
    assert calibrate_intervals(frame[group < 2], group[group < 2], 0.9, 3) is None


def test_each_width_holds_its_share_of_the_samples_it_was_calibrated_on():
    frame, group = table()
    intervals = calibrate_intervals(frame, group, 0.9, 6)
    predicted = transform_age(frame["HeteroAge"].to_numpy())
    error = np.abs(transform_age(frame["Age"].to_numpy()) - predicted)
    score = error / spread_of_others(predicted, error, group)
    blood = (frame["Tissue"] == "Blood").to_numpy()
    assert np.mean(score[blood] <= intervals["tissues"]["Blood"]["half_width"]) == pytest.approx(0.9, abs=0.05)
    assert np.mean(score <= intervals["half_width"]) == pytest.approx(0.9, abs=0.05)


def test_a_predicted_age_below_birth_counts_as_birth():
    frame, group = table()
    below = frame.assign(Age=0.0, HeteroAge=-3.0)
    # Nobody errs: the half-width times the spread is 0; 1e-6 years: the spread is kept above 0.
    intervals = calibrate_intervals(below, group, 0.9, 6)
    assert intervals["half_width"] * max(intervals["spread"]["error"]) < 1e-6


def study_with_errors_that_grow(seed, n_groups=24, per_group=60):
    """Errors are four times as large at 90 as at 30, and differ between groups."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(n_groups), per_group)
    age = rng.uniform(25, 95, len(group))
    size = 0.05 + 0.15 * np.clip((age - 30) / 60, 0, 1)
    error = rng.normal(0, size * np.exp(rng.normal(0, 0.2, n_groups))[group])
    predicted = inverse_transform_age(transform_age(age) + error)
    return pd.DataFrame({"Age": age, "HeteroAge": predicted, "Tissue": "Blood"}), group


def errors_of(frame):
    """Transformed predicted age, and the absolute error on that scale."""
    predicted = transform_age(frame["HeteroAge"].to_numpy())
    return predicted, np.abs(transform_age(frame["Age"].to_numpy()) - predicted)


def test_intervals_are_as_wide_as_errors_are_at_that_age():
    """A single width covers the young too often and the old too rarely; new groups show it."""
    frame, group = study_with_errors_that_grow(1)
    intervals = calibrate_intervals(frame, group, 0.9, 99)
    new, _ = study_with_errors_that_grow(2, n_groups=200)
    centre, error = errors_of(new)
    spread = np.interp(centre, intervals["spread"]["predicted"], intervals["spread"]["error"])
    inside = error <= intervals["half_width"] * spread
    single = error <= half_width(errors_of(frame)[1], group, 0.9)
    for low, high in ((25, 45), (45, 65), (65, 80), (80, 95)):
        band = new["Age"].between(low, high).to_numpy()
        # The spread follows the predicted age and is smoothed over 8 years: bands differ by a few points.
        assert inside[band].mean() == pytest.approx(0.9, abs=0.06), (low, high)
    assert single[new["Age"] < 45].mean() > 0.98
    assert single[new["Age"] > 80].mean() < 0.82


def test_a_groups_own_errors_do_not_normalise_them():
    frame, group = study_with_errors_that_grow(3)
    predicted, error = errors_of(frame)
    own = group == 4
    before = spread_of_others(predicted, error, group)[own]
    after = spread_of_others(predicted, np.where(own, 50 * error, error), group)[own]
    assert before.tolist() == after.tolist()
