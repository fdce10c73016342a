"""Robust variance of features between comparable samples."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SCREENED = 20_000  # features of a modality that are screened, evenly spread over its sorted names
COMPARED = 0.1  # fraction of the screened features used for comparison (the most variable ones)
FEWEST = 100  # minimum number of features used for comparison
MEASURED = (0.9, 0.5, 0.0)  # required fraction of samples with a value; the first that leaves `FEWEST` features is used
FREEDOM = 0.25  # minimum degrees of freedom of a variance within strata, as a fraction of the samples
TRIMMED = 0.02  # fraction of a feature's residuals that are clipped (Winsorised)
LOWEST, HIGHEST = -0.5, 1.5  # values outside are not beta values; they are treated as missing
BLOCK = 1024  # features at a time


def most_variable(
    store: NDArray[np.float32], rows: NDArray[np.int64], samples: pd.DataFrame
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Choose the features that vary most between samples of one study and tissue.

    Parameters
    ----------
    store : (features, samples)
    rows : the features to choose from; of more than `SCREENED`, an even selection is used
    samples : frame of `project_id`, `Tissue`, in the order of the store's columns

    Returns
    -------
    the chosen rows, by falling variance, and their variances; features without variance are never chosen
    """
    if len(rows) > SCREENED:
        rows = rows[np.linspace(0, len(rows) - 1, SCREENED).astype(int)]
    strata = strata_of(samples)
    variance, measured = np.empty(len(rows)), np.empty(len(rows))
    for start in range(0, len(rows), BLOCK):
        part = slice(start, start + BLOCK)
        block = plausible(store[rows[part]])
        variance[part], measured[part] = variance_within(block, strata), (~np.isnan(block)).mean(axis=1)
    varies = variance > 1e-10  # less is rounding
    enough = next(share for share in MEASURED if (varies & (measured >= share)).sum() >= FEWEST or share == 0)
    count = max(FEWEST, round(COMPARED * len(rows)))
    order = np.argsort(-np.where(measured >= enough, variance, 0), kind="stable")[:count]
    order = order[varies[order] & (measured[order] >= enough)]
    return rows[order], variance[order]


def plausible(block: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the values, with NaN for those that cannot be beta values (sentinels such as -9)."""
    values = block.astype(np.float64)
    values[(values < LOWEST) | (values > HIGHEST)] = np.nan
    return values


def strata_of(samples: pd.DataFrame) -> NDArray[np.int64]:
    """Number each sample's stratum: study and tissue, or only tissue, or a single stratum if samples are few."""
    for keys in (["project_id", "Tissue"], ["Tissue"]):
        strata = samples.groupby(keys).ngroup().to_numpy()
        if len(strata) - len(np.unique(strata)) >= FREEDOM * len(strata):
            return strata
    return np.zeros(len(samples), np.int64)


def residuals_within(values: NDArray[np.float64], strata: NDArray[np.int64]) -> NDArray[np.float64]:
    """Subtract each feature's (row's) median within each stratum of samples (columns); NaN stays NaN."""
    residuals = np.empty_like(values)
    for stratum in np.unique(strata):
        own = strata == stratum
        residuals[:, own] = values[:, own] - _medians(values[:, own])[:, None]
    return residuals


def variance_within(values: NDArray[np.float64], strata: NDArray[np.int64]) -> NDArray[np.float64]:
    """Pooled variance of each feature (row) within strata of samples; 0 where no stratum has two values.

    It is Winsorised: the largest 2% of a feature's absolute residuals count as the 98th percentile.
    """
    residuals = np.abs(residuals_within(values, strata))
    present = ~np.isnan(residuals)
    strata_with_values = np.zeros(len(values), np.int64)
    for stratum in np.unique(strata):
        strata_with_values += present[:, strata == stratum].any(axis=1)
    count = present.sum(axis=1)
    ordered = np.sort(residuals, axis=1)  # NaN comes last
    last = np.maximum(count - 1 - np.floor(TRIMMED * count).astype(int), 0)
    most = np.take_along_axis(ordered, last[:, None], axis=1)
    squares = np.square(np.minimum(np.where(present, residuals, 0), np.nan_to_num(most))).sum(axis=1)
    return squares / np.maximum(count - strata_with_values, 1)


def _medians(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of each row without NaN; NaN if all values are missing."""
    ordered = np.sort(values, axis=1)  # NaN comes last
    count = (~np.isnan(values)).sum(axis=1)[:, None]
    lower, upper = (
        np.take_along_axis(ordered, np.maximum(k, 0), axis=1)[:, 0]
        for k in ((count - 1) // 2, count // 2 - (count == 0))
    )
    return (lower + upper) / 2
