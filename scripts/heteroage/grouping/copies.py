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

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.errors import HeteroAgeError, listed
from heteroage.probes import MODALITIES
from heteroage.tables.values import BETA, SCALE_LIMITS

SCREENED = 20_000  # features of a modality that are screened, evenly spread over its sorted names
COMPARED = 0.1  # fraction of the screened features used for comparison (the most variable ones)
FEWEST_COMPARED = 100  # minimum number of features used for comparison
# Required fraction of samples with a value; the first that leaves `FEWEST_COMPARED` features is used.
MEASURED = (0.9, 0.5, 0.0)
FREEDOM = 0.25  # minimum degrees of freedom of a variance within strata, as a fraction of the samples
TRIMMED = 0.02  # fraction of a feature's residuals that are clipped (Winsorised)
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
FEWEST_IN_STRATUM = 5  # minimum number of samples in a stratum for the detection of such values
ROWS_PER_BLOCK = 1024  # number of samples, or of features, per block
FOUND = ["row_1", "row_2", "n_features", "concordance", "distance_ratio"]
PAIR_COLUMNS = ["modality", "sample_1", "sample_2", "project_1", "project_2", *FOUND[2:]]


def find_copies(
    store: NDArray[np.float32], feature_names: Sequence[str], samples: pd.DataFrame, largest_ratio: float
) -> pd.DataFrame:
    """List the pairs of samples that are copies of each other.

    Only values are compared: names, ages and donors may differ.

    store : (features, samples)
    feature_names : names of the store's rows, with the modality's suffix
    samples : frame of `sample_id`, `project_id`, `Tissue`, in the order of the store's columns
    largest_ratio : largest ratio of the distance between copies to the distance to the nearest other sample. In data
        with few independent dimensions a smaller ratio is used (see `strict_ratio`).
    Returns a frame of `PAIR_COLUMNS`, one row per pair and modality, sorted by decreasing `concordance` (1 - distance)
    and by names.
    """
    found = []
    for modality in MODALITIES:
        rows = np.flatnonzero([name.endswith(f"_{modality}") for name in feature_names])
        chosen, variance = most_variable(store, rows, samples)
        if len(chosen):
            values = _standardised(store[chosen], variance, _strata_of(samples))
            tissue = pd.factorize(samples["Tissue"])[0]
            found.append(_copies_among(values, tissue, largest_ratio).assign(modality=modality))
    pairs = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=["row_1", "row_2", *PAIR_COLUMNS])
    for k in "12":
        row = pairs[f"row_{k}"].to_numpy(int)
        pairs[f"sample_{k}"] = samples["sample_id"].to_numpy()[row]
        pairs[f"project_{k}"] = samples["project_id"].to_numpy()[row]
    order = ["concordance", "sample_1", "sample_2", "modality"]
    return pairs.sort_values(order, ascending=[False, True, True, True], ignore_index=True)[PAIR_COLUMNS]


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

    nearest : (samples, neighbours) distances (squared lengths), increasing
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


def _copies_among(values: NDArray[np.float32], tissue: NDArray[np.int64], largest_ratio: float) -> pd.DataFrame:
    """Return pairs of rows (samples x standardised features) that are much closer than the other neighbours of both."""
    rows = np.flatnonzero((~np.isnan(values)).sum(axis=1) >= OVERLAP)
    if len(rows) < 3:
        return pd.DataFrame(columns=FOUND)
    values, present = values[rows], ~np.isnan(values[rows])
    index, distance, limit = _neighbours(values, tissue[rows])
    ratio = strict_ratio(distance, largest_ratio)
    # All neighbours before the largest sufficient gap are copies.
    own, following = distance[:, :-1], distance[:, 1:]
    others = np.arange(1, own.shape[1] + 1)
    allowed = np.where(others == 1, ratio, min(ratio, SEVERAL))
    gap = (own <= allowed * following) & (own <= limit[:, None]) & ((others < MOST) | (own <= SAME))
    copies = np.where(gap.any(axis=1), gap.shape[1] - gap[:, ::-1].argmax(axis=1), 0)
    first, place = np.nonzero(np.arange(distance.shape[1]) < copies[:, None])
    seen = {(i, index[i, k]): distance[i, k] for i, k in zip(first.tolist(), place.tolist(), strict=True)}
    pairs = []
    for (i, j), apart in seen.items():
        if i < j and (j, i) in seen:
            n_features, others = int((present[i] & present[j]).sum()), min(distance[k, copies[k]] for k in (i, j))
            pairs.append((rows[i], rows[j], n_features, round(1 - float(apart), 4), round(float(apart / others), 4)))
    return pd.DataFrame(pairs, columns=FOUND)


