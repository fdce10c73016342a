"""Tables of the audit about the samples: confounded properties, and samples that may be mislabelled, swapped or failed.

In women one X chromosome is silenced, so their X-linked CpGs are about half methylated; in men they are near 0 or 1.
Without a Y chromosome, Y probes show background, which is also intermediate. So on both chromosomes the mean of
|beta - 0.5| is higher in men. The threshold is the midpoint between the medians of the samples labelled F and M. So the
check finds wrong labels if most labels are correct. It gives no result if the medians do not differ clearly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.age import age_band
from heteroage.grouping.copies import most_variable
from heteroage.probes import split_modality
from heteroage.stages.context import principal_components

N_PCS = 5
FEWEST_PER_TISSUE = 10  # minimum number of samples of a tissue
FAR = 6.0  # outlier limit in robust standard deviations (1 in 500 million values of a normal distribution)
ROBUST = 1.4826  # standard deviation of a normal distribution, as a multiple of the median absolute deviation
FEWEST_CPGS = {"X": 20, "Y": 5}
FEWEST_LABELLED = 5  # minimum number of labelled samples of each sex
APART = 3.0  # minimum distance of the sexes' medians, in robust standard deviations within sexes
CLEAR = 0.2  # minimum distance from the threshold for a prediction, as a fraction of the distance to a sex's median


def cross_table(samples: pd.DataFrame) -> pd.DataFrame:
    """Count samples by project, tissue and age band.

    samples : frame of `project_id`, `Tissue`, `Age` (years), `group`, `trains` (healthy, with an age)

    Returns a frame of `project_id`, `group`, `Tissue`, (`Platform`,) `Age_Band`, `n`, `n_training`, `Median_Age`,
    without empty cells.
    """
    levels = ["project_id", "group", "Tissue", *(["Platform"] if "Platform" in samples else []), "Age_Band"]
    cells = samples.assign(Age_Band=age_band(samples["Age"])).groupby(levels)
    counts = cells.agg(n=("Tissue", "size"), n_training=("trains", "sum"), Median_Age=("Age", "median"))
    return counts.round(2).reset_index()


def ages_by_project(samples: pd.DataFrame) -> pd.DataFrame:
    """Describe each project's ages (years).

    Returns a frame of `project_id`, `n`, `n_with_age`, `n_training`, `Min`, `Q1`, `Median`, `Q3`, `Max`, by decreasing
    median.
    """
    groups = samples.groupby("project_id")
    table = groups.agg(n=("Tissue", "size"), n_with_age=("Age", "count"), n_training=("trains", "sum"))
    for name, share in {"Min": 0, "Q1": 0.25, "Median": 0.5, "Q3": 0.75, "Max": 1}.items():
        table[name] = groups["Age"].quantile(share).round(2)
    return table.reset_index().sort_values(["Median", "project_id"], ascending=[False, True], ignore_index=True)


def associations(samples: pd.DataFrame) -> pd.DataFrame:
    """Compute associations between properties of the training samples (0: none, 1: complete).

    Between labels: Cramér's V, without correction for small samples. Between a label and age: the correlation ratio
    eta², the fraction of the variance of ages between the label's levels.

    Returns a frame of `first`, `second`, `measure`, `value` (NaN where a property does not vary).
    """
    platform = ["Platform"] if "Platform" in samples else []
    pairs = [("project_id", "Tissue"), ("project_id", "Sex"), ("Tissue", "Sex")]
    pairs += [(label, "Platform") for label in ("project_id", "Tissue") if platform]
    rows = [(first, second, "Cramer's V", cramers_v(samples[first], samples[second])) for first, second in pairs]
    aged = samples[samples["Age"].notna()]
    for label in ("project_id", "Tissue", "Sex", *platform):
        rows.append((label, "Age", "eta squared", correlation_ratio(aged[label], aged["Age"])))
    return pd.DataFrame(rows, columns=["first", "second", "measure", "value"]).round({"value": 4})


def cramers_v(first: pd.Series, second: pd.Series) -> float:
    """Cramér's V of two labels (Cramér 1946): sqrt(chi² / n / (min(levels) - 1))."""
    counts = pd.crosstab(first.to_numpy(), second.to_numpy()).to_numpy(float)
    smaller = min(counts.shape) - 1
    if smaller < 1:
        return float("nan")
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    return float(np.sqrt(((counts - expected) ** 2 / expected).sum() / counts.sum() / smaller))


def correlation_ratio(label: pd.Series, values: pd.Series) -> float:
    """eta²: variance of the levels' means over the variance of all values (Pearson 1905)."""
    values = values.to_numpy(float)
    total = ((values - values.mean()) ** 2).sum() if len(values) else 0.0
    if total == 0:
        return float("nan")
    means = pd.Series(values).groupby(label.to_numpy()).transform("mean")
    return float(((means - values.mean()) ** 2).sum() / total)


