"""Contributions add up to the age that was predicted."""

import numpy as np
import pandas as pd


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
