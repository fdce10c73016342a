"""Contribution of each feature of the fusion to a sample's age: LightGBM's TreeSHAP values (Lundberg 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from heteroage.clock.columns import ANCHOR, OFFSET
from heteroage.errors import HeteroAgeError

if TYPE_CHECKING:
    import lightgbm as lgb

    from heteroage.clock.model import ClockModel
    from heteroage.clock.sums import Rows


def contributions(clock: ClockModel, rows: Rows, features: Rows) -> Rows:
    """Compute the contributions of all features for predicted samples.

    rows : predictions, as yielded by `Clock.stream`
    features : input features of the fusion for the same samples

    Returns sample_id, Stage1_Pred_Age, one column per feature of Stage 3 (Stage1_Pred_Age_Contribution for the anchor),
    Bias if the mean of the trees is not 0, Cohort_Offset if one is used, and HeteroAge; in years. Stage1_Pred_Age +
    contributions + Bias + Cohort_Offset = HeteroAge.
    Raises HeteroAgeError: the model does not contain node counts, which TreeSHAP needs as weights.
    """
    order = clock.meta["feature_order"]
    matrix = np.ascontiguousarray(np.array([features[name] for name in order]).T)
    identity = {"sample_id": rows["sample_id"], ANCHOR: rows[ANCHOR]}
    last = {name: rows[name] for name in (OFFSET, "HeteroAge") if name in rows}
    return identity | by_feature(_booster(clock), matrix, order) | last


def by_feature(booster: lgb.Booster, matrix: ArrayLike, names: Sequence[str]) -> Rows:
    """Return each feature's contribution in years, and Bias if not 0; `matrix` is (samples, features named `names`)."""
    values = booster.predict(matrix, pred_contrib=True, num_threads=1)
    labels = [f"{ANCHOR}_Contribution" if name == ANCHOR else name for name in names]
    columns = {label: np.ascontiguousarray(values[:, k]) for k, label in enumerate([*labels, "Bias"])}
    if not columns["Bias"].any():
        del columns["Bias"]
    return columns


def check_lightgbm() -> None:
    """Raise an early error if LightGBM is not installed. Prediction itself does not need it."""
    try:
        import lightgbm  # noqa: F401
    except ImportError as error:
        raise HeteroAgeError(
            'contributions need LightGBM, which is not installed. Install it: pip install "heteroage-clock[train]", or '
            "pip install lightgbm."
        ) from error


def _booster(clock: ClockModel) -> lgb.Booster:
    check_lightgbm()
    import lightgbm as lgb

    if any(len(tree.leaf) > 1 and "internal_count" not in tree.fields for tree in clock.fusion.trees):
        raise HeteroAgeError(
            "the fusion's model contains no node counts, which contributions need. Copy the folder again."
        )
    # LightGBM gets only the text that was validated.
    return lgb.Booster(model_str=clock.fusion.text())
