"""Decomposition of HeteroAge: the anchor plus a contribution of each feature of the fusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd

from heteroage.clock.explain import by_feature
from heteroage.stages.stage3 import ANCHOR, encode


def contributions(model: str | Path, frame: pd.DataFrame, categories: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Each feature's contribution to HeteroAge, in years (LightGBM's SHAP values: Lundberg et al. 2020).

    model : LightGBM's text model
    frame : the fusion's features, a row per sample

    Returns a frame with Stage1_Pred_Age, a column per feature (the anchor's is Stage1_Pred_Age_Contribution), Bias
    where it is not 0, and HeteroAge: the sum of the others, to rounding.
    """
    booster = lgb.Booster(model_file=str(model))
    parts = by_feature(booster, encode(frame, categories), list(frame.columns))
    table = pd.DataFrame({ANCHOR: frame[ANCHOR].to_numpy()} | parts)
    return table.assign(HeteroAge=table.sum(axis=1))


def most_moved(table: pd.DataFrame) -> pd.Series:
    """Return the sample with the largest difference between HeteroAge and anchor."""
    return table.iloc[int(np.argmax(np.abs(table["HeteroAge"] - table[ANCHOR])))]
