"""Every way down the alphas ends at the same optimum; what the strong rule leaves out could not have entered."""

import numpy as np
import pytest
from elastic_net_problems import ALPHAS, as_array, problem

from heteroage.engine import active_set, path_walk
from heteroage.engine.elastic_net import fit_paths, open_paths
from heteroage.engine.feature_pass import FeaturePass
from heteroage.engine.training_set import TrainingSet


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
        {(active_set, "PATIENCE"): 0, (active_set, "NEAR"): 0.0},
        # The same, and every step is divided.
        {(active_set, "PATIENCE"): 0},
    ],
    ids=["unexpected", "screened away", "few at once", "monotone", "divided"],
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


SHORT = np.geomspace(0.8, 0.1, 5)


def opened(X, y, l1_ratios):
    sets = [TrainingSet(np.arange(len(y)), y)]
    return path_walk.Walk(FeaturePass(X, sets, map), [0.0], np.ones(len(X), bool), l1_ratios)


def walk(l1_ratios, name="plain", alphas=SHORT):
    X, y = problem(name)
    made = opened(X, y, l1_ratios)
    made.go_on(alphas)
    return X, made


def test_a_path_comes_down_to_the_grid_in_short_steps_and_along_it():
    _, made = walk([0.05, 0.5, 1.0])
    lengths = set()
    for path in made.paths:
        first = float(np.abs(made.features.first[path.training_set]).max()) / path.solver.l1_ratio
        way = [first, *(path.schedule[time] for time in sorted(path.schedule))]
        on_grid = len(SHORT) - path.first
        assert way[-on_grid:] == [alpha for alpha in SHORT if alpha < first]
        steps = np.divide(way[1:], way[:-1])
        assert (steps < 1).all()
        assert (steps[:-on_grid] >= path_walk.STEP * (1 - 1e-12)).all()  # rounding of a geometric sequence
        assert sorted(path.schedule) == list(range(len(SHORT) - len(path.schedule), len(SHORT)))
        assert sorted(path.solutions) == list(range(path.first, len(SHORT)))
        lengths.add(len(path.schedule))
    assert len(lengths) > 1  # those of small l1_ratio begin above the grid, and all end together


def test_paths_whose_target_nothing_explains_end_before_they_begin():
    X, y = problem("plain")
    made = opened(X, np.ones(len(y)), [0.5])
    made.go_on(ALPHAS)
    assert made.paths[0].schedule == {}
    assert made.passes == 1


def test_what_is_kept_and_expected_follows_features_by_name():
    first = np.array([0.4, -0.5, 0.1, 0.45], np.float32)
    path = path_walk._start(0, TrainingSet(np.arange(4), np.zeros(4)), 0.0, 0.5, np.array([0.5, 0.4]), first)
    assert path.kept.tolist() == [0, 1, 3]
    path.alpha, path.before, path.alpha_before = 0.8, np.array([0.3, -0.4, np.nan]), 1.0
    # Straight on where a feature was kept before, and as it is where it was not; 1e-6: single precision came in.
    np.testing.assert_allclose(path.expected(0.6), [0.5, -0.6, 0.45], rtol=1e-6)
    path.renew(np.array([1, 2]), np.array([-0.7, 0.2]))
    np.testing.assert_array_equal(path.before, [-0.4, np.nan])
    path.renew(np.empty(0, np.int64), np.empty(0))
    path.renew(np.array([2]), np.array([0.2]))
    np.testing.assert_array_equal(path.before, [np.nan])


@pytest.mark.parametrize("name", ["plain", "correlated"])
def test_the_strong_rule_is_as_published_but_keeps_features_of_a_long_step(name):
    """Tibshirani et al. 2012: kept are those of |c| >= l1 (2 alpha_next - alpha)."""
    _, made = walk([0.5], name)
    for path in made.paths:
        times = sorted(path.schedule)
        for time in times[:-1]:
            alpha, following = path.schedule[time], path.schedule[time + 1]
            published = 0.5 * (2 * following - alpha)
            assert path.keep_above(time) == max(published, 0.5 * path_walk.KEEP * following)
            assert 0 < path.keep_above(time) < 0.5 * following
        used = np.unique(np.concatenate([solution.features for solution in path.solutions.values()]))
        assert np.isin(used[path.in_working_set[used]], path.solver.features).all()


@pytest.mark.parametrize("l1_ratio", [0.001, 0.3, 1.0])  # 0.001: the path starts far above the grid
@pytest.mark.parametrize("name", ["correlated", "missing"])
def test_a_path_that_goes_on_ends_at_the_optimum(name, l1_ratio):
    """In parts, the first of which may lie above the path's start or need single precision alone; then upwards."""
    X, y = problem(name)
    training = [TrainingSet(np.arange(X.shape[1]), y)]
    alphas = np.concatenate([[50.0, 20.0], ALPHAS, ALPHAS[-1] * np.array([0.3, 0.1]), [2e-5]])
    whole = as_array(fit_paths(X, training, [l1_ratio], alphas)[0], len(X))
    parts = np.split(alphas, [2, 5, len(alphas) - 3, len(alphas) - 1])
    with open_paths(X, training, [l1_ratio]) as solve:
        found = np.concatenate([as_array(solve(part)[0], len(X)) for part in parts], axis=1)
        again = as_array(solve(parts[1])[0], len(X))
    # As for other ways down: features within 1e-4 of the bound may be in or out.
    np.testing.assert_allclose(found, whole, atol=3e-4 * np.abs(whole).max())
    np.testing.assert_allclose(again, found[:, 2:5], atol=3e-4 * np.abs(whole).max())
