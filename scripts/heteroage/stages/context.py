"""Context principal components (RF_PC1, RF_PC2, ...): from the user's file, or computed without ages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import linalg  # loaded before a script limits BLAS to one thread, which libraries loaded later ignore

from heteroage.errors import HeteroAgeError, listed
from heteroage.matrix import feature_blocks, values_of
from heteroage.probes import pc_columns
from heteroage.tables.metadata import Conventions, find_columns, sample_ids
from heteroage.tables.source import text_of


def read_pcs(table: pd.DataFrame, training: Sequence[str], where: str) -> pd.DataFrame:
    """Read the training samples' RF_PCs from the user's table.

    Returns a frame of `sample_id`, `RF_PC1`, ..., rows in the order of `training`.
    Raises HeteroAgeError: no RF_PC column; missing training samples or values.
    """
    columns = pc_columns(table.columns)
    if not columns:
        raise HeteroAgeError(
            f"{where} has no RF_PC column (it has {listed(table.columns)}). Name them RF_PC1, RF_PC2, ..., or set "
            "inputs.context_pcs: compute."
        )
    at = find_columns(list(table.columns), Conventions(), where).get("sample_id")
    if at is None:
        raise HeteroAgeError(f"{where} has no column sample_id (it has {listed(table.columns)}). Name it so.")
    ids = sample_ids([text_of(cell) for cell in table.iloc[:, at]], where)
    cells = table[columns].set_axis(pd.Index(ids, name="sample_id"))
    pcs = cells.apply(pd.to_numeric, errors="coerce").astype(np.float64)
    for name in columns:
        text = cells.loc[pcs[name].isna() & cells[name].notna(), name]
        if len(text):
            shown = listed(f"{str(value)!r} at {sample}" for sample, value in text.items())
            raise HeteroAgeError(
                f"column {name} of {where} has text in place of numbers ({shown}). Leave unknown values empty."
            )
    absent = sorted(set(training) - set(pcs.index))
    if absent:
        raise HeteroAgeError(f"{where} has no RF_PCs of training samples ({listed(absent)}). Add their RF_PCs.")
    pcs = pcs.loc[list(training)]
    incomplete = pcs.index[~np.isfinite(pcs).all(axis=1)]
    if len(incomplete):
        raise HeteroAgeError(f"{where} has training samples with missing RF_PCs ({listed(incomplete)}). Complete them.")
    return pcs.reset_index()


def compute_loadings(
    store: NDArray[np.float32], feature_names: Sequence[str], columns: NDArray[np.int64], n_pcs: int, n_cpgs: int
) -> pd.DataFrame:
    """Compute principal components of the training samples' most variable features, without ages.

    store : (features, samples)
    columns : the training samples' columns in it
    n_pcs, n_cpgs : number of components, and number of features from which they are computed
    Returns a frame, one row per feature by decreasing variance (ties by name), with `feature`, `median` (for
    imputation), `mean`, and a loading per component. A component is sum over features of (value - mean) × loading, on
    beta scale.
    """
    variance = np.concatenate([_variance(block) for _, block in feature_blocks(store, columns)])
    least = np.partition(variance, -n_cpgs)[-n_cpgs] if n_cpgs < len(variance) else 0.0
    measured = np.flatnonzero(variance >= max(least, 0.0))
    chosen = np.array(sorted(measured, key=lambda row: (-variance[row], feature_names[row]))[:n_cpgs])
    values = store[chosen][:, columns].astype(np.float64)
    median = np.nanmedian(values, axis=1)
    values = np.where(np.isnan(values), median[:, None], values)
    n_pcs = min(n_pcs, len(chosen), len(columns) - 1)
    _, axes, mean = principal_components(values.T, n_pcs)
    table = pd.DataFrame({"feature": [feature_names[row] for row in chosen], "median": median, "mean": mean})
    return pd.concat([table, pd.DataFrame(axes.T, columns=[f"RF_PC{k + 1}" for k in range(n_pcs)])], axis=1)


def project(loadings: pd.DataFrame, betas: pd.DataFrame) -> pd.DataFrame:
    """Compute RF_PCs of samples from their beta values (samples x features); missing values are set to training
    medians.

    Features are added one by one, in the order of their names (as in prediction), so that a sample's components do not
    depend on the other samples.
    """
    loadings = loadings.sort_values("feature")
    names = pc_columns(loadings.columns)
    components = np.zeros((len(names), len(betas)))
    columns = [loadings[name] for name in ("feature", "median", "mean")]
    for feature, median, mean, weights in zip(*columns, loadings[names].to_numpy(), strict=True):
        values = betas[feature].to_numpy(np.float64) if feature in betas.columns else np.full(len(betas), np.nan)
        components += weights[:, None] * (np.where(np.isnan(values), median, values) - mean)
    return pd.DataFrame(components.T, columns=names, index=betas.index)


def learn_pcs(
    store: NDArray[np.float32], feature_names: Sequence[str], samples: pd.DataFrame, n_pcs: int, n_cpgs: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute RF_PCs from a run's samples, without their ages; returns the loadings, and the samples' RF_PCs."""
    columns = samples["store_column"].to_numpy()
    loadings = compute_loadings(store, feature_names, columns, n_pcs, n_cpgs)
    values = values_of(store, feature_names, loadings["feature"], columns)
    components = project(loadings, pd.DataFrame(values, columns=loadings["feature"]))  # the same as for new samples
    components.insert(0, "sample_id", samples["sample_id"])
    return loadings, components


def _variance(block: NDArray[np.float32]) -> NDArray[np.float64]:
    """Variance of each feature over the samples that have it; -1 where fewer than two do."""
    # np.nanvar makes more copies: 1,000 x 450,000 take a second more.
    absent = np.isnan(block)
    count = block.shape[1] - np.count_nonzero(absent, axis=1)
    values = block.astype(np.float64)
    values[absent] = 0
    values -= values.sum(axis=1, keepdims=True) / np.maximum(count, 1)[:, None]
    values[absent] = 0
    squares = np.square(values, out=values).sum(axis=1)
    return np.where(count > 1, squares / np.maximum(count, 1), -1.0)


def principal_components(
    values: NDArray[np.float64], n: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Compute the first n principal components of samples, with the signs of scikit-learn's PCA (slow to import).

    Each component's largest loading is positive.

    values : (samples, features), without missing values
    Returns (samples, n) components, (n, features) loadings, (features,) means.
    """
    mean = values.mean(axis=0)
    left, length, loadings = linalg.svd(values - mean, full_matrices=False)
    left, length, loadings = left[:, :n], length[:n], loadings[:n]
    signs = np.sign(loadings[np.arange(n), np.abs(loadings).argmax(axis=1)])
    return left * signs * length, loadings * signs[:, None], mean
