"""Boosting rounds are earned by the paired standard error over groups."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heteroage.stages.stage3 import FEWEST_TO_LEARN_FROM, choose_rounds


def chosen_of(errors):
    return int(choose_rounds(np.asarray(errors))["chosen"].argmax())


@given(st.integers(0, 10_000), st.integers(2, 12), st.integers(1, 8))
def test_rounds_by_definition(seed, groups, rounds):
    rng = np.random.default_rng(seed)
    errors = rng.uniform(2, 6, (groups, 1)) + np.cumsum(rng.normal(-0.2, 0.5, (groups, rounds + 1)), axis=1)
    table = choose_rounds(errors)
    curve = [sum(column) / groups for column in errors.T.tolist()]
    best = curve.index(min(curve))
    within = []
    for k in range(rounds + 1):
        difference = [row[k] - row[best] for row in errors.tolist()]
        mean = sum(difference) / groups
        standard_error = (sum((d - mean) ** 2 for d in difference) / (groups - 1) / groups) ** 0.5
        assert table["Paired_SE"][k] == pytest.approx(standard_error, abs=1e-9)
        # 1e-9: sums in another order; no example lies so close to the bound.
        if mean <= standard_error + 1e-9:
            within.append(k)
    expected = min(within) if groups >= FEWEST_TO_LEARN_FROM else 0
    assert table["rounds"].tolist() == list(range(rounds + 1))
    assert table.loc[table["chosen"], "rounds"].tolist() == [expected]
    np.testing.assert_allclose(table["Group_MAE"], curve, rtol=1e-12)


def test_the_groups_own_levels_do_not_count():
    """The best round gains 0.2 years in each of six groups whose errors differ by up to 6: it is earned."""
    levels, gains = np.array([2.0, 8.0, 3.0, 7.0, 4.0, 5.0]), np.array([0.19, 0.21] * 3)
    errors = levels[:, None] - np.outer(gains, [0, 0.5, 1])
    assert chosen_of(errors) == 2
    assert choose_rounds(errors)["Paired_SE"][0] == pytest.approx(0.01 * np.sqrt(6 / 5) / np.sqrt(6))
    assert chosen_of(errors + np.array([[0.0], [90.0]] * 3)) == 2


def test_no_round_is_earned_within_the_paired_standard_error():
    # A gain of 0.4 years on average, by one group of five alone: its paired standard error is 0.4.
    assert chosen_of([[4.0, 2.0], [4.0, 4.0], [4.0, 4.0], [4.0, 4.0], [4.0, 4.0]]) == 0


def test_the_fewest_rounds_within_one_paired_standard_error_of_the_best():
    # To the best, 3 rounds, groups differ by 0.08 +- 0.18 (SE 0.073) after 2 rounds, by 1 each after 1.
    curve = np.array([5.0, 4.0, 3.08, 3.0, 3.0])
    errors = np.stack([curve] * 6)
    errors[:2, 2] += 0.2
    errors[4:, 2] -= 0.2
    assert choose_rounds(errors)["Paired_SE"][2] == pytest.approx(0.2 * np.sqrt(4 / 5) / np.sqrt(6))
    assert chosen_of(errors) == 3  # 0.08 is more than 0.073
    errors[:, 2] -= 0.01
    assert chosen_of(errors) == 2
    assert chosen_of([curve] * 6) == 3  # all agree: the first of the best


def test_a_worsening_curve_takes_no_round():
    assert chosen_of([[4.0, 5.0, 6.0], [3.0, 3.5, 4.0]] * 3) == 0


def test_few_groups_earn_no_round_however_they_agree():
    agreeing = [[5.0, 4.0, 3.0]]
    assert chosen_of(agreeing * (FEWEST_TO_LEARN_FROM - 1)) == 0
    assert chosen_of(agreeing * FEWEST_TO_LEARN_FROM) == 2


def test_one_group_proves_nothing():
    assert chosen_of([[10.0, 1.0, 0.5]]) == 0
    assert choose_rounds(np.array([[10.0, 1.0, 0.5]]))["Paired_SE"].isna().all()
