"""Missing CpGs take their conditional means: the textbook's numbers, one sample at a time, calibrated."""

import numpy as np
import pytest
from sample_tables import cpgs_of, equal

from heteroage.assembly import LEAST_OWN, choose_factors, learn_covariance
from heteroage.clock import artifacts, imputation
from heteroage.clock.imputation import Conditional, Covariance, Imputation, whole
from heteroage.clock.loading import load_clock
from heteroage.errors import HeteroAgeError
from heteroage.files import read_json, read_table, write_json

FEATURES, SAMPLES = 60, 25


def correlated(n_samples, rng, n_features=FEATURES, causes=3):
    """Features with causes in common and noise of their own, on beta scale."""
    loadings = np.random.default_rng(0).normal(0, 0.05, (n_features, causes))
    noise = rng.normal(0, 0.02, (n_features, n_samples))
    return 0.5 + loadings @ rng.normal(size=(causes, n_samples)) + noise


@pytest.fixture(scope="module")
def model():
    """A learnt covariance with weights, and its names in order."""
    rng = np.random.default_rng(1)
    names = [f"cg{k:08d}_beta" for k in range(FEATURES)]
    columns = learn_covariance(correlated(300, rng), names, np.arange(300) % 5)
    weights = dict(zip(names, map(tuple, rng.normal(size=(FEATURES, 2))), strict=True))
    return Covariance.of(columns, weights, 2, "c.csv")


def imputed(model, values):
    """Shifts from the mean (NaN where measured) and variances at a slope of 21, of samples in columns."""
    names = list(model.features)
    found = Imputation(Conditional(model, names), values.shape[1])
    for row in values:
        found.add(row, np.isnan(row))
    found.solve()
    shifts = np.full(values.shape, np.nan)
    for name, absent, shift in found.shifts():
        shifts[names.index(name), absent] = shift[absent]
    return shifts, found.variance(np.full(values.shape[1], 21.0), np.zeros((3, values.shape[1])))


def with_missing(seed):
    rng = np.random.default_rng(seed)
    values = correlated(SAMPLES, rng)
    values[rng.random(values.shape) < np.linspace(0, 1, SAMPLES)] = np.nan  # the first sample is whole, the last empty
    return values


def test_values_and_variances_are_the_textbooks(model):
    """By the covariance itself: C_MO C_OO^-1 (x - mean), and w'(C_MM - C_MO C_OO^-1 C_OM)w."""
    values = with_missing(2)
    shifts, variances = imputed(model, values)
    C = model.factors @ model.factors.T + np.diag(model.own)
    weight = 21 * model.a + model.b
    for k in range(SAMPLES):
        M, O = np.isnan(values[:, k]), ~np.isnan(values[:, k])  # noqa: E741
        solved = np.linalg.solve(C[np.ix_(O, O)], C[np.ix_(O, M)]).T
        expected = solved @ (values[O, k] - model.mean[O])
        # 1e-5: what is summed is rounded to 2^-23 of the sum over all CpGs.
        np.testing.assert_allclose(shifts[M, k], expected, rtol=0, atol=1e-5)
        posterior = C[np.ix_(M, M)] - solved @ C[np.ix_(O, M)]
        np.testing.assert_allclose(variances[k], weight[M] @ posterior @ weight[M], rtol=1e-4, atol=1e-5)
        missing = {name: weight[j] for j, name in enumerate(model.features) if M[j]}
        measured = [name for j, name in enumerate(model.features) if O[j]]
        np.testing.assert_allclose(model.deviation(missing, measured) ** 2, variances[k], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("block", "samples"), [(1, 1), (7, 4), (64, 8192)])
def test_blocks_and_batch_mates_change_no_bit(model, monkeypatch, block, samples):
    values = with_missing(3)
    expected = imputed(model, values)
    monkeypatch.setattr(imputation, "CPGS_PER_PRODUCT", block)
    monkeypatch.setattr(imputation, "SAMPLES", samples)
    order = np.random.default_rng(4).permutation(SAMPLES)
    shifts, variances = imputed(model, values[:, order])
    assert np.array_equal(shifts, expected[0][:, order], equal_nan=True)
    assert np.array_equal(variances, expected[1][order])
    alone = imputed(model, values[:, [5]])
    assert np.array_equal(alone[0][:, 0], expected[0][:, 5], equal_nan=True)
    assert alone[1][0] == expected[1][5]


def test_whole_numbers_are_close_and_their_sums_exact():
    numbers = np.random.default_rng(5).normal(size=(1000, 6)) * np.logspace(-8, 8, 6)
    scaled, unit = whole(numbers, 52, axis=0)
    assert np.array_equal(scaled, np.rint(scaled))
    assert (np.abs(scaled).sum(axis=0) < 2.0**53).all()
    np.testing.assert_allclose(scaled * unit, numbers, rtol=0, atol=1e-11 * np.abs(numbers).max(axis=0).max())
    assert whole(np.zeros((3, 0)), 52, axis=1)[1].shape == (3, 1)


def test_the_number_of_factors_is_that_of_the_causes():
    rng = np.random.default_rng(6)
    standardised = correlated(300, rng, causes=4)
    assert choose_factors(standardised, np.arange(300) % 5) == 4
    assert choose_factors(rng.normal(size=(40, 200)), np.arange(200) % 5) == 0
    assert choose_factors(standardised, np.zeros(300, int)) == 0  # nothing is held out