def _standardised(
    store: NDArray[np.float32], variance: NDArray[np.float64], strata: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return values in standard deviations, (samples, features); single extreme values become NaN."""
    values = _plausible(store)
    residuals = np.abs(_residuals_within(values, strata)) / np.sqrt(variance)[:, None]
    wild = (residuals > WILD) & (np.bincount(strata)[strata] >= FEWEST_IN_STRATUM)
    values[wild & (wild.mean(axis=0) <= WILD_SHARE)] = np.nan
    values = _residuals_within(values, np.zeros_like(strata))  # centred, against rounding of small differences
    return (values / np.sqrt(variance)[:, None]).T.astype(np.float32)


def _neighbours(
    values: NDArray[np.float32], tissue: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Nearest neighbours of each row: positions and distances (samples, neighbours), and the largest copy distance."""
    n, count = len(values), min(NEIGHBOURS, len(values) - 1)
    present = (~np.isnan(values)).astype(np.float32)
    values = np.nan_to_num(values)
    squares = np.square(values)
    index, distance, limit = np.empty((n, count), np.int64), np.empty((n, count)), np.empty(n)
    for start in range(0, n, ROWS_PER_BLOCK):
        own = slice(start, min(start + ROWS_PER_BLOCK, n))
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
    return index, distance, limit


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


def most_variable(
    store: NDArray[np.float32], rows: NDArray[np.int64], samples: pd.DataFrame
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Choose the features that vary most between samples of one study and tissue.

    store : (features, samples)
    rows : the features to choose from; of more than `SCREENED`, an even selection is used
    samples : frame of `project_id`, `Tissue`, in the order of the store's columns
    Returns the chosen rows, by decreasing variance, and their variances; features without variance are never chosen.
    """
    if len(rows) > SCREENED:
        rows = rows[np.linspace(0, len(rows) - 1, SCREENED).astype(int)]
    strata = _strata_of(samples)
    variance, measured = np.empty(len(rows)), np.empty(len(rows))
    for start in range(0, len(rows), ROWS_PER_BLOCK):
        part = slice(start, start + ROWS_PER_BLOCK)
        block = _plausible(store[rows[part]])
        variance[part], measured[part] = _variance_within(block, strata), (~np.isnan(block)).mean(axis=1)
    varies = variance > 1e-10  # less is rounding
    enough = next(share for share in MEASURED if (varies & (measured >= share)).sum() >= FEWEST_COMPARED or share == 0)
    count = max(FEWEST_COMPARED, round(COMPARED * len(rows)))
    order = np.argsort(-np.where(measured >= enough, variance, 0), kind="stable")[:count]
    order = order[varies[order] & (measured[order] >= enough)]
    return rows[order], variance[order]


def _plausible(block: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the values, with NaN for those that cannot be beta values (sentinels such as -9)."""
    values = block.astype(np.float64)
    least, most = SCALE_LIMITS[BETA]
    values[(values < least) | (values > most)] = np.nan
    return values


def _strata_of(samples: pd.DataFrame) -> NDArray[np.int64]:
    """Number each sample's stratum: study and tissue, or only tissue, or a single stratum if samples are few."""
    for keys in (["project_id", "Tissue"], ["Tissue"]):
        strata = samples.groupby(keys).ngroup().to_numpy()
        if len(strata) - len(np.unique(strata)) >= FREEDOM * len(strata):
            return strata
    return np.zeros(len(samples), np.int64)


def _residuals_within(values: NDArray[np.float64], strata: NDArray[np.int64]) -> NDArray[np.float64]:
    """Subtract each feature's (row's) median within each stratum of samples (columns); NaN stays NaN."""
    frame = pd.DataFrame(values.T)
    return np.ascontiguousarray((frame - frame.groupby(strata).transform("median")).to_numpy().T)


def _variance_within(values: NDArray[np.float64], strata: NDArray[np.int64]) -> NDArray[np.float64]:
    """Pooled, Winsorised variance of each feature (row) within strata of samples; 0 if no stratum has two values."""
    residuals = np.abs(_residuals_within(values, strata))
    present = ~np.isnan(residuals)
    strata_with_values = pd.DataFrame(present.T).groupby(strata).any().sum().to_numpy()
    count = present.sum(axis=1)
    ordered = np.sort(residuals, axis=1)  # NaN comes last
    last = np.maximum(count - 1 - np.floor(TRIMMED * count).astype(int), 0)
    most = np.take_along_axis(ordered, last[:, None], axis=1)
    squares = np.square(np.minimum(np.where(present, residuals, 0), np.nan_to_num(most))).sum(axis=1)
    return squares / np.maximum(count - strata_with_values, 1)
