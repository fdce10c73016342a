"""The age transform of Horvath 2013 (logarithmic until adulthood, linear after), and bands of ages."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

ADULT_AGE = 20.0
# Lower limits of the age bands, in years.
AGE_BANDS = (0, 20, 40, 60, 80)


def transform_age(age: ArrayLike) -> NDArray[np.float64]:
    """Map ages in years to the scale on which methylation changes about linearly.

    F(a) = log((a + 1) / (A + 1)) for a <= A, (a - A) / (A + 1) above, with A = 20 years
    (Horvath, Genome Biology 14:R115, 2013).

    age : array of any shape, in years, above -1
    Returns an array of the same shape, dimensionless; 0 at 20 years.
    """
    age = np.asarray(age, dtype=np.float64)
    young = np.log(np.minimum(age, ADULT_AGE) + 1) - np.log(ADULT_AGE + 1)
    return np.where(age <= ADULT_AGE, young, (age - ADULT_AGE) / (ADULT_AGE + 1))


def inverse_transform_age(transformed: ArrayLike) -> NDArray[np.float64]:
    """Map transformed ages back to years; the inverse of `transform_age` for any real number."""
    transformed = np.asarray(transformed, dtype=np.float64)
    young = (ADULT_AGE + 1) * np.exp(np.minimum(transformed, 0.0)) - 1
    return np.where(transformed <= 0, young, (ADULT_AGE + 1) * transformed + ADULT_AGE)


def age_band(age: ArrayLike) -> NDArray[np.object_]:
    """Return each age's band of twenty years: before birth, 0-19, ..., 80+; unknown if it is missing."""
    age = np.asarray(age, dtype=np.float64)
    names = ["before birth", *(f"{low}-{low + 19}" for low in AGE_BANDS[:-1]), f"{AGE_BANDS[-1]}+"]
    return np.where(np.isnan(age), "unknown", np.array(names)[np.digitize(age, AGE_BANDS)]).astype(object)