def find_outliers(
    store: NDArray[np.float32], feature_names: Sequence[str], samples: pd.DataFrame, has: dict[str, NDArray[np.bool_]]
) -> pd.DataFrame:
    """Compute principal components and outlier scores of all samples, per modality; missing values are set to medians.

    store : (features, samples)
    samples : frame of `sample_id`, `project_id`, `Tissue`, in the order of the store's columns
    has : {modality: which samples have it}

    Returns a frame of `modality`, `sample_id`, `project_id`, `Tissue`, `PC1`, ..., `Farthest_PC`, `Outlier_Score`,
    `Outlier`. The score is the largest distance, over components, from the tissue's median, in robust standard
    deviations (1.4826 × the median absolute deviation); from `FAR` on a sample is an outlier. The highest score comes
    first; it is NaN in a tissue of fewer than `FEWEST_PER_TISSUE` samples.
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
        part.insert(0, "modality", modality)
        values = store[chosen][:, columns].T.astype(np.float64)
        values = np.where(np.isnan(values), np.nanmedian(values, axis=0), values)
        pcs, _, _ = principal_components(values, n_pcs)
        distance = robust_distances(pcs, part["Tissue"])
        names = [f"PC{k + 1}" for k in range(n_pcs)]
        part = pd.concat([part, pd.DataFrame(pcs, columns=names).round(5)], axis=1)
        part["Farthest_PC"] = np.where(np.isnan(distance[:, 0]), "", np.array(names)[distance.argmax(axis=1)])
        part["Outlier_Score"] = distance.max(axis=1).round(2)
        part["Outlier"] = distance.max(axis=1) >= FAR
        parts.append(part.sort_values(["Outlier_Score", "sample_id"], ascending=[False, True]))
    if not parts:
        return pd.DataFrame(
            columns=["modality", "sample_id", "project_id", "Tissue", "Farthest_PC", "Outlier_Score", "Outlier"]
        )
    return pd.concat(parts, ignore_index=True)


def robust_distances(pcs: NDArray[np.float64], tissue: pd.Series) -> NDArray[np.float64]:
    """Return (samples, PCs) distances from the tissue's median in robust standard deviations; NaN in small tissues."""
    frame, label = pd.DataFrame(pcs), tissue.to_numpy()
    gap = (frame - frame.groupby(label).transform("median")).abs()
    spread = ROBUST * gap.groupby(label).transform("median")
    enough = tissue.map(tissue.value_counts()).to_numpy() >= FEWEST_PER_TISSUE
    return np.where(enough[:, None], gap / spread.where(spread > 0, np.inf), np.nan)


def check_sex(
    store: NDArray[np.float32], feature_names: Sequence[str], samples: pd.DataFrame, annotation: pd.DataFrame
) -> pd.DataFrame:
    """Compare each sample's label with its X and Y signals. Only beta values are used.

    store : (features, samples)
    samples : frame of `sample_id`, `project_id`, `Sex`
    annotation : frame of `cpg`, `chromosome`

    Returns a frame of `sample_id`, `project_id`, `Sex`, `X_Signal`, `Y_Signal` (mean |beta - 0.5| × 2; NaN where the
    data have fewer than 20 and 5 such CpGs), `Predicted_Sex` (F, M, unknown), `Mismatch`; mismatches first.
    """
    chromosome = annotation.drop_duplicates("cpg").set_index("cpg")["chromosome"]
    table = samples[["sample_id", "project_id", "Sex"]].copy()
    scores = []
    for name, fewest in FEWEST_CPGS.items():
        linked = {(cpg, "beta") for cpg in chromosome.index[chromosome == name]}
        rows = [k for k, feature in enumerate(feature_names) if split_modality(feature) in linked]
        signal = _mean_distance(store[rows]) if len(rows) >= fewest else np.full(len(samples), np.nan)
        table[f"{name}_Signal"] = signal.round(4)
        scores.append(_maleness(signal, table["Sex"].to_numpy()))
    score = pd.DataFrame(scores).mean(axis=0).to_numpy()  # NaN where neither chromosome tells
    table["Predicted_Sex"] = np.select([score >= CLEAR, score <= -CLEAR], ["M", "F"], "unknown")
    known = (table["Sex"] != "unknown") & (table["Predicted_Sex"] != "unknown")
    table["Mismatch"] = known & (table["Sex"] != table["Predicted_Sex"])
    return table.sort_values(["Mismatch", "sample_id"], ascending=[False, True], ignore_index=True)


def _mean_distance(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return mean |beta - 0.5| × 2 of each sample (column) over its CpGs; NaN if more than half are missing."""
    present = ~np.isnan(values)
    count = present.sum(axis=0)
    distance = np.where(present, np.abs(values - 0.5), 0).sum(axis=0, dtype=np.float64) * 2 / np.maximum(count, 1)
    return np.where(count * 2 >= len(values), distance, np.nan)


def _maleness(signal: NDArray[np.float64], label: NDArray[np.object_]) -> NDArray[np.float64]:
    """Scale signals to -1 at the women's median and 1 at the men's; NaN if the medians do not differ clearly."""
    women, men = (signal[(label == sex) & ~np.isnan(signal)] for sex in "FM")
    if min(len(women), len(men)) >= FEWEST_LABELLED:
        low, high = np.median(women), np.median(men)
        if high - low > APART * (ROBUST * np.median(np.abs(np.concatenate([women - low, men - high])))):
            return np.clip((signal - (low + high) / 2) / ((high - low) / 2), -1.5, 1.5)
    return np.full(len(signal), np.nan)
