"""LightGBM's text models: evaluated to LightGBM's bits, and never handed to it unchecked."""

import dataclasses
import re

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heteroage.clock.master_table import MasterTable
from heteroage.clock.trees import booster_of, by_feature, contributions_of, parse_trees
from heteroage.errors import HeteroAgeError
from heteroage.stages import stage3
from heteroage.tables.opening import from_frame


def matrix(n, rng):
    """Numbers with zeros and missing values, and two categories, some levels of which were never seen."""
    X = rng.normal(size=(n, 5))
    X[rng.random(X.shape) < 0.1] = np.nan
    X[rng.random(X.shape) < 0.1] = 0.0
    X[:, 3], X[:, 4] = rng.integers(0, 40, n), rng.integers(0, 3, n)
    X[rng.random(n) < 0.1, 3] = np.nan
    return X


def boosted(leaves, rounds, **parameters):
    rng = np.random.default_rng(leaves)
    X = matrix(400, rng)
    y = np.nan_to_num(X[:, 0]) + 3 * (X[:, 3] % 3 == 0) + X[:, 4] * np.nan_to_num(X[:, 1]) + rng.normal(size=400)
    settings = {
        "num_leaves": leaves,
        "min_data_in_leaf": 3,
        "min_data_per_group": 3,
        "cat_smooth": 1,
        "max_cat_to_onehot": 2,
        "verbosity": -1,
        "objective": "regression",
        **parameters,
    }
    names = [f"f{k}" for k in range(5)]
    return lgb.train(settings, lgb.Dataset(X, y, feature_name=names, categorical_feature=[3, 4]), rounds)


@pytest.mark.parametrize(
    ("leaves", "rounds", "parameters"),
    [
        (2, 5, {}),
        (4, 40, {}),
        (31, 20, {}),
        (8, 10, {"zero_as_missing": True}),
        (8, 10, {"use_missing": False}),
        (8, 3, {"min_data_in_leaf": 500}),  # a tree that cannot split
    ],
)
def test_the_same_bits_as_lightgbm(leaves, rounds, parameters):
    booster = boosted(leaves, rounds, **parameters)
    trees = parse_trees(booster.model_to_string(), "model.txt")
    X = matrix(20_000, np.random.default_rng(5))
    X[:50, 3] = -1
    expected = booster.predict(X)
    np.testing.assert_array_equal(trees.predict(list(X.T.copy())), expected)
    again = lgb.Booster(model_str=trees.text())
    np.testing.assert_array_equal(again.predict(X[:500]), expected[:500])
    np.testing.assert_array_equal(
        again.predict(X[:500], pred_contrib=True), booster.predict(X[:500], pred_contrib=True)
    )


TEXT = boosted(4, 3).model_to_string()


@given(
    st.lists(st.tuples(st.integers(0, len(TEXT) - 1), st.sampled_from("0123456789-=. \nxe")), min_size=1, max_size=4)
)
def test_a_changed_text_is_a_model_or_an_error(changes):
    text = TEXT
    for place, character in changes:
        text = text[:place] + character + text[place + 1 :]
    try:
        trees = parse_trees(text, "model.txt")
    except HeteroAgeError:
        return
    X = matrix(20, np.random.default_rng(1))
    # What was let through, LightGBM reads without harm, and as we do.
    np.testing.assert_array_equal(trees.predict(list(X.T)), lgb.Booster(model_str=trees.text()).predict(X))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("left_child=", "left_child=0 "),
        ("objective=regression", "objective=binary"),
        ("num_class=1", "num_class=3"),
        ("split_feature=", "split_feature=9"),
        ("leaf_value=", "leaf_value=nan "),
        ("is_linear=0", "is_linear=1"),
        ("end of trees", ""),
        ("num_leaves=4", "num_leaves=4000000000"),
    ],
)
def test_what_is_no_model_is_refused(old, new):
    assert old in TEXT
    with pytest.raises(HeteroAgeError, match=r"model\.txt"):
        parse_trees(TEXT.replace(old, new, 1), "model.txt")


def test_children_in_a_circle_are_refused():
    lines = TEXT.split("\n")
    at = next(k for k, line in enumerate(lines) if line.startswith("left_child="))
    lines[at] = "left_child=0 0 0"
    with pytest.raises(HeteroAgeError, match="child nodes do not form a tree"):
        parse_trees("\n".join(lines), "model.txt")


