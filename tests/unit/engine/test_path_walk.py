"""Every way down the alphas ends at the same optimum; what the strong rule leaves out could not have entered."""

import numpy as np
import pytest
from elastic_net_problems import ALPHAS, as_array, problem

from heteroage.engine import active_set, path_walk
from heteroage.engine.elastic_net import TrainingSet, fit_paths


@pytest.mark.parametrize(
    "setting",
    [
        # Nothing is expected to enter: the check of all features must find every one.
        {(path_walk, "EXPECT"): -1e6},
        # A rule that keeps too little: only a second pass can say that a repair was enough.
        {(path_walk, "EXPECT"): -1e6, (path_walk, "KEEP"): 1.1},
        # Features enter in lots of a few, with a pass in between.
        {(path_walk, "EXPECT"): -1e6, (path_walk, "ADMIT"): 2},
        # Every step is the monotone search's.
        {(active_set, "PATIENCE"): 0},
    ],
    ids=["unexpected", "screened away", "few at once", "monotone"],
)
@pytest.mark.parametrize("l1_ratio", [0.3, 1.0])
@pytest.mark.parametrize("name", ["correlated", "missing"])
def test_every_way_down_ends_at_the_same_optimum(monkeypatch, name, l1_ratio, setting):
    X, y = problem(name)
    training = [TrainingSet(np.arange(X.shape[1]), y)]
    usual = as_array(fit_paths(X, training, [l1_ratio], ALPHAS)[0], len(X))
    for (module, constant), value in setting.items():
        monkeypatch.setattr(module, constant, value)
    other = as_array(fit_paths(X, training, [l1_ratio], ALPHAS)[0], len(X))
    # Features within 1e-4 of the bound may be in or out, which moves the others by about as much.
    np.testing.assert_allclose(other, usual, atol=3e-4 * np.abs(usual).max())
