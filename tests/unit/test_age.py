"""The age transform is Horvath's, and its inverse undoes it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heteroage.age import ADULT_AGE, age_band, inverse_transform_age, transform_age

AGES = st.floats(-0.7, 130, allow_nan=False)


@pytest.mark.parametrize(
    ("age", "transformed"),
    [
        (0, np.log(1 / 21)),
        (9.5, np.log(10.5 / 21)),
        (20, 0.0),
        (41, 1.0),
        (62, 2.0),
        (83, 3.0),
    ],
)
def test_values_by_definition(age, transformed):
    # 1e-15: log(a + 1) - log(A + 1) and log of the quotient differ by rounding.
    np.testing.assert_allclose(transform_age(age), transformed, rtol=1e-15, atol=1e-15)


@given(AGES)
def test_inverse_gives_the_age_back(age):
    # 1e-12 years: a few roundings of numbers near 100.
    np.testing.assert_allclose(inverse_transform_age(transform_age(age)), age, rtol=0, atol=1e-12)


@given(st.floats(-50, 50, allow_nan=False))
def test_inverse_is_defined_for_any_real_number(transformed):
    age = inverse_transform_age(transformed)
    assert np.isfinite(age)
    assert age >= -1


@given(st.lists(AGES, min_size=2, max_size=8, unique=True))
def test_monotone(ages):
    ages = np.sort(ages)
    steps = np.diff(transform_age(ages))
    assert (steps >= 0).all()
    # Two ages a rounding error apart may share a value; ages apart by more must not.
    assert (steps[np.diff(ages) > 1e-9] > 0).all()


def test_continuous_and_smooth_at_adulthood():
    step = 1e-6
    below, at, above = transform_age([ADULT_AGE - step, ADULT_AGE, ADULT_AGE + step])
    assert at == 0.0
    # The slopes on both sides are 1 / (A + 1), to second order in the step.
    np.testing.assert_allclose([at - below, above - at], step / (ADULT_AGE + 1), rtol=1e-6)
    assert inverse_transform_age(0.0) == ADULT_AGE


def test_shape_is_kept_and_missing_stays_missing():
    ages = np.array([[1.0, np.nan], [30.0, 60.0]])
    transformed = transform_age(ages)
    assert transformed.shape == ages.shape
    assert np.isnan(transformed[0, 1])
    assert np.isfinite(transformed[[0, 1, 1], [0, 0, 1]]).all()


def test_one_age_has_the_same_bits_alone_and_among_others():
    ages = np.linspace(-0.5, 100, 101)
    assert [float(transform_age(a)) for a in ages] == transform_age(ages).tolist()
    values = transform_age(ages)
    assert [float(inverse_transform_age(v)) for v in values] == inverse_transform_age(values).tolist()


def test_age_bands_meet_without_overlap():
    assert age_band([0, 19.9, 20, 59.9, 60, 80, 101]).tolist() == [
        "0-19",
        "0-19",
        "20-39",
        "40-59",
        "60-79",
        "80+",
        "80+",
    ]
    assert age_band([-0.5, np.nan]).tolist() == ["before birth", "unknown"]