def test_numbers_in_other_spellings_reach_lightgbm_as_plain_ones():
    """LightGBM ends the process at a token such as 1_0, which Python reads as 10."""
    lines = TEXT.split("\n")
    at = next(k for k, line in enumerate(lines) if line.startswith("leaf_value="))
    _, *others = lines[at].removeprefix("leaf_value=").split(" ")
    lines[at] = "leaf_value=1_0\t" + "  ".join(others)
    trees = parse_trees("\n".join(lines), "model.txt")
    X = matrix(20, np.random.default_rng(1))
    np.testing.assert_array_equal(trees.predict(list(X.T)), lgb.Booster(model_str=trees.text()).predict(X))


def test_a_damaged_number_is_quoted_in_short():
    with pytest.raises(HeteroAgeError, match=r"tree 0 is not valid .{1,300}Copy the folder again") as problem:
        parse_trees(TEXT.replace("leaf_value=", "leaf_value=" + "[" * 5000, 1), "model.txt")
    assert len(str(problem.value)) < 500


# Contributions


def test_contributions_add_up_to_the_age(loaded, clock):
    table, ages = loaded.contributions(clock.master), loaded.predict(clock.master)
    assert list(table.columns[:3]) == ["sample_id", "Stage1_Pred_Age", "Stage1_Pred_Age_Contribution"]
    assert {"Tissue", "Sex", "RF_PC1", "Genomic_Instability_Correction"} <= set(table.columns)
    np.testing.assert_array_equal(table["HeteroAge"], ages["HeteroAge"])
    parts = table.drop(columns=["sample_id", "HeteroAge"])
    np.testing.assert_allclose(parts.sum(axis=1), table["HeteroAge"], rtol=0, atol=1e-9)  # rounding of the sum
    assert table["Tissue"].abs().max() > 0.5
    alone = loaded.contributions(clock.master.iloc[[3]])
    pd.testing.assert_frame_equal(alone, table.iloc[[3]].reset_index(drop=True), check_exact=True)


def test_contributions_are_lightgbms_own(loaded, clock):
    (part,) = loaded.stream("predict", MasterTable.of(from_frame(clock.master, loaded.wanted.is_cpg), loaded.wanted))
    table = contributions_of(loaded, booster_of(loaded), *part)
    order = loaded.meta["feature_order"]
    matrix = np.array([part[1][name] for name in order]).T
    expected = clock.booster.predict(matrix, pred_contrib=True)
    for k, name in enumerate(order):
        own = f"{name}_Contribution" if name == "Stage1_Pred_Age" else name
        np.testing.assert_array_equal(table[own], expected[:, k])
    np.testing.assert_array_equal(table["Bias"], expected[:, -1])


def test_a_model_without_counts_cannot_be_explained(loaded, clock):
    """Its ages are the same."""
    text = re.sub(r"^internal_count=.*\n", "", clock.booster.model_to_string(), flags=re.MULTILINE)
    without = dataclasses.replace(loaded, fusion=parse_trees(text, "model.txt"))
    pd.testing.assert_frame_equal(without.predict(clock.master), loaded.predict(clock.master), check_exact=True)
    text = "the fusion's model contains no node counts, which contributions need. Copy the folder again."
    with pytest.raises(HeteroAgeError, match=f"^{re.escape(text)}$"):
        without.contributions(clock.master)


def test_contributions_of_a_trained_model_lead_from_the_anchor_to_its_ages():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"Stage1_Pred_Age": rng.uniform(20, 80, 200), "A_Correction": rng.normal(0, 2, 200)})
    frame["Tissue"], frame["Sex"] = rng.choice(["Blood", "Skin"], 200), rng.choice(["F", "M"], 200)
    age = (frame["Stage1_Pred_Age"] + frame["A_Correction"] + 5 * (frame["Sex"] == "F")).to_numpy()
    fusion = stage3.Fusion.boost(frame, age, {"learning_rate": 0.3, "min_data_in_leaf": 5}, 15)
    parts = pd.DataFrame(by_feature(fusion.booster, stage3.encode(frame, fusion.categories), frame.columns))
    ages = frame["Stage1_Pred_Age"] + parts.sum(axis=1)
    np.testing.assert_allclose(ages, fusion.predict(frame), atol=1e-9)
    assert parts["Sex"].abs().mean() > 1
