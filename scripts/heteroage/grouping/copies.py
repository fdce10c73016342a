"""Copies: the same array, or the same donor's blood, in the data twice.

Where one copy trains and the other is held out, the error is too small; so the copies' studies become one group.

Similar arrays are not copies: in a homogeneous tissue every sample has similar ones. A copy stands out. Its distance is
at most half of that to the nearest sample that is not a copy, seen from both sides.

The distance of two samples is mean((a - b)² / s²) / 2 over the most variable features that both have, s² a feature's
variance between samples of one study and tissue. It is 0 for equal arrays and 1 on average for unrelated samples of one
study and tissue.
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
NEIGHBOURS = 64  # nearest samples that are looked at
ALIKE = 0.25  # largest distance of copies, as a share of the typical distance within their tissue (at most 1)
EQUAL = 0.01  # distance that is accepted whatever is typical: arrays that were only processed again
ALONE = 0.03  # largest distance of copies whose tissue has fewer than three samples: nothing is known to be typical
SEVERAL = 1 / 3  # largest ratio where three or more arrays are copies: small clusters (a subtype, a litter) are common
MOST = 5  # arrays that may be copies of each other; a larger cluster is a subtype, unless its values are the same
SAME = 1e-3  # distance up to which values are the same
FALSE_PAIRS = 0.05  # pairs of unrelated samples that may be expected to pass, in the whole data
FEWEST_DIMENSIONS = 4.0  # assumed where there are too few samples to measure the dimensions
WILD = 5.0  # standard deviations from its stratum's median from which a single value counts as missing
WILD_SHARE = 0.05  # a sample with a larger share of such values differs as a whole and keeps them
SETTLED = 5  # minimum number of samples of a stratum in which wild values are looked for
BLOCK = 1024  # samples at a time
COLUMNS = ["modality", "sample_1", "sample_2", "project_1", "project_2", "n_features", "concordance", "distance_ratio"]


def find_copies(
    store: NDArray[np.float32], feature_names: Sequence[str], samples: pd.DataFrame, largest_ratio: float
) -> pd.DataFrame:
    """List the pairs of samples that are copies of each other.

    Only values are compared: names, ages and donors may differ.

    Parameters
    ----------
    store : (features, samples)
    feature_names : of its rows, with the modality's suffix
    samples : frame of `sample_id`, `project_id`, `Tissue`, in the order of the store's columns
    largest_ratio : of the distance between copies to the distance to the nearest other sample. Where the data have so
        few independent dimensions that unrelated samples could pass, a smaller ratio is used (see `strict_ratio`).

    Returns
    -------
    frame of `COLUMNS`, a row per pair and modality, by falling `concordance` (1 - distance), then by name
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
    """Raise an error that names the pairs, if there are any."""
    if len(pairs):
        columns = ["sample_1", "project_1", "sample_2", "project_2"]
        distinct = pairs[columns].drop_duplicates().itertuples(index=False, name=None)
        named = [f"{a} ({p}) and {b} ({q})" for a, p, b, q in distinct]
        raise HeteroAgeError(
            f"near-identical arrays ({listed(named)}). Remove one of each, give both the same donor_id, or set "
            "audit.duplicates: group, which holds their studies out together."
        )


def strict_ratio(nearest: NDArray[np.float64], largest_ratio: float) -> float:
    """Lower the ratio until chance would let at most `FALSE_PAIRS` pairs of unrelated samples pass.

    Around a sample, the number of others within a distance d² grows as d^m, with m the local number of dimensions. So
    an unrelated nearest sample is within `ratio` of the next one with probability ratio^(m/2) (Facco et al. 2017,
    Scientific Reports 7:12140). m is measured between the 4th and the 8th neighbour, where a copy or two do not count.

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
    """Each sample's nearest others: `index` and `distance` (samples, neighbours), and its `limit` for a copy."""

    index: NDArray[np.int64]
    distance: NDArray[np.float64]
    limit: NDArray[np.float64]


def _copies_among(values: NDArray[np.float32], tissue: NDArray[np.int64], largest_ratio: float) -> pd.DataFrame:
    """Pairs of rows (samples x standardised features) that stand out from the neighbours of both."""
    rows = np.flatnonzero((~np.isnan(values)).sum(axis=1) >= OVERLAP)
    if len(rows) < 3:
        return pd.DataFrame(columns=["row_1", "row_2", "n_features", "concordance", "distance_ratio"])
    values, present = values[rows], ~np.isnan(values[rows])
    near = _neighbours(values, tissue[rows])
    ratio = strict_ratio(near.distance, largest_ratio)
    # The last neighbour before the largest gap that is wide enough: all up to it are copies.
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
    """Return values in standard deviations, (samples, features); single wild values become NaN."""
    values = plausible(store)
    residuals = np.abs(residuals_within(values, strata)) / np.sqrt(variance)[:, None]
    wild = (residuals > WILD) & (np.bincount(strata)[strata] >= SETTLED)
    values[wild & (wild.mean(axis=0) <= WILD_SHARE)] = np.nan
    values = residuals_within(values, np.zeros_like(strata))  # around 0, rounding drowns no small difference
    return (values / np.sqrt(variance)[:, None]).T.astype(np.float32)


def _neighbours(values: NDArray[np.float32], tissue: NDArray[np.int64]) -> _Neighbours:
    """Find each row's nearest others, block by block."""
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
    """Largest distance of a copy of each row, given its distances to all samples (columns) of its tissue."""
    limit = np.full(len(own), ALONE)
    for name in np.unique(own):
        same = np.flatnonzero(tissue == name)
        if len(same) >= 3:
            others = len(same) - 1
            typical = np.partition(apart[own == name][:, same], others // 2, axis=1)[:, others // 2]
            limit[own == name] = np.clip(ALIKE * typical, EQUAL, ALIKE)
    return limit
