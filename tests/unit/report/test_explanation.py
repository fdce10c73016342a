"""Contributions add up to HeteroAge as the fusion predicts it."""

import numpy as np
import pandas as pd

from heteroage.report.explanation import contributions, most_moved
from heteroage.stages import stage3


def test_contributions_add_up_to_heteroage(tmp_path):
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"Stage1_Pred_Age": rng.uniform(20, 80, 200), "A_Correction": rng.normal(0, 2, 200)})
    frame["Tissue"], frame["Sex"] = rng.choice(["Blood", "Skin"], 200), rng.choice(["F", "M"], 200)
    age = (frame["Stage1_Pred_Age"] + frame["A_Correction"] + 5 * (frame["Sex"] == "F")).to_numpy()
    categories = stage3.categories_of(frame)
    booster = stage3.boost(frame, age, categories, {"learning_rate": 0.3, "min_data_in_leaf": 5}, 15)
    booster.save_model(tmp_path / "model.txt")
    table = contributions(tmp_path / "model.txt", frame, categories)
    np.testing.assert_allclose(table["HeteroAge"], stage3.fuse(booster, frame, categories), atol=1e-9)
    np.testing.assert_allclose(table["HeteroAge"], table.drop(columns="HeteroAge").sum(axis=1), atol=1e-9)
    moved = (table["HeteroAge"] - table["Stage1_Pred_Age"]).abs()
    assert most_moved(table).name == moved.idxmax()
    assert table["Sex"].abs().mean() > 1
