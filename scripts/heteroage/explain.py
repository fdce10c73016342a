"""What each feature of the fusion adds to a sample's age: LightGBM's own contributions (TreeSHAP, Lundberg 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from heteroage.columns import ANCHOR
from heteroage.errors import HeteroAgeError

if TYPE_CHECKING:
    import lightgbm as lgb

    from heteroage.predict import Clock
    from heteroage.source import Rows


def contributions(clock: Clock, rows: Rows, features: Rows) -> Rows:
    """Explain predicted samples.

    Parameters
    ----------
    rows : their predictions, as `Clock.stream` yields them
    features : what the fusion saw of them

    Returns
    -------
    sample_id, Stage1_Pred_Age, a column per feature of Stage 3 (the anchor's is Stage1_Pred_Age_Contribution), Bias
    where the trees' mean is not 0, and HeteroAge; years. Stage1_Pred_Age + contributions + Bias = HeteroAge.

    Raises
    ------
    HeteroAgeError
        The model lacks its nodes' counts, which contributions are weighted by.
    """
    booster = _booster(clock)
    matrix = np.array([features[name] for name in clock.meta["feature_order"]]).T
    values = booster.predict(np.ascontiguousarray(matrix), pred_contrib=True, num_threads=1)
    output: Rows = {"sample_id": rows["sample_id"], ANCHOR: rows[ANCHOR]}
    for k, name in enumerate(clock.meta["feature_order"]):
        output[f"{ANCHOR}_Contribution" if name == ANCHOR else name] = np.ascontiguousarray(values[:, k])
    if (values[:, -1] != 0).any():
        output["Bias"] = np.ascontiguousarray(values[:, -1])
    output["HeteroAge"] = rows["HeteroAge"]
    return output


def _booster(clock: Clock) -> lgb.Booster:
    import lightgbm as lgb

    if any(len(tree.leaf) > 1 and "internal_count" not in tree.fields for tree in clock.fusion.trees):
        raise HeteroAgeError("the fusion's model holds no counts, which contributions need. Get the folder anew.")
    # Only the text that was checked goes to LightGBM.
    return lgb.Booster(model_str=clock.fusion.text())
