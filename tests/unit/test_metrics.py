"""The scores are what their definitions say, recomputed here in the plainest way."""

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heteroage.metrics import group_errors, pearson_r, r2_against_none, score_predictions, wilson

SAMPLES = st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90), st.sampled_from("abc")), min_size=1, max_size=25)


@given(SAMPLES)
def test_micro_and_macro_by_definition(samples):
    age, predicted, projects = (np.array(column) for column in zip(*samples, strict=True))
    scores = score_predictions(age.astype(float), predicted.astype(float), projects)
    error = [abs(p - a) for a, p in zip(age.tolist(), predicted.tolist(), strict=True)]
    of_project = {name: [e for e, p in zip(error, projects, strict=True) if p == name] for name in set(projects)}
    micro = sum(error) / len(error)
    macro = sum(sum(e) / len(e) for e in of_project.values()) / len(of_project)
    # 1e-12: the same sums in another order.
    assert scores["MicroMAE"] == pytest.approx(micro, abs=1e-12)
    assert scores["MacroMAE"] == pytest.approx(macro, abs=1e-12)
    assert scores["MedAE"] == pytest.approx(statistics.median(error), abs=1e-12)
    assert scores["Score"] == pytest.approx(-(micro + macro) / 2, abs=1e-12)


def test_r2_is_against_no_correction():
    residual = np.array([1.0, 3.0, 5.0, -1.0])
    assert r2_against_none(residual, residual) == 1.0
    assert r2_against_none(residual, np.zeros(4)) == 0.0
    # Half of each residual leaves a quarter of the squares; a mean of 2 years does not count as explained.
    assert r2_against_none(residual, residual / 2) == pytest.approx(0.75)
    assert r2_against_none(residual, -residual) == pytest.approx(-3.0)
    assert r2_against_none(np.zeros(4), np.ones(4)) == 0.0


def test_macro_weighs_projects_alike_whatever_their_size():
    age = np.full(101, 50.0)
    predicted = np.concatenate([np.full(100, 51.0), [60.0]])
    scores = score_predictions(age, predicted, ["large"] * 100 + ["small"])
    assert scores["MicroMAE"] == pytest.approx(110 / 101)
    assert scores["MacroMAE"] == pytest.approx((1 + 10) / 2)


def test_score_is_higher_for_better_predictions():
    age, projects = np.arange(20.0), ["a", "b"] * 10
    near, far = (score_predictions(age, age + shift, projects)["Score"] for shift in (1, 3))
    assert near > far


def test_correlations():
    rng = np.random.default_rng(1)
    age, projects = rng.uniform(0, 80, 60), np.repeat(["a", "b", "c"], 20)
    predicted = age + rng.normal(0, 10, 60)
    scores = score_predictions(age, predicted, projects)
    each = [np.corrcoef(age[projects == p], predicted[projects == p])[0, 1] for p in "abc"]
    # 1e-12: two ways to compute r.
    assert scores["MicroR"] == pytest.approx(np.corrcoef(age, predicted)[0, 1], abs=1e-12)
    assert scores["MacroR"] == pytest.approx(np.mean(each), abs=1e-12)


@pytest.mark.parametrize(
    ("age", "predicted"),
    [
        ([30.0, 30.0, 30.0, 30.0], [1.0, 2.0, 3.0, 4.0]),  # one age: no spread
        ([1.0, 2.0, 3.0, 4.0], [30.0, 30.0, 30.0, 30.0]),  # one prediction
        ([1.0, 2.0], [1.0, 2.0]),  # two samples are always on a line
    ],
)
def test_macro_r_is_of_the_projects_where_it_is_defined(age, predicted):
    assert np.isnan(pearson_r(age, predicted))
    good_age, good_predicted = [10.0, 20.0, 40.0, 45.0], [12.0, 18.0, 33.0, 50.0]
    projects = ["undefined"] * len(age) + ["good"] * 4
    scores = score_predictions(age + good_age, predicted + good_predicted, projects)
    assert scores["MacroR"] == pytest.approx(np.corrcoef(good_age, good_predicted)[0, 1], abs=1e-12)
    assert np.isnan(score_predictions(age, predicted, ["undefined"] * len(age))["MacroR"])


def test_scores_do_not_depend_on_the_order_of_samples_or_on_project_names():
    rng = np.random.default_rng(2)
    age, predicted, projects = rng.uniform(0, 80, 30), rng.uniform(0, 80, 30), rng.choice(["x", "y", "z"], 30)
    order = rng.permutation(30)
    renamed = np.array([{"x": "q", "y": "b", "z": "1"}[p] for p in projects])
    one = score_predictions(age, predicted, projects)
    two = score_predictions(age[order], predicted[order], renamed[order])
    # 1e-12: the same sums in another order.
    assert one == pytest.approx(two, abs=1e-12)


def test_group_errors_average_within_each_group():
    error = np.array([[1.0, 10.0], [3.0, 30.0], [5.0, 50.0]])
    np.testing.assert_array_equal(group_errors(error, ["b", "a", "b"]), [[3.0, 30.0], [3.0, 30.0]])
    np.testing.assert_array_equal(group_errors(error[:, 0], ["b", "b", "a"]), [5.0, 2.0])


def test_the_range_of_a_share_holds_it_and_narrows_with_samples():
    low, high = wilson(1.0, 30)
    assert 0.85 < low < high == pytest.approx(1.0)
    widths = [np.diff(wilson(0.9, n))[0] for n in (10, 100, 1000)]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize(("share", "n"), [(0.0, 7), (0.5, 12), (0.914, 35), (1.0, 3)])
def test_the_range_is_where_the_score_test_does_not_refuse_the_share(share, n):
    """Wilson 1927: |share - p| = z sqrt(p (1 - p) / n) at both ends."""
    for p in wilson(share, n):
        assert p >= -1e-12  # rounding of a difference that is 0
        # 1e-9: the root of that rounding, over n.
        assert abs(share - p) == pytest.approx(1.96 * np.sqrt(max(p * (1 - p), 0) / n), abs=1e-9)
