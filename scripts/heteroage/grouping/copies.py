"""Detection of copies: the same array, or the same donor's blood, twice in the data.

If one copy is used for training and the other is held out, the error is too small. So the studies of copies form one
group.

In a homogeneous tissue all samples are similar, so a small distance alone does not prove a copy. The distance of copies
must also be at most half of the distance to the nearest sample that is not a copy, from both sides.

The distance of two samples is mean((a - b)² / s²) / 2 over the most variable features that both have. s² is a feature's
variance between samples of one study and tissue. The distance is 0 for equal arrays, and 1 on average for unrelated
samples of one study and tissue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.errors import HeteroAgeError, listed
from heteroage.grouping.variation import most_variable, plausible, residuals_within, strata_of
from heteroage.probes import MODALITIES

OVERLAP = 20  # minimum number of features that both samples must have
NEIGHBOURS = 64  # number of nearest samples that are compared
ALIKE = 0.25  # largest distance of copies, as a share of the typical distance within their tissue (at most 1)
EQUAL = 0.01  # distance that is always accepted: the same array, processed again
ALONE = 0.03  # largest distance of copies in a tissue with fewer than three samples (typical distance unknown)
SEVERAL = 1 / 3  # largest ratio for three or more copies, because small clusters (a subtype, a litter) are common
MOST = 5  # maximum number of copies of an array; larger clusters are subtypes, unless their values are the same
SAME = 1e-3  # largest distance of arrays with the same values
FALSE_PAIRS = 0.05  # accepted expected number of false pairs in the whole data
FEWEST_DIMENSIONS = 4.0  # assumed number of dimensions if there are too few samples to measure it
WILD = 5.0  # values further from their stratum's median (in standard deviations) are treated as missing
WILD_SHARE = 0.05  # a sample with a larger fraction of such values differs as a whole, and keeps them
SETTLED = 5  # minimum number of samples in a stratum for the detection of such values
BLOCK = 1024  # number of samples per block
COLUMNS = ["modality", "sample_1", "sample_2", "project_1", "project_2", "n_features", "concordance", "distance_ratio"]


def find_copies(
    store: NDArray[np.float32], feature_names: Sequence[str], samples: pd.DataFrame, largest_ratio: float
) -> pd.DataFrame:
    """List the pairs of samples that are copies of each other.

    Only values are compared: names, ages and donors may differ.

    Parameters
    ----------
    store : (features, samples)
    feature_names : names of the store's rows, with the modality's suffix
    samples : frame of `sample_id`, `project_id`, `Tissue`, in the order of the store's columns
    largest_ratio : largest ratio of the distance between copies to the distance to the nearest other sample. In data
        with few independent dimensions a smaller ratio is used (see `strict_ratio`).

    Returns
    -------
    frame of `COLUMNS`, one row per pair and modality, by decreasing `concordance` (1 - distance), then by name
    """
    found = []
    for modality in MODALITIES:
        rows = np.flatnonzero([name.endswith(f"_{modality}") for name in feature_names])
        chosen, variance = most_variable(store, rows, samples)
        if len(chosen):
            values = _standardised(store[chosen], variance, strata_of(samples))
            tissue = pd.factorize(samples["Tissue"])[0]
            found.append(_copies_among(values, tissue, largest_ratio).assign(modality=modality))
    pairs = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=["row_1", "row_2", *COLUMNS])
    for k in "12":
        row = pairs[f"row_{k}"].to_numpy(int)
        pairs[f"sample_{k}"] = samples["sample_id"].to_numpy()[row]
        pairs[f"project_{k}"] = samples["project_id"].to_numpy()[row]
    order = ["concordance", "sample_1", "sample_2", "modality"]
    return pairs.sort_values(order, ascending=[False, True, True, True], ignore_index=True)[COLUMNS]


def refuse_copies(pairs: pd.DataFrame) -> None:
    """Raise an error that lists the pairs, if there are any."""
    if len(pairs):
        columns = ["sample_1", "project_1", "sample_2", "project_2"]
        distinct = pairs[columns].drop_duplicates().itertuples(index=False, name=None)
        named = [f"{a} ({p}) and {b} ({q})" for a, p, b, q in distinct]
        raise HeteroAgeError(
            f"near-identical arrays ({listed(named)}). Remove one of each, give both the same donor_id, or set "
            "audit.duplicates: group, which holds their studies out together."
        )


def strict_ratio(nearest: NDArray[np.float64], largest_ratio: float) -> float:
    """Lower the ratio until at most `FALSE_PAIRS` pairs of unrelated samples are expected to pass by chance.

    Around a sample, the number of others within a distance d² grows as d^m, with m the local number of dimensions. So
    an unrelated nearest sample is within `ratio` of the next one with probability ratio^(m/2) (Facco et al. 2017,
    Scientific Reports 7:12140). m is measured between the 4th and the 8th neighbour, so that one or two copies do not
    matter.

    Parameters
    ----------
    nearest : (samples, neighbours) distances (squared lengths), rising
    """
    n, known = nearest.shape
    last = min(8, known)
    if last < 4:
        dimensions = FEWEST_DIMENSIONS
    else:
        first = last // 2
        with np.errstate(divide="ignore", invalid="ignore"):
            growth = np.log(nearest[:, last - 1] / nearest[:, first - 1])
        growth = growth[np.isfinite(growth)]
        expected = 2 * sum(1 / k for k in range(first, last))
        middle = np.median(growth) if len(growth) else np.inf
        dimensions = expected / middle if middle > 0 else np.inf
    # A pair passes only if both samples see it so: about n / 3.4 pairs times ratio^(m/2) are expected.
    return min(largest_ratio, float((3.4 * FALSE_PAIRS / n) ** (2 / dimensions)))


@dataclass(frozen=True)
class _Neighbours:
    """Nearest neighbours of each sample: `index`, `distance` (samples, neighbours); `limit`: largest copy distance."""

    index: NDArray[np.int64]
    distance: NDArray[np.float64]
    limit: NDArray[np.float64]


def _copies_among(values: NDArray[np.float32], tissue: NDArray[np.int64], largest_ratio: float) -> pd.DataFrame:
    """Return pairs of rows (samples x standardised features) that are much closer than the other neighbours of both."""
    rows = np.flatnonzero((~np.isnan(values)).sum(axis=1) >= OVERLAP)
    if len(rows) < 3:
        return pd.DataFrame(columns=["row_1", "row_2", "n_features", "concordance", "distance_ratio"])
    values, present = values[rows], ~np.isnan(values[rows])
    near = _neighbours(values, tissue[rows])
    ratio = strict_ratio(near.distance, largest_ratio)
    # All neighbours before the largest sufficient gap are copies.
    own, following = near.distance[:, :-1], near.distance[:, 1:]
    others = np.arange(1, own.shape[1] + 1)
    allowed = np.where(others == 1, ratio, min(ratio, SEVERAL))
    gap = (own <= allowed * following) & (own <= near.limit[:, None]) & ((others < MOST) | (own <= SAME))
    copies = np.where(gap.any(axis=1), gap.shape[1] - gap[:, ::-1].argmax(axis=1), 0)
    first, place = np.nonzero(np.arange(near.distance.shape[1]) < copies[:, None])
    seen = {(i, near.index[i, k]): near.distance[i, k] for i, k in zip(first.tolist(), place.tolist(), strict=True)}
    pairs = [
        {
            "row_1": rows[i],
            "row_2": rows[j],
            "n_features": int((present[i] & present[j]).sum()),
            "concordance": round(1 - float(distance), 4),
            "distance_ratio": round(float(distance / min(near.distance[k, copies[k]] for k in (i, j))), 4),
        }
        for (i, j), distance in seen.items()
        if i < j and (j, i) in seen
    ]
    return pd.DataFrame(pairs, columns=["row_1", "row_2", "n_features", "concordance", "distance_ratio"])


def _standardised(
    store: NDArray[np.float32], variance: NDArray[np.float64], strata: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return values in standard deviations, (samples, features); single extreme values become NaN."""
    values = plausible(store)
    residuals = np.abs(residuals_within(values, strata)) / np.sqrt(variance)[:, None]
    wild = (residuals > WILD) & (np.bincount(strata)[strata] >= SETTLED)
    values[wild & (wild.mean(axis=0) <= WILD_SHARE)] = np.nan
    values = residuals_within(
        values, np.zeros_like(strata)
    )  # centred, so that rounding does not hide small differences
    return (values / np.sqrt(variance)[:, None]).T.astype(np.float32)


