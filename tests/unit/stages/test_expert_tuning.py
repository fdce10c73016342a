"""Where an expert's tuning goes on beyond the ends of its grid."""

import numpy as np
import pytest

from heteroage.stages.expert_tuning import View

RESIDUAL = np.array([4.0, -4.0, 2.0, -2.0])


def view(*shares, features=(0, 3, 9)):
    """A view whose corrections are these shares of the residual, from the largest alpha to the smallest."""
    corrections = np.array(shares)[None, :, None] * RESIDUAL
    return View(
        "out_of_fold",
        None,
        np.array([4.0, 2.0, 1.0]),
        corrections,
        np.array([features]),
        RESIDUAL,
        np.array([0, 0, 1, 1]),
        np.array(["a", "a", "b", "b"]),
    )


def test_tuning_goes_on_to_smaller_alphas_where_corrections_help():
    assert view(0.0, 0.1, 0.3).further().tolist() == [0.5, 0.25, 0.125]


@pytest.mark.parametrize("least", [0.0, -0.1])
def test_tuning_does_not_go_on_to_smaller_alphas_where_no_correction_is_as_good(least):
    assert view(least - 0.2, least - 0.1, least).further().tolist() == []


def test_a_best_alpha_inside_the_grid_ends_the_tuning():
    assert view(0.0, 0.3, 0.1).further().tolist() == []


@pytest.mark.parametrize(
    ("shares", "features", "goes_on"),
    [
        ((0.3, 0.1, 0.0), (0, 1, 3), True),  # sparse: the first features that enter are noise
        ((0.3, 0.1, 0.0), (0, 3, 9), False),  # dense, and worse than the largest alpha
        ((0.0, 0.1, 0.3), (0, 3, 9), True),
        ((0.0, 0.3, 0.1), (0, 3, 9), False),
    ],
)
def test_tuning_walks_down_the_grid_until_dense_models_are_worse(shares, features, goes_on):
    assert view(*shares, features=features).descends() == goes_on
