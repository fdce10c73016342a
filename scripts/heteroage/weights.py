"""Linear models as tables: the weights CSVs, and predicting from them without unpickling anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from heteroage.errors import HeteroAgeError, listed

INTERCEPT = "(intercept)"
COLUMNS = ["feature", "weight_standardised", "weight_raw", "median", "mean", "scale"]


def weights_table(pipeline: Pipeline) -> pd.DataFrame:
    """Tabulate a fitted Pipeline (imputer, scaler, elastic net).

    Returns
    -------
    The intercept's row (on either scale; median, mean and scale empty), then a row per feature by falling
    absolute standardised weight, ties by name.
    """
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
    def from_table(cls, table: pd.DataFrame, where: str) -> LinearModel:
        """Read a weights table, refusing one that cannot be a model."""
        absent = [column for column in COLUMNS if column not in table.columns]
        if absent:
            raise HeteroAgeError(f"{where} is no weights table: it lacks columns ({listed(absent)}).")
        body = table.iloc[1:]
        if not len(table) or table["feature"].iloc[0] != INTERCEPT or not body["feature"].is_unique:
            raise HeteroAgeError(f"{where} must start with the row {INTERCEPT} and name each feature once.")
        numbers = body[COLUMNS[1:]].to_numpy(np.float64)
        intercept = float(table["weight_standardised"].iloc[0])
        if not (np.isfinite(numbers).all() and np.isfinite(intercept) and (numbers[:, -1] > 0).all()):
            raise HeteroAgeError(f"{where} holds weights that are no finite numbers, or a scale that is not positive.")
        weight, _, median, mean, scale = numbers.T
        return cls(intercept, body["feature"].astype(str).tolist(), weight, median, mean, scale)

    def predict(self, values_of: Callable[[str], NDArray[np.float64] | None], n: int) -> NDArray[np.float64]:
        """Predict n samples; `values_of` gives a feature's values, or None where the table has no such column.

        Features are added one after the other, each over all samples: elementwise sums, so that a sample's
        prediction has the same bits whatever stands beside it.
        """
        total = np.full(n, self.intercept)
        for k, feature in enumerate(self.features):
            values = values_of(feature)
            if values is None:
                total += self.weight[k] * ((self.median[k] - self.mean[k]) / self.scale[k])
            else:
                filled = np.where(np.isnan(values), self.median[k], values)
                total += self.weight[k] * ((filled - self.mean[k]) / self.scale[k])
        return total
