"""Near-identical arrays: the same array, or the same donor's, in the table twice.

Where one copy trains and the other is held out, the error is too small; so the copies' studies become one group.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.errors import HeteroAgeError, listed
from heteroage.probes import MODALITIES

SCREENED = 20_000  # features of a modality that are looked at, evenly spread over its sorted names
COMPARED = 0.1  # share of these, the most variable, that samples are compared on ...
FEWEST = 100  # ... but at least so many of them,
OVERLAP = 20  # of which both samples must have so many
FREEDOM = 0.25  # degrees of freedom that a variance within strata needs, as a share of the samples
BLOCK = 1024  # features, or samples, at a time
COLUMNS = ["modality", "sample_1", "sample_2", "project_1", "project_2", "n_features", "concordance"]


def find_duplicates(
    store: NDArray[np.float32], feature_names: Sequence[str], samples: pd.DataFrame, threshold: float
) -> pd.DataFrame:
    """List the pairs of samples that look like one.

    The concordance of two samples is 1 - mean((a - b)² / s²) / 2 over the most variable features that both have,
    s² a feature's variance between samples of one study and tissue. Equal arrays have 1, unrelated samples of one
    study and tissue 0 on average, samples of different tissues less. Only values are compared: names, ages and
    tissues may differ.

    Parameters
    ----------
    store : (features, samples)
    feature_names : of its rows, with the modality's suffix
    samples : frame of `sample_id`, `project_id`, `Tissue`, in the order of the store's columns
    threshold : least concordance

    Returns
    -------
    frame of `COLUMNS`, a row per pair and modality; the highest concordance first, ties by name
    """
    found = []
    for modality in MODALITIES:
        rows = np.array([k for k, name in enumerate(feature_names) if name.endswith(f"_{modality}")], int)
        chosen, variance = most_variable(store, rows, samples)
        if len(chosen):
            values = store[chosen].T.astype(np.float64) / np.sqrt(variance)
            found.append(_similar_pairs(values, threshold).assign(modality=modality))
    if not found:
        return pd.DataFrame(columns=COLUMNS)
    pairs = pd.concat(found, ignore_index=True)
    for k in "12":
        row = pairs[f"row_{k}"].to_numpy(int)
        pairs[f"sample_{k}"] = samples["sample_id"].to_numpy()[row]
        pairs[f"project_{k}"] = samples["project_id"].to_numpy()[row]
    order = ["concordance", "sample_1", "sample_2", "modality"]
    return pairs.sort_values(order, ascending=[False, True, True, True], ignore_index=True)[COLUMNS]


def refuse_duplicates(pairs: pd.DataFrame) -> None:
    """Stop where any were found."""
    if len(pairs):
        named = [f"{a} ({p}) and {b} ({q})" for a, p, b, q in _named(pairs)]
        raise HeteroAgeError(
            f"near-identical arrays ({listed(named)}). Remove one of each, give both the same donor_id, or set "
            "audit.duplicates: group, which holds their studies out together."
        )


def most_variable(
    store: NDArray[np.float32], rows: NDArray[np.int64], samples: pd.DataFrame
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Choose the features that vary most between samples of one study and tissue.

    Parameters
    ----------
    store : (features, samples)
    rows : the features to choose from; more than `SCREENED` are thinned out evenly
    samples : frame of `project_id`, `Tissue`

    Returns
    -------
    the chosen rows, by falling variance, and their variances; features without variance are never chosen
    """
    if len(rows) > SCREENED:
        rows = rows[np.linspace(0, len(rows) - 1, SCREENED).astype(int)]
    strata = _strata(samples)
    blocks = [_variance_within(store[rows[k : k + BLOCK]], strata) for k in range(0, len(rows), BLOCK)]
    variance = np.concatenate(blocks) if blocks else np.empty(0)
    count = max(FEWEST, round(COMPARED * len(rows)))
    order = np.argsort(-variance, kind="stable")[:count]
    order = order[variance[order] > 1e-10]  # less is rounding
    return rows[order], variance[order]


def _strata(samples: pd.DataFrame) -> NDArray[np.int64]:
    """Number the strata whose inner variance counts: studies and tissues; where these hold few samples, tissues."""
    for keys in (["project_id", "Tissue"], ["Tissue"]):
        strata = samples.groupby(keys).ngroup().to_numpy()
        if len(strata) - len(np.unique(strata)) >= FREEDOM * len(strata):
            return strata
    return np.zeros(len(samples), np.int64)


def _variance_within(block: NDArray[np.float32], strata: NDArray[np.int64]) -> NDArray[np.float64]:
    """Pooled variance of each row within strata of columns."""
    order = np.argsort(strata, kind="stable")
    starts = np.flatnonzero(np.diff(strata[order], prepend=-1))
    values = block[:, order].astype(np.float64)
    present = ~np.isnan(values)
    values[~present] = 0
    count = np.add.reduceat(present, starts, axis=1, dtype=np.int64)
    mean = np.add.reduceat(values, starts, axis=1) / np.maximum(count, 1)
    sizes = np.diff(starts, append=len(strata))
    values -= np.where(present, np.repeat(mean, sizes, axis=1), 0)
    freedom = np.maximum(count - 1, 0).sum(axis=1)
    return np.square(values).sum(axis=1) / np.maximum(freedom, 1)


def _similar_pairs(values: NDArray[np.float64], threshold: float) -> pd.DataFrame:
    """Pairs of rows (samples x scaled features) whose concordance reaches the threshold, block by block."""
    # Around the features' means, rounding does not drown a small difference of two large numbers.
    with np.errstate(invalid="ignore"):
        values = values - np.nanmedian(values, axis=0)
    rows = np.flatnonzero((~np.isnan(values)).sum(axis=1) >= OVERLAP)
    present = ~np.isnan(values[rows])
    values = np.where(present, values[rows], 0).astype(np.float32)
    present = present.astype(np.float32)
    found = []
    for i in range(0, len(rows), BLOCK):
        A, M = values[i : i + BLOCK], present[i : i + BLOCK]
        for j in range(i, len(rows), BLOCK):
            B, N = values[j : j + BLOCK], present[j : j + BLOCK]
            shared = M @ N.T
            squares = np.square(A) @ N.T + M @ np.square(B).T - 2 * (A @ B.T)
            concordance = 1 - squares / np.maximum(shared, 1) / 2
            hit = (concordance >= threshold) & (shared >= OVERLAP)
            if i == j:
                hit = np.triu(hit, 1)
            a, b = np.nonzero(hit)
            found.append((rows[i + a], rows[j + b], shared[a, b], concordance[a, b]))
    if not found:
        return pd.DataFrame(columns=["row_1", "row_2", "n_features", "concordance"])
    first, second, shared, concordance = map(np.concatenate, zip(*found, strict=True))
    return pd.DataFrame(
        {
            "row_1": first,
            "row_2": second,
            "n_features": shared.astype(int),
            "concordance": np.minimum(concordance.astype(np.float64), 1).round(4),
        }
    )


def _named(pairs: pd.DataFrame) -> list[tuple[str, str, str, str]]:
    """The pairs as (sample, project, sample, project), each once."""
    columns = ["sample_1", "project_1", "sample_2", "project_2"]
    return list(pairs[columns].drop_duplicates().itertuples(index=False, name=None))
