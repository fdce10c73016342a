"""What the stages share: views, restriction to features, and how the best row is chosen."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from heteroage.engine import feature_pass
from heteroage.files import write_table
from heteroage.matrix import write_names
from heteroage.stages.stage1 import cross_fit
from heteroage.stages.training_data import MOST_ALPHAS, TrainingData, best_row, beyond, log_grid, read_views, views


def test_views_are_out_of_fold_and_one_without_each_fold():
    assert list(views([0, 1, 4])) == [
        ("out_of_fold", None),
        ("without_fold_0", 0),
        ("without_fold_1", 1),
        ("without_fold_4", 4),
    ]


def test_views_are_read_in_the_order_of_the_samples(tmp_path):
    table = pd.DataFrame({"sample_id": ["02", "01"], "out_of_fold": [2.0, 1.0]})
    write_table(table, tmp_path / "views.csv")
    samples = pd.DataFrame({"sample_id": ["01", "02"]})
    assert read_views(tmp_path / "views.csv", samples)["out_of_fold"].tolist() == [1.0, 2.0]


@pytest.fixture
def in_store(tmp_path, training_data):
    """A way to open the training data from a store that has other samples, with the given values, among its columns."""
    n, n_cpgs = len(training_data.samples), 40
    columns = np.flatnonzero(np.arange(130) % 4 != 1)[:n]

    def opened(others):
        store = np.full((n_cpgs, 130), others, np.float32)
        store[:, columns] = training_data.X[:n_cpgs]
        np.save(tmp_path / "features.npy", store)
        write_names(training_data.feature_names[:n_cpgs], tmp_path / "names.txt")
        write_table(training_data.samples.assign(store_column=columns), tmp_path / "samples.csv")
        pcs = pd.DataFrame(training_data.X[n_cpgs:].T, columns=training_data.feature_names[n_cpgs:])
        pcs.insert(0, "sample_id", training_data.samples["sample_id"])
        write_table(pcs[::-1], tmp_path / "pcs.csv")
        files = {"samples": "samples.csv", "features": "features.npy", "names": "names.txt", "pcs": "pcs.csv"}
        return TrainingData.open({name: tmp_path / file for name, file in files.items()})

    return opened


def test_a_run_reads_its_own_samples_of_the_store(in_store, training_data):
    data = in_store(np.nan)
    pd.testing.assert_frame_equal(
        data.samples.drop(columns="store_column"), training_data.samples, check_dtype=False, check_exact=True
    )
    assert data.feature_names == training_data.feature_names
    np.testing.assert_array_equal(data.values(data.feature_names), training_data.X)
    np.testing.assert_array_equal(data.restrict(data.feature_names[3:5]).X, training_data.X[3:5])
    assert data.digest() == in_store(0.7).digest() == replace(training_data).digest()


@pytest.mark.parametrize("large", [1 << 20, 0], ids=["NumPy", "compiled"])
def test_no_other_sample_of_the_store_moves_a_byte(in_store, training_data, monkeypatch, large):
    monkeypatch.setattr(feature_pass, "LARGE", large)
    configuration = {"min_cohorts": 1, "min_cap": 5, "max_cap": 24, "median_mult": 1.0}
    configuration |= {"alpha": 0.05, "l1_ratio": 0.5, "technical_sd": 0.01}
    of_others = [cross_fit(in_store(value), configuration) for value in (np.nan, 0.0, 1e6)]
    for other in of_others[1:]:
        pd.testing.assert_frame_equal(of_others[0], other, check_exact=True)
    alone = cross_fit(training_data, configuration)
    # Years: sums are rounded by where a sample stands among the columns.
    pd.testing.assert_frame_equal(of_others[0], alone, check_exact=False, atol=1e-3, rtol=0)


def test_restrict_keeps_the_features_in_the_order_asked_for(training_data):
    names = [training_data.feature_names[k] for k in (7, 0, 41)]
    restricted = training_data.restrict(names)
    assert restricted.feature_names == names
    np.testing.assert_array_equal(restricted.X, training_data.X[[7, 0, 41]])
    with pytest.raises(KeyError):
        training_data.restrict(["cg_of_no_table"])


def test_training_rows_are_never_of_an_excluded_fold(training_data):
    balancing = {"min_cohorts": 1, "min_cap": 5, "max_cap": 20, "median_mult": 1.0}
    for excluded in ([], [2], [0, 3]):
        rows = training_data.training_set(excluded, balancing, training_data.samples["Age"].to_numpy()).rows
        assert set(training_data.fold[rows]) == set(training_data.folds) - set(excluded)


@pytest.mark.parametrize(
    ("scores", "n_features", "best"),
    [
        ([-3.0, -1.0, -2.0], [1, 9, 1], 1),  # the best Score, whatever its size
        ([-1.0, -1.0, -2.0], [9, 3, 1], 1),  # of equals the sparser
        ([-1.0, -1.0, -1.0], [5, 3, 3], 1),  # of these the first
    ],
)
def test_best_row(scores, n_features, best):
    report = pd.DataFrame({"Score": scores, "n_features": n_features}, index=[7, 7, 8])
    assert best_row(report) == best


def test_log_grid_falls_evenly_on_the_logarithmic_scale():
    grid = log_grid(1.0, 0.001, 7)
    assert grid[[0, 2, 4, 6]].tolist() == [1.0, 0.1, 0.01, 0.001]
    # 1e-5: the grid is rounded to 6 digits.
    np.testing.assert_allclose(np.diff(np.log10(grid)), -0.5, atol=1e-5)


def test_pcs_can_be_left_out(training_data):
    cpgs = training_data.with_pcs(False)
    assert cpgs.feature_names == training_data.feature_names[:40]
    np.testing.assert_array_equal(cpgs.X, training_data.X[:40])
    assert training_data.with_pcs(True).feature_names == training_data.feature_names


def test_beyond_an_end_the_grid_goes_on_by_its_own_ratio():
    grid = np.array([0.8, 0.4, 0.2, 0.1])
    assert beyond(grid, 0.1, False).tolist() == [0.05, 0.025, 0.0125]
    assert beyond(grid, 0.8, False).tolist() == [6.4, 3.2, 1.6]
    assert beyond(grid, 0.8, True).tolist() == []  # a model without features is the same at any higher alpha
    assert beyond(grid, 0.2, False).tolist() == []
    assert beyond(grid[:1], 0.8, False).tolist() == []
    assert beyond(log_grid(1, 0.1, MOST_ALPHAS + 1), 0.1, False).tolist() == []  # there is an end to it
