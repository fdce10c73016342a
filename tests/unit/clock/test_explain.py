"""Contributions add up to the age that was predicted."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from heteroage.clock.explain import contributions
from heteroage.clock.master_table import of_frame
from heteroage.clock.trees import parse_trees
from heteroage.errors import HeteroAgeError


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
    (part,) = loaded.stream("predict", of_frame(clock.master, loaded.wanted))
    table = contributions(loaded, *part)
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