def _neighbours(values: NDArray[np.float32], tissue: NDArray[np.int64]) -> _Neighbours:
    """Find the nearest neighbours of each row, block by block."""
    n, count = len(values), min(NEIGHBOURS, len(values) - 1)
    present = (~np.isnan(values)).astype(np.float32)
    values = np.nan_to_num(values)
    squares = np.square(values)
    index, distance, limit = np.empty((n, count), np.int64), np.empty((n, count)), np.empty(n)
    for start in range(0, n, BLOCK):
        own = slice(start, min(start + BLOCK, n))
        shared = present[own] @ present.T
        apart = squares[own] @ present.T + present[own] @ squares.T - 2 * (values[own] @ values.T)
        apart = np.maximum(apart, 0) / np.maximum(shared, 1) / 2
        apart[shared < OVERLAP] = np.inf
        apart[np.arange(len(apart)), np.arange(own.start, own.stop)] = np.inf
        nearest = np.argpartition(apart, count - 1, axis=1)[:, :count]
        order = np.take_along_axis(apart, nearest, axis=1).argsort(axis=1, kind="stable")
        index[own] = np.take_along_axis(nearest, order, axis=1)
        distance[own] = np.take_along_axis(apart, index[own], axis=1)
        limit[own] = _limits(apart, tissue[own], tissue)
    return _Neighbours(index, distance, limit)


def _limits(apart: NDArray[np.float32], own: NDArray[np.int64], tissue: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each row's largest distance of a copy, given its distances to all samples (columns) of its tissue."""
    limit = np.full(len(own), ALONE)
    for name in np.unique(own):
        same = np.flatnonzero(tissue == name)
        if len(same) >= 3:
            others = len(same) - 1
            typical = np.partition(apart[own == name][:, same], others // 2, axis=1)[:, others // 2]
            limit[own == name] = np.clip(ALIKE * typical, EQUAL, ALIKE)
    return limit
