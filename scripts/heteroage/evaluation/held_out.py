"""Prediction of the held-out samples of a nested run, with the same code that users run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.clock import artifacts
from heteroage.clock.artifacts import ANCHOR, CORRECTION
from heteroage.clock.predict import Clock
from heteroage.files import read_table
from heteroage.matrix import values_of
from heteroage.metrics import has_skill
from heteroage.probes import pc_columns

IDENTITY = ["sample_id", "Tissue", "Sex", "Age"]


def held_out_samples(samples: pd.DataFrame, outer_fold: int) -> pd.DataFrame:
    """Return the samples of one outer fold with a known age, healthy or not; the index is the column in the store."""
    return samples[(samples["outer_fold"] == outer_fold) & samples["Age"].notna()]


def features_looked_at(folder: Path) -> set[str]:
    """Return the features that an assembled clock reads: with weight, or that RF_PCs are computed from."""
    tables = [folder / name for name in (artifacts.STAGE1_WEIGHTS, artifacts.STAGE2_WEIGHTS, artifacts.PC_LOADINGS)]
    return {feature for path in tables if path.is_file() for feature in read_table(path)["feature"]}


def master_table(
    looked_at: set[str],
    store: NDArray[np.float32],
    feature_names: Sequence[str],
    samples: pd.DataFrame,
    pcs: pd.DataFrame | None,
) -> pd.DataFrame:
    """Build the input table of these samples: metadata, all CpGs that the clock reads, and RF_PCs.

    store : (features, all samples)
    samples : rows of the store's samples, indexed by their column in it
    pcs : the user's table of RF_PCs, for a clock that was trained on one; NaN for samples that are not in it
    """
    wanted = [name for name in feature_names if name in looked_at]
    values = values_of(store, feature_names, wanted, samples.index.to_numpy())
    betas = pd.DataFrame(values, columns=wanted, dtype=np.float64)
    parts = [samples[IDENTITY].reset_index(drop=True), betas]
    if pcs is not None:
        known = pcs.set_index("sample_id")[pc_columns(pcs.columns)]
        parts.append(known.reindex(samples["sample_id"]).reset_index(drop=True))
    return pd.concat(parts, axis=1)


def anchor_plus_experts(predictions: pd.DataFrame, experts: pd.DataFrame) -> pd.Series:
    """The anchor plus the corrections of the experts that had skill in training, in years."""
    skilled = experts.loc[has_skill(experts), "hallmark"] + CORRECTION
    return predictions[ANCHOR] + predictions[list(skilled)].sum(axis=1)


def predict_held_out(clock: Clock, samples: pd.DataFrame, master: pd.DataFrame, mean_age: float) -> pd.DataFrame:
    """Predict; adds project, health, platform (if known), outer fold and the training samples' mean age as columns."""
    table = clock.for_our_tables().predict(master)
    identity = samples[["project_id", "group", "Is_Healthy"]].reset_index(drop=True)
    table.insert(1, "project_id", identity["project_id"])
    table.insert(2, "group", identity["group"])
    table.insert(table.columns.get_loc("Age") + 1, "fold", samples["outer_fold"].to_numpy())
    table.insert(table.columns.get_loc("fold") + 1, "Is_Healthy", identity["Is_Healthy"])
    if "Platform" in samples:
        table.insert(table.columns.get_loc("fold") + 2, "Platform", samples["Platform"].to_numpy())
    if clock.meta["intervals"] is None:
        table["HeteroAge_Lower"] = table["HeteroAge_Upper"] = np.nan
    return table.assign(Training_Mean_Age=mean_age)
