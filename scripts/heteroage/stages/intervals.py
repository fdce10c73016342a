"""Prediction intervals that hold for a new study: conformal half-widths from out-of-fold errors, by group."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from heteroage.age import transform_age
from heteroage.labels import UNKNOWN

SCALE = "transformed_age"
LEAST_AGE = 0.0  # years
STEP = 0.0025  # of the levels that are tried
MINIMUM_GROUPS = 3
ROUNDING = 1e-9


def calibrate(
    out_of_fold: pd.DataFrame, groups: ArrayLike, level: float, tissue_groups: int
) -> dict[str, object] | None:
    """Calibrate the half-widths that Stage3_Artifacts.json stores.

    The score of a sample is |F(Age) - F(HeteroAge)|, out of fold, with F the age transform: errors in years grow
    with age until adulthood, on this scale they hardly do.

    Parameters
    ----------
    out_of_fold : frame with Age, HeteroAge (years) and Tissue
    groups : (n,) group of each sample
    level : share of a new study's samples that the interval should hold, in (0, 1)
    tissue_groups : a tissue in at least so many groups has a half-width of its own

    Returns
    -------
    dict, or None where there are fewer than 3 groups to calibrate on
    """
    # A predicted age below birth, which the scale does not know, counts as birth.
    predicted = np.maximum(out_of_fold["HeteroAge"], LEAST_AGE)
    score = np.abs(transform_age(out_of_fold["Age"]) - transform_age(predicted))
    groups, tissues = np.asarray(groups), out_of_fold["Tissue"].to_numpy()
    if len(np.unique(groups)) < MINIMUM_GROUPS:
        return None
    of_tissue = {}
    for tissue in sorted(set(tissues) - {UNKNOWN}):
        rows = tissues == tissue
        if len(np.unique(groups[rows])) >= max(tissue_groups, MINIMUM_GROUPS):
            of_tissue[tissue] = _calibrated(score[rows], groups[rows], level)
    return {"level": level, "scale": SCALE, **_calibrated(score, groups, level), "tissues": of_tissue}


def _calibrated(score: NDArray[np.float64], groups: NDArray, level: float) -> dict[str, object]:
    return {
        "half_width": half_width(score, groups, level),
        "n_samples": len(score),
        "n_groups": len(np.unique(groups)),
    }


def half_width(score: ArrayLike, groups: ArrayLike, level: float) -> float:
    """The group-weighted quantile of the scores that holds `level` of a group it has not seen.

    Groups, not samples, are exchangeable with a new study, so each weighs the same (Dunn, Wasserman and
    Ramdas, JASA 118:2491, 2023; Lee, Barber and Willett, arXiv:2306.06342). The quantile at `level` itself covers
    too little where groups are few, and the correction that makes the guarantee exact (a further group of
    infinite scores) returns the largest score where there are fewer than level / (1 - level) groups. Between
    the two, the level is calibrated (Beran, Biometrika 74:457, 1987; Loh, JASA 82:155, 1987): leave out one group
    at a time, take the quantile of the others, and find the least nominal level whose coverage of the left-out
    group is at least `level` on average.
    """
    score, groups = np.asarray(score, np.float64), np.asarray(groups)
    for nominal in _levels(level):
        if leave_one_group_out_coverage(score, groups, nominal) >= level - ROUNDING:
            break
    return group_weighted_quantile(score, groups, nominal)


def _levels(level: float) -> Sequence[float]:
    return [*np.arange(level, 1.0, STEP), 1.0]


def leave_one_group_out_coverage(score: NDArray[np.float64], groups: NDArray, nominal: float) -> float:
    """Mean over groups of the share of a group's scores within the quantile of the other groups."""
    covered = []
    for group in np.unique(groups):
        own = groups == group
        covered.append(np.mean(score[own] <= group_weighted_quantile(score[~own], groups[~own], nominal)))
    return float(np.mean(covered))


def group_weighted_quantile(score: ArrayLike, groups: ArrayLike, level: float) -> float:
    """The least score with at least `level` of the weight at or below it, each group having the same weight."""
    score = np.asarray(score, np.float64)
    _, code, size = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    order = np.argsort(score, kind="stable")
    weight = np.cumsum(1 / (size[code][order] * len(size)))
    return float(score[order][np.searchsorted(weight[:-1], level - ROUNDING)])
