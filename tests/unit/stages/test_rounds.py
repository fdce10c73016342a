"""Boosting rounds are earned by the paired standard error over groups."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heteroage.stages.rounds import FEWEST_GROUPS, choose_rounds, earned_rounds


@given(st.integers(0, 10_000), st.integers(2, 8), st.integers(1, 8))
def test_rounds_by_definition(seed, groups, rounds):
    rng = np.random.default_rng(seed)
    errors = rng.uniform(2, 6, (groups, 1)) + np.cumsum(rng.normal(-0.2, 0.5, (groups, rounds + 1)), axis=1)
    chosen = choose_rounds(errors)
    curve = [sum(column) / groups for column in errors.T.tolist()]
    best = curve.index(min(curve))
    within = []
    for k in range(rounds + 1):
        difference = [row[k] - row[best] for row in errors.tolist()]
        mean = sum(difference) / groups
        standard_error = (sum((d - mean) ** 2 for d in difference) / (groups - 1) / groups) ** 0.5
        assert chosen.paired_se[k] == pytest.approx(standard_error, abs=1e-9)
        # 1e-9: sums in another order; no example lies so close to the bound.
        if mean <= standard_error + 1e-9:
            within.append(k)
    assert chosen.chosen == min(within)
    assert chosen.best == best
    np.testing.assert_allclose(chosen.curve, curve, rtol=1e-12)


def test_the_groups_own_levels_do_not_count():
    """The best round gains 0.2 years in each of two groups whose errors differ by 6: it is earned."""
    errors = np.array([[2.0, 1.9, 1.81], [8.0, 7.9, 7.79]])
    chosen = choose_rounds(errors)
    assert chosen.chosen == 2
    assert chosen.summary()["paired_standard_error_of_best_and_anchor"] == pytest.approx(0.01)
    assert choose_rounds(errors + np.array([[0.0], [90.0]])).chosen == 2


def test_no_round_is_earned_within_the_paired_standard_error():
    # A gain of 0.5 years on average, by one group of four alone: its paired standard error is 0.5.
    errors = np.array([[4.0, 2.0], [4.0, 4.0], [4.0, 4.0], [4.0, 4.0]])
    assert choose_rounds(errors).chosen == 0


def test_the_fewest_rounds_within_one_paired_standard_error_of_the_best():
    # To the best, 3 rounds, groups differ by 0.1 +- 0.2 (SE 0.115) after 2 rounds, by 1 each after 1.
    curve = np.array([5.0, 4.0, 3.1, 3.0, 3.0])
    errors = np.stack([curve, curve, curve])
    errors[0, 2] += 0.2
    errors[2, 2] -= 0.2
    assert choose_rounds(errors).paired_se[2] == pytest.approx(0.2 / np.sqrt(3))
    assert choose_rounds(errors).chosen == 2
    assert choose_rounds(np.stack([curve, curve])).chosen == 3  # all agree: the first of the best


def test_a_worsening_curve_takes_no_round():
    assert choose_rounds(np.array([[4.0, 5.0, 6.0], [3.0, 3.5, 4.0]])).chosen == 0


def test_few_groups_earn_no_round_however_they_agree():
    agreeing = np.array([[5.0, 4.0, 3.0]])
    assert earned_rounds(np.repeat(agreeing, FEWEST_GROUPS - 1, axis=0)).chosen == 0
    assert earned_rounds(np.repeat(agreeing, FEWEST_GROUPS, axis=0)).chosen == 2


def test_one_group_proves_nothing():
    chosen = choose_rounds(np.array([[10.0, 1.0, 0.5]]))
    assert chosen.chosen == 0
    assert chosen.table()["Paired_SE"].isna().all()
    assert chosen.summary()["paired_standard_error_of_best_and_anchor"] is None
