"""Where each feature stands in a clock: every place is the feature's own, and shares of weight are shares."""

import re

import numpy as np
import pandas as pd
import pytest

from heteroage.age import inverse_transform_age
from heteroage.clock.artifacts import INTERCEPT, WEIGHTS
from heteroage.clock.model import LinearModel, squared_share
from heteroage.errors import HeteroAgeError
from heteroage.files import read_table, write_table
from heteroage.probes import is_pc
from heteroage.stages.deployable import weights_table


def test_every_place_of_a_feature_is_its_own(loaded):
    places = [(feature, key, k) for feature, own in loaded.terms.items() for key, k in own]
    assert all(loaded.linear[key].features[k] == feature for feature, key, k in places)
    assert len(places) == sum(len(model.features) for model in loaded.linear.values())
    assert max(len(own) for own in loaded.terms.values()) > 1  # some CpG is the anchor's and an expert's


def test_the_anchors_weight_is_shared_by_its_cpgs_those_of_computed_components_too(loaded):
    weight = dict(zip(loaded.anchor.features, np.abs(loaded.anchor.weight), strict=True))
    assert any(map(is_pc, loaded.anchor.features))
    given = loaded.for_table(["RF_PC1", "RF_PC2"])
    assert given.loadings is None
    for clock in (loaded, given, loaded.for_table(["RF_PC2"])):
        assert sum(clock.anchor_weight.values()) == pytest.approx(1)
        assert not any(map(is_pc, clock.anchor_weight))
        computed = clock.computed
        total = sum(own for name, own in weight.items() if not is_pc(name) or name in computed)
        for name, share in clock.anchor_weight.items():
            row = clock.loadings.features.index(name) if computed and name in clock.loadings.features else None
            through = 0 if row is None else sum(weight[pc] * squared_share(clock.loading(pc))[row] for pc in computed)
            assert share * total == pytest.approx(weight.get(name, 0.0) + through)


def test_what_is_read_is_what_has_weight_and_what_components_are_made_of(loaded):
    assert loaded.cpgs == sorted({name for m in loaded.models.values() for name in m.features if not is_pc(name)})
    assert set(loaded.cpgs_read) == set(loaded.cpgs) | set(loaded.loadings.features)
    assert set(loaded.wanted.among(loaded.cpgs_read)) == set(loaded.cpgs_read)
    assert loaded.pc_names == ["RF_PC1", "RF_PC2"]


def test_components_are_the_product_of_centred_values_and_loadings():
    rng = np.random.default_rng(1)
    values, weight, median, mean = rng.random((5, 9)), rng.normal(size=(5, 2)), rng.random(5), rng.random(5)
    values[rng.random(values.shape) < 0.3] = np.nan
    names = [f"cg{k}_beta" for k in range(5)]
    loadings = LinearModel(0.0, names, weight, median, mean, np.ones(5))
    found = loadings.start(9)
    for k, own in enumerate(values):
        loadings.add(k, found, own)
    filled = np.where(np.isnan(values), median[:, None], values)
    # 1e-12: five terms near 1, in another order.
    np.testing.assert_allclose(found, weight.T @ (filled - mean[:, None]), atol=1e-12)


# The weights tables predict what the Pipelines predict


# Years. Sums of 30 products in another order differ by some 1e-13; this is what users are promised.
PROMISED = 1e-6


@pytest.fixture(scope="module", params=[(True, True), (False, True), (False, False)], ids=["anchor", "plain", "expert"])
def fitted(request, make_pipeline):
    """A Pipeline on 30 features, of which one is never measured and one constant, with the frame it learnt from."""
    rng = np.random.default_rng(1)
    age = rng.uniform(2, 90, 60)
    X = 0.5 + np.outer(age, rng.normal(0, 0.003, 30)) + rng.normal(0, 0.05, (60, 30))
    X[rng.random(X.shape) < 0.1] = np.nan
    X[:, 4], X[:, 7] = np.nan, 0.25
    frame = pd.DataFrame(X, columns=[f"cg{k:08d}_beta" for k in range(30)])
    transformed, intercept = request.param
    pipeline = make_pipeline(0.01, 0.5, transformed, intercept).fit(frame, age)
    return pipeline, frame, transformed


def linear_predict(model, frame):
    """The sum of all terms; a column that the frame does not have is missing."""
    total = np.full(len(frame), model.intercept)
    for k, name in enumerate(model.features):
        model.add(k, total, frame[name].to_numpy() if name in frame else np.full(len(frame), np.nan))
    return total


def predict(table, frame, transformed):
    predicted = linear_predict(LinearModel.from_table(table, "weights.csv"), frame)
    return inverse_transform_age(predicted) if transformed else predicted


def test_table_predicts_as_the_pipeline_does(fitted):
    pipeline, frame, transformed = fitted
    predicted = predict(weights_table(pipeline), frame, transformed)
    np.testing.assert_allclose(predicted, pipeline.predict(frame), rtol=0, atol=PROMISED)
    assert np.ptp(predicted) > 10  # the comparison is of a model that says something


def test_through_the_csv_to_the_bit(fitted, tmp_path):
    pipeline, frame, transformed = fitted
    table = weights_table(pipeline)
    write_table(table, tmp_path / "weights.csv")
    back = read_table(tmp_path / "weights.csv")
    np.testing.assert_array_equal(predict(back, frame, transformed), predict(table, frame, transformed))


