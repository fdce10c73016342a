"""Linear models as tables (the weights CSVs), and prediction from them without unpickling."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heteroage.errors import HeteroAgeError, listed

if TYPE_CHECKING:  # slow to import and not needed for prediction
    import pandas as pd
    from sklearn.pipeline import Pipeline

INTERCEPT = "(intercept)"
COLUMNS = ["feature", "weight_standardised", "weight_raw", "median", "mean", "scale"]


def weights_table(pipeline: Pipeline) -> pd.DataFrame:
    """Convert a fitted Pipeline (imputer, scaler, elastic net) to a table.

    Returns one row for the intercept (on both scales; median, mean and scale are empty), then one row per feature,
    sorted by decreasing absolute standardised weight, ties by name.
    """
    import pandas as pd

    imputer, scaler, net = pipeline
    net = getattr(net, "regressor_", net)
    table = pd.DataFrame(
        {
            "feature": pipeline.feature_names_in_,
            "weight_standardised": net.coef_,
            "weight_raw": net.coef_ / scaler.scale_,
            "median": imputer.statistics_,
            "mean": scaler.mean_,
            "scale": scaler.scale_,
        }
    )
    table = table.iloc[np.lexsort((table["feature"], -table["weight_standardised"].abs()))]
    raw_intercept = net.intercept_ - (table["weight_raw"] * table["mean"]).sum()
    head = pd.DataFrame([[INTERCEPT, net.intercept_, raw_intercept, np.nan, np.nan, np.nan]], columns=COLUMNS)
    return pd.concat([head, table], ignore_index=True)


@dataclass(frozen=True)
class LinearModel:
    """intercept + sum over features of weight × (value - mean) / scale, with missing values at the median."""

    intercept: float
    features: list[str]
    weight: NDArray[np.float64]
    median: NDArray[np.float64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def from_table(cls, table: pd.DataFrame | Mapping[str, Sequence], where: str) -> LinearModel:
        """Parse and validate a weights table (a frame, or columns by name)."""
        if absent := [column for column in COLUMNS if column not in table]:
            raise HeteroAgeError(f"{where} is not a weights table: columns are missing ({listed(absent)}).")
        names = [str(name) for name in np.asarray(table["feature"])]
        features = names[1:]
        if names[:1] != [INTERCEPT] or len(set(features)) < len(features):
            raise HeteroAgeError(f"{where} must start with the row {INTERCEPT} and contain each feature once.")
        numbers = np.array([np.asarray(table[column], dtype=np.float64) for column in COLUMNS[1:]])
        weight, _, median, mean, scale = numbers[:, 1:]
        intercept = float(numbers[0, 0])
        if not (np.isfinite(numbers[:, 1:]).all() and np.isfinite(intercept) and (scale > 0).all()):
            raise HeteroAgeError(
                f"{where} contains weights that are not finite numbers, or a scale that is not positive."
            )
        return cls(intercept, features, weight, median, mean, scale)

    @property
    def raw(self) -> NDArray[np.float64]:
        """Weights on the raw scale of the features."""
        return self.weight / self.scale

    def predict(self, values_of: Callable[[str], NDArray[np.float64] | None], n: int) -> NDArray[np.float64]:
        """Predict n samples; `values_of` returns a feature's values, or None if the table has no such column."""
        total = np.full(n, self.intercept)
        for k, feature in enumerate(self.features):
            values = values_of(feature)
            self.add(k, total, np.full(n, np.nan) if values is None else values)
        return total

    def add(self, k: int, total: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        """Add feature k's term to the totals, elementwise: a sample's bits do not depend on other samples."""
        filled = np.where(np.isnan(values), self.median[k], values)
        total += self.weight[k] * ((filled - self.mean[k]) / self.scale[k])
