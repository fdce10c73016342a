"""Prediction intervals for new studies: group-wise normalised conformal prediction.

The score of a sample is |F(Age) - F(HeteroAge)| / d, out of fold. F is the age transform, and d the typical size of the
numerator at the predicted age, estimated from the errors of other groups (normalised conformal prediction:
Papadopoulos, Gammerman and Vovk, AIA 2008). The interval is F(HeteroAge) plus and minus the half-width times d.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from heteroage.age import transform_age
from heteroage.labels import UNKNOWN

SCALE = "transformed_age"
LEAST_AGE = 0.0  # years
LEVEL_STEP = 0.0025  # spacing of the levels that are tried
MINIMUM_GROUPS = 3
ROUNDING = 1e-9
BANDWIDTH = 0.4  # kernel bandwidth on the transformed scale: 8.4 years in adults
PRIOR = 2.0  # weight of the mean error over all ages, in samples of average weight
KNOTS = 25  # number of predicted ages at which the typical error is stored


def learn_spread(
    predicted: NDArray[np.float64], error: NDArray[np.float64], groups: NDArray
) -> dict[str, NDArray[np.float64]]:
    """Estimate the mean absolute error at each of `KNOTS` predicted ages, with a Gaussian kernel.

    The weight of a group is the square root of its number of samples, a compromise between equal weights of groups and
    of samples. The mean over all ages has the weight of `PRIOR` samples, which dominates at ages with few samples.

    predicted, error : (n,) transformed predicted age, and absolute error on that scale
    groups : (n,)
    Returns the knots, `predicted`, and the typical `error` there. Between knots it is linear, outside that of the
    nearest knot.
    """
    _, code, size = np.unique(groups, return_inverse=True, return_counts=True)
    weight = 1 / np.sqrt(size[code])
    weight /= weight.mean()
    knots = np.linspace(predicted.min(), predicted.max(), KNOTS)
    near = weight * np.exp(-0.5 * ((predicted - knots[:, None]) / BANDWIDTH) ** 2)
    overall = np.average(error, weights=weight)
    local = (near @ error + PRIOR * overall) / (near.sum(axis=1) + PRIOR)
    return {"predicted": knots, "error": np.maximum(local, ROUNDING)}


def calibrate_intervals(
    out_of_fold: pd.DataFrame, groups: ArrayLike, level: float, tissue_groups: int
) -> dict[str, object] | None:
    """Calibrate the half-widths that Stage3_Artifacts.json stores.

    out_of_fold : frame with Age, HeteroAge (years) and Tissue
    groups : (n,) group of each sample
    level : fraction of a new study's samples whose age the interval should contain, in (0, 1)
    tissue_groups : minimum number of groups of a tissue for its own half-width
    Returns dict, or None with fewer than 3 groups.
    """
    # Predicted ages below 0 are set to 0.
    predicted = transform_age(np.maximum(out_of_fold["HeteroAge"].to_numpy(np.float64), LEAST_AGE))
    error = np.abs(transform_age(out_of_fold["Age"].to_numpy(np.float64)) - predicted)
    groups, tissues = np.asarray(groups), out_of_fold["Tissue"].to_numpy()
    if len(np.unique(groups)) < MINIMUM_GROUPS:
        return None
    score = error / spread_of_others(predicted, error, groups)
    of_tissue = {}
    for tissue in sorted(set(tissues) - {UNKNOWN}):
        rows = tissues == tissue
        if len(np.unique(groups[rows])) >= max(tissue_groups, MINIMUM_GROUPS):
            of_tissue[tissue] = _calibrated(score[rows], groups[rows], level)
    spread = {name: values.tolist() for name, values in learn_spread(predicted, error, groups).items()}
    return {"level": level, "scale": SCALE, "spread": spread, **_calibrated(score, groups, level), "tissues": of_tissue}


def spread_of_others(
    predicted: NDArray[np.float64], error: NDArray[np.float64], groups: NDArray
) -> NDArray[np.float64]:
    """Return the typical error at each sample's predicted age, estimated from the other groups."""
    spread = np.empty(len(predicted))
    for group in np.unique(groups):
        own = groups == group
        others = learn_spread(predicted[~own], error[~own], groups[~own])
        spread[own] = np.interp(predicted[own], others["predicted"], others["error"])
    return spread


def _calibrated(score: NDArray[np.float64], groups: NDArray, level: float) -> dict[str, object]:
    return {
        "half_width": half_width(score, groups, level),
        "n_samples": len(score),
        "n_groups": len(np.unique(groups)),
    }


def half_width(score: ArrayLike, groups: ArrayLike, level: float) -> float:
    """Return the group-weighted quantile of the scores that covers `level` of a new group.

    Groups, not samples, are exchangeable with a new study, so each group has the same weight (Dunn, Wasserman and
    Ramdas, JASA 118:2491, 2023; Lee, Barber and Willett, arXiv:2306.06342). With few groups, the quantile at `level`
    itself covers too little. The correction that makes the guarantee exact (an additional group with infinite scores)
    returns the largest score if there are fewer than level / (1 - level) groups. So the nominal level is calibrated by
    leave-one-group-out (Beran, Biometrika 74:457, 1987; Loh, JASA 82:155, 1987). The function uses the smallest nominal
    level for which the quantile of the other groups covers on average at least `level` of the left-out group.
    """
    score, groups = np.asarray(score, np.float64), np.asarray(groups)
    for nominal in [*np.arange(level, 1.0, LEVEL_STEP), 1.0]:
        covered = [
            np.mean(score[own] <= group_weighted_quantile(score[~own], groups[~own], nominal))
            for own in (groups == group for group in np.unique(groups))
        ]
        if np.mean(covered) >= level - ROUNDING:
            break
    return group_weighted_quantile(score, groups, nominal)


def group_weighted_quantile(score: ArrayLike, groups: ArrayLike, level: float) -> float:
    """Return the smallest score with at least `level` of the weight at or below it. All groups have the same weight."""
    _, code, size = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    return float(np.quantile(score, level - ROUNDING, weights=1 / size[code], method="inverted_cdf"))
