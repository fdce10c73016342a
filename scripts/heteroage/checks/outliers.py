"""Detection of samples that are far from their tissue in the space of the first principal components."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.grouping.variation import most_variable

N_PCS = 5
FEWEST = 10  # minimum number of samples of a tissue
FAR = 6.0  # outlier limit in robust standard deviations (1 in 500 million values of a normal distribution)


def find_outliers(
    store: NDArray[np.float32], feature_names: Sequence[str], samples: pd.DataFrame, has: dict[str, NDArray[np.bool_]]
) -> pd.DataFrame:
    """Compute principal components and outlier scores of all samples, per modality.

    Parameters
    ----------
    store : (features, samples)
    samples : frame of `sample_id`, `project_id`, `Tissue`, in the order of the store's columns
    has : {modality: which samples have it}

    Returns
    -------
    frame of `modality`, `sample_id`, `project_id`, `Tissue`, `PC1`, ..., `Farthest_PC`, `Outlier_Score`, `Outlier`. The
    score is the largest distance, over components, from the tissue's median, in robust standard deviations (1.4826 ×
    the median absolute deviation); from `FAR` on a sample is an outlier. The highest score comes first;
    it is NaN in a tissue of fewer than `FEWEST` samples.
    """
    parts = []
    for modality, having in has.items():
        rows = np.flatnonzero([name.endswith(f"_{modality}") for name in feature_names])
        columns = np.flatnonzero(having)
        chosen, _ = most_variable(store, rows, samples)
        n_pcs = min(N_PCS, len(chosen), len(columns) - 1)
        if n_pcs < 1:
            continue
        part = samples.iloc[columns][["sample_id", "project_id", "Tissue"]].reset_index(drop=True)
        pcs = _components(store[chosen][:, columns], n_pcs)
        distance = robust_distances(pcs, part["Tissue"])
        names = [f"PC{k + 1}" for k in range(n_pcs)]
        part = pd.concat([part, pd.DataFrame(pcs, columns=names).round(5)], axis=1)
        part["Farthest_PC"] = np.where(np.isnan(distance[:, 0]), "", np.array(names)[distance.argmax(axis=1)])
        part["Outlier_Score"] = distance.max(axis=1).round(2)
        parts.append(part.assign(modality=modality, Outlier=distance.max(axis=1) >= FAR))
    if not parts:
        return pd.DataFrame(
            columns=["modality", "sample_id", "project_id", "Tissue", "Farthest_PC", "Outlier_Score", "Outlier"]
        )
    table = pd.concat(parts, ignore_index=True)
    table.insert(0, "modality", table.pop("modality"))
    rank = table.assign(modality=table["modality"].map(list(has).index))
    rank = rank.sort_values(["modality", "Outlier_Score", "sample_id"], ascending=[True, False, True])
    return table.loc[rank.index].reset_index(drop=True)


def robust_distances(pcs: NDArray[np.float64], tissue: pd.Series) -> NDArray[np.float64]:
    """Return each sample's (row's) distance from its tissue's median per component, in robust standard deviations.

    NaN if the tissue has fewer than `FEWEST` samples.
    """
    tissue = tissue.to_numpy()
    sizes = pd.Series(tissue).value_counts()
    distance = np.full_like(pcs, np.nan)
    for name in sizes.index[sizes >= FEWEST]:
        own = tissue == name
        median = np.median(pcs[own], axis=0)
        spread = 1.4826 * np.median(np.abs(pcs[own] - median), axis=0)
        distance[own] = np.abs(pcs[own] - median) / np.where(spread > 0, spread, np.inf)
    return distance


def _components(values: NDArray[np.float32], n_pcs: int) -> NDArray[np.float64]:
    """Return principal components of samples from values (features, samples); missing values are set to medians."""
    from sklearn.decomposition import PCA  # takes a second to import

    values = values.T.astype(np.float64)
    median = np.nanmedian(values, axis=0)
    values = np.where(np.isnan(values), median, values)
    solver = "covariance_eigh" if values.shape[0] > values.shape[1] else "full"
    return PCA(n_pcs, svd_solver=solver).fit_transform(values)