def test_missing_columns_are_the_training_median(fitted):
    pipeline, frame, transformed = fitted
    table = weights_table(pipeline)
    gone = table["feature"].iloc[[1, 2, 9]].tolist()
    without = frame.assign(**dict.fromkeys(gone, np.nan))
    predicted = predict(table, frame.drop(columns=gone), transformed)
    np.testing.assert_allclose(predicted, pipeline.predict(without), rtol=0, atol=PROMISED)
    np.testing.assert_array_equal(predicted, predict(table, without, transformed))
    medians = dict(zip(table["feature"], table["median"], strict=True))
    filled = frame.assign(**{name: medians[name] for name in gone})
    np.testing.assert_array_equal(predicted, predict(table, filled, transformed))
    assert not np.array_equal(predicted, predict(table, frame, transformed))


def test_columns_that_were_all_missing_in_training_are_zero(fitted):
    pipeline, frame, transformed = fitted
    table = weights_table(pipeline).set_index("feature")
    assert table.loc["cg00000004_beta", ["weight_standardised", "median", "mean"]].tolist() == [0.0, 0.0, 0.0]
    measured_later = frame.assign(cg00000004_beta=0.9)
    predicted = predict(weights_table(pipeline), measured_later, transformed)
    np.testing.assert_allclose(predicted, pipeline.predict(frame), rtol=0, atol=PROMISED)


def test_samples_that_lack_everything(fitted):
    pipeline, frame, transformed = fitted
    nothing = frame.iloc[:3] * np.nan
    predicted = predict(weights_table(pipeline), nothing, transformed)
    np.testing.assert_allclose(predicted, pipeline.predict(nothing), rtol=0, atol=PROMISED)
    np.testing.assert_array_equal(
        predicted, predict(weights_table(pipeline), pd.DataFrame(index=range(3)), transformed)
    )


def test_raw_weights_are_the_same_model(fitted):
    pipeline, frame, transformed = fitted
    table = weights_table(pipeline)
    body = table.iloc[1:]
    filled = frame[body["feature"]].fillna(dict(zip(body["feature"], body["median"], strict=True)))
    predicted = table["weight_raw"][0] + filled.to_numpy() @ body["weight_raw"].to_numpy()
    predicted = inverse_transform_age(predicted) if transformed else predicted
    np.testing.assert_allclose(predicted, pipeline.predict(frame), rtol=0, atol=PROMISED)


def test_one_sample_has_the_same_bits_alone_and_among_others(fitted):
    pipeline, frame, transformed = fitted
    table = weights_table(pipeline)
    together = predict(table, frame, transformed)
    for k in range(len(frame)):
        assert predict(table, frame.iloc[[k]], transformed)[0] == together[k]


def test_rows_are_in_the_order_of_their_weight(fitted):
    pipeline, *_ = fitted
    table = weights_table(pipeline)
    assert list(table.columns) == WEIGHTS
    assert table["feature"][0] == INTERCEPT
    assert table.loc[0, ["median", "mean", "scale"]].isna().all()
    body = table.iloc[1:]
    keys = list(zip(-body["weight_standardised"].abs(), body["feature"], strict=True))
    assert keys == sorted(keys)
    assert set(body["feature"]) == set(pipeline.feature_names_in_)
    assert (body["weight_standardised"] == 0).sum() > 1  # ties by name are in play


def test_order_of_the_features_in_training_does_not_matter_for_ties(make_pipeline):
    rng = np.random.default_rng(2)
    age = rng.uniform(20, 80, 30)
    one = rng.random(30)
    frame = pd.DataFrame({"cgB": one, "cgA": 1 - one, "cgC": age / 100})
    table = weights_table(make_pipeline(5.0, 1.0, False).fit(frame, age))
    assert table["feature"].tolist() == [INTERCEPT, "cgC", "cgA", "cgB"]


# What is refused


def broken(change):
    table = pd.DataFrame(
        [
            [INTERCEPT, 1.0, 1.0, np.nan, np.nan, np.nan],
            ["cg1_beta", 0.5, 5.0, 0.4, 0.5, 0.1],
            ["cg2_beta", 0.2, 2.0, 0.4, 0.5, 0.1],
        ],
        columns=WEIGHTS,
    )
    LinearModel.from_table(table, "w.csv")
    return change(table)


def with_cell(row, column, value):
    def change(table):
        table.loc[row, column] = value
        return table

    return change


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda t: t.drop(columns=["scale", "mean"]),
            "w.csv is not a weights table: columns are missing (2: mean, scale).",
        ),
        (lambda t: t.iloc[1:], f"w.csv must start with the row {INTERCEPT} and contain each feature once."),
        (lambda t: t.iloc[:0], f"w.csv must start with the row {INTERCEPT}"),
        (lambda t: pd.concat([t, t.iloc[[1]]]), "and contain each feature once."),
        (with_cell(1, "weight_standardised", np.nan), "w.csv contains weights that are not finite numbers, or a scale"),
        (with_cell(2, "median", np.nan), "w.csv contains weights that are not finite numbers"),
        (with_cell(2, "mean", np.inf), "w.csv contains weights that are not finite numbers"),
        (with_cell(0, "weight_standardised", np.nan), "w.csv contains weights that are not finite numbers"),
        (with_cell(1, "scale", 0.0), "or a scale that is not positive."),
        (with_cell(1, "scale", -1.0), "or a scale that is not positive."),
    ],
)
def test_tables_that_cannot_be_models_are_refused(change, text):
    with pytest.raises(HeteroAgeError, match=re.escape(text)):
        LinearModel.from_table(broken(change), "w.csv")


def test_an_intercept_alone_is_a_model():
    table = broken(lambda t: t.iloc[:1])
    model = LinearModel.from_table(table, "w.csv")
    assert linear_predict(model, pd.DataFrame(index=range(2))).tolist() == [1.0, 1.0]
