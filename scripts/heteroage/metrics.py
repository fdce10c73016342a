"""Measures of prediction accuracy, over samples (micro) and over projects (macro)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray


def pearson_r(age: ArrayLike, predicted: ArrayLike) -> float:
    """Return Pearson's r of two vectors; NaN where it is undefined (fewer than 3 samples, no spread)."""
    a, b = np.asarray(age, np.float64), np.asarray(predicted, np.float64)
    if len(a) < 3:
        return float("nan")
    a, b = a - a.mean(), b - b.mean()
    # Spread of the size of rounding error is no spread: a constant prediction has no correlation.
    if min(np.abs(a).max(), np.abs(b).max()) < 1e-9:
        return float("nan")
    return float((a @ b) / np.sqrt((a @ a) * (b @ b)))


def score_predictions(age: ArrayLike, predicted: ArrayLike, projects: ArrayLike) -> dict[str, float]:
    """Score predicted ages.

    age, predicted : (n,) years
    projects : (n,) project_id of each sample
    Returns a dict with MicroMAE, MacroMAE, MedAE (years), MicroR, MacroR and Score. Micro is over samples; macro is the
    mean over projects of each project's value (for MacroR, of the projects where r is defined). Score = -(MicroMAE +
    MacroMAE) / 2: higher is better.
    """
    age, predicted = np.asarray(age, np.float64), np.asarray(predicted, np.float64)
    error, rows = np.abs(predicted - age), rows_by(projects)
    micro_mae, macro_mae = mean_errors(error, rows)
    project_r = np.array([pearson_r(age[r], predicted[r]) for r in rows])
    defined = project_r[~np.isnan(project_r)]
    return {
        "MicroMAE": micro_mae,
        "MacroMAE": macro_mae,
        "MedAE": float(np.median(error)),
        "MicroR": pearson_r(age, predicted),
        "MacroR": float(defined.mean()) if len(defined) else float("nan"),
        "Score": -(micro_mae + macro_mae) / 2,
    }


def rows_by(labels: ArrayLike) -> list[NDArray[np.int64]]:
    """Positions of each label's samples, labels sorted."""
    codes, names = pd.factorize(np.asarray(labels), sort=True)
    return [np.flatnonzero(codes == k) for k in range(len(names))]


def mean_errors(error: NDArray[np.float64], rows: Sequence[NDArray[np.int64]]) -> tuple[float, float]:
    """MicroMAE and MacroMAE of absolute errors (n,), where `rows` are each project's; the Score is minus their mean."""
    return float(error.mean()), float(np.mean([error[r].mean() for r in rows]))


def r2_against_none(residual: ArrayLike, correction: ArrayLike) -> float:
    """R2 of a correction against no correction: 1 - sum (residual - correction)^2 / sum residual^2.

    A correction has no intercept, so its reference is 0 and not the mean residual. A correction of 0 has R2 0.
    R2 is also 0 if all residuals are 0.
    """
    residual, correction = np.asarray(residual, np.float64), np.asarray(correction, np.float64)
    total = float(np.square(residual).sum())
    # Summed in the same way as the total, so that a correction by 0 has R2 0 and not a rounding error.
    return 1.0 - float(np.square(residual - correction).sum()) / total if total else 0.0


def mean_age_of_other_folds(age: pd.Series, fold: pd.Series) -> pd.Series:
    """Return the mean age of the other folds for each sample: the baseline for any clock."""
    totals = age.groupby(fold).agg(["sum", "count"])
    others = (totals["sum"].sum() - totals["sum"]) / (totals["count"].sum() - totals["count"])
    return fold.map(others)


def group_errors(absolute_error: NDArray[np.float64], groups: ArrayLike) -> NDArray[np.float64]:
    """Average (n,) or (n, k) absolute errors within each group; returns (groups,) or (groups, k)."""
    return np.stack([absolute_error[rows].mean(axis=0) for rows in rows_by(groups)])


def wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95% range of a share of n (Wilson, JASA 22:209, 1927), as if samples were independent."""
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return float(centre - half), float(centre + half)