def test_features_without_variance_say_nothing_and_take_the_median():
    values = np.vstack([np.zeros(90), correlated(90, np.random.default_rng(7))])
    names = [f"cg{k}_beta" for k in range(len(values))]
    columns = learn_covariance(values, names, np.arange(90) % 3)
    model = Covariance.of(columns, dict.fromkeys(names, (1.0, 0.0)), 2, "c.csv")
    assert model.fill("cg0_beta", 0.0) == 0
    assert model.fill("cg1_beta", 0.9) == pytest.approx(values[1].mean(), rel=1e-6)
    assert model.own[1] >= LEAST_OWN * values[1].var() * 0.999
    shifts, _ = imputed(model, np.where(np.arange(len(values))[:, None] < 5, np.nan, values[:, :3]))
    assert np.isnan(shifts[0]).all()
    assert (shifts[1:5] != 0).all()


@pytest.mark.parametrize("change", [{"own_variance": 1e-30}, {"factor_1": 1e9}, {"mean": np.nan}])
def test_a_covariance_that_no_clock_has_is_refused(model, change):
    names = list(model.features)
    columns = learn_covariance(correlated(300, np.random.default_rng(1)), names, np.arange(300) % 5)
    columns |= {name: [value, *columns[name][1:]] for name, value in change.items()}
    with pytest.raises(HeteroAgeError, match=r"c\.csv"):
        Covariance.of(columns, dict.fromkeys(names, (1.0, 0.0)), 2, "c.csv")


# A clock


@pytest.fixture
def version_1(clock_copy):
    """The same clock as a folder of format version 1."""
    manifest = read_json(clock_copy / "MANIFEST.json")
    write_json(manifest | {"format_version": 1}, clock_copy / "MANIFEST.json")
    return load_clock(clock_copy)


def test_a_clock_of_version_1_fills_with_medians(version_1, clock):
    weights = read_table(clock.folder / artifacts.STAGE1_WEIGHTS).set_index("feature")
    used = [name for name in weights.index[1:] if name.startswith("cg")][:3]
    without = version_1.predict(clock.master.drop(columns=used))
    equal(without, version_1.predict(clock.master.assign(**dict.fromkeys(used, np.nan))))
    filled = version_1.predict(clock.master.assign(**{name: weights.loc[name, "median"] for name in used}))
    about_missing = ["Imputed_Fraction", "Imputed_Years", "Flags"]
    equal(without.drop(columns=about_missing), filled.drop(columns=about_missing))


def test_where_nothing_is_missing_versions_1_and_2_agree(version_1, loaded, clock):
    whole_table = clock.master.assign(**clock.master[cpgs_of(clock.master)].fillna(0.5))
    equal(version_1.predict(whole_table), loaded.predict(whole_table))
    assert (loaded.predict(whole_table)["Imputed_Years"] == 0).all()


def test_conditional_means_come_closer_than_medians_and_know_how_close(loaded, version_1, clock):
    """At a fifth absent; the promise of Imputed_Years: within a quarter of the change really seen."""
    cpgs = cpgs_of(clock.training)
    whole_table = clock.training.assign(**clock.training[cpgs].fillna(0.5))
    complete = loaded.predict(whole_table)["HeteroAge"]
    change = {"conditional": [], "median": []}
    deviation = []
    for seed in range(5):
        gone = list(np.random.default_rng(seed).choice(cpgs, len(cpgs) // 5, replace=False))
        table = whole_table.drop(columns=gone)
        output = loaded.predict(table, allow_missing=True)
        change["conditional"].append(output["HeteroAge"] - complete)
        change["median"].append(version_1.predict(table, allow_missing=True)["HeteroAge"] - complete)
        deviation.append(output["Imputed_Years"])
    rms = {name: np.sqrt(np.mean(np.square(pieces))) for name, pieces in change.items()}
    assert rms["conditional"] < 0.7 * rms["median"]
    assert 0.7 < np.sqrt(np.mean(np.square(deviation))) / rms["conditional"] < 1.5


def test_missing_cpgs_of_computed_components_are_filled_too(clock, clock_copy, reseal):
    """With the whole weight on one RF_PC, the anchor of a sample with missing CpGs follows the conditional means."""
    loadings = read_table(clock_copy / artifacts.PC_LOADINGS)
    loaded = load_clock(clock_copy)
    name = loadings["feature"][0]
    whole_table = clock.master.assign(**clock.master[cpgs_of(clock.master)].fillna(0.5))
    without = whole_table.drop(columns=name)
    filled = whole_table.assign(**{name: conditional_mean(loaded, whole_table, name)})
    expected = loaded.predict(filled)
    # 1e-3 years: what is summed is rounded to 2^-23 of the sum over all CpGs.
    for column in ("Stage1_Pred_Age", "HeteroAge"):
        np.testing.assert_allclose(loaded.predict(without)[column], expected[column], rtol=0, atol=1e-3)


def conditional_mean(clock, table, name):
    model, others = clock.covariance, [one for one in clock.cpgs_read if one != name]
    at, O = model.features[name], [model.features[one] for one in others]  # noqa: E741
    C = model.factors @ model.factors.T + np.diag(model.own)
    solved = np.linalg.solve(C[np.ix_(O, O)], C[O, at])
    return model.mean[at] + (table[others].to_numpy() - model.mean[O]) @ solved
