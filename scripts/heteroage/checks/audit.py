"""Tables of the audit: what the feature store contains, and which properties of the samples are confounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.age import age_band
from heteroage.errors import listed
from heteroage.matrix import feature_blocks
from heteroage.probes import MODALITIES, split_modality

MISSING_BINS = np.array([0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 0.999999, 1])  # upper ends; the first is "none"


@dataclass(frozen=True)
class Scan:
    """Counts from one pass over the store.

    modality : modality of each feature
    missing_by_feature, outside_by_feature : (features,), missing among all samples, and values below 0 or above 1
    missing, outside : {modality: (samples,)}, modalities with features in the standard order
    lowest, highest : {modality: value}, NaN where there is none
    """

    modality: NDArray[np.str_]
    missing_by_feature: NDArray[np.int64]
    outside_by_feature: NDArray[np.int64]
    missing: dict[str, NDArray[np.int64]]
    outside: dict[str, NDArray[np.int64]]
    lowest: dict[str, float]
    highest: dict[str, float]

    @property
    def modalities(self) -> list[str]:
        """Modalities with features, in the standard order."""
        return list(self.missing)

    def size(self, modality: str) -> int:
        """The number of its features."""
        return int((self.modality == modality).sum())

    def has(self, modality: str) -> NDArray[np.bool_]:
        """Which samples have any value of it."""
        return self.missing[modality] < self.size(modality)


def scan_store(store: NDArray[np.float32], feature_names: Sequence[str]) -> Scan:
    """Count in one pass over the store (features, samples), block by block."""
    modality = np.array([split_modality(name)[1] or "" for name in feature_names])
    n_features, n_samples = store.shape
    missing_by_feature, outside_by_feature = np.zeros(n_features, np.int64), np.zeros(n_features, np.int64)
    present = [m for m in MODALITIES if (modality == m).any()]
    missing = {m: np.zeros(n_samples, np.int64) for m in present}
    outside = {m: np.zeros(n_samples, np.int64) for m in present}
    lowest, highest = dict.fromkeys(present, np.nan), dict.fromkeys(present, np.nan)
    for rows, block in feature_blocks(store, slice(None), "counting values"):
        absent, strange = np.isnan(block), (block < 0) | (block > 1)
        missing_by_feature[rows], outside_by_feature[rows] = absent.sum(axis=1), strange.sum(axis=1)
        for m in present:
            own = modality[rows] == m
            missing[m] += absent[own].sum(axis=0)
            outside[m] += strange[own].sum(axis=0)
            values = block[own][~absent[own]]
            if len(values):
                lowest[m] = float(np.fmin(lowest[m], values.min()))
                highest[m] = float(np.fmax(highest[m], values.max()))
    return Scan(modality, missing_by_feature, outside_by_feature, missing, outside, lowest, highest)


def count_overlap(scan: Scan, feature_names: Sequence[str]) -> pd.DataFrame:
    """Count samples and CpGs once each, by their exact set of `modalities` (joined by +): `n_samples`, `n_cpgs`."""
    modalities = scan.modalities
    probe, probes = pd.factorize(np.array([split_modality(name)[0] for name in feature_names], dtype=object))
    of_probe = np.zeros((len(probes), len(modalities)), dtype=bool)
    for k, m in enumerate(modalities):
        of_probe[probe[scan.modality == m], k] = True
    of_sample = np.array([scan.has(m) for m in modalities], dtype=bool).reshape(len(modalities), -1).T
    counts = {}
    for name, table in {"n_samples": of_sample, "n_cpgs": of_probe}.items():
        exact, times = np.unique(table, axis=0, return_counts=True)
        joined = ["+".join(m for m, yes in zip(modalities, row, strict=True) if yes) or "none" for row in exact]
        counts[name] = pd.Series(times, index=pd.Index(joined, dtype=object))
    overlap = pd.DataFrame(counts).fillna(0).astype(int).rename_axis("modalities").reset_index()
    order = overlap["modalities"].str.count(r"\+").rename("n")
    return overlap.assign(n=order).sort_values(["n", "modalities"], ignore_index=True).drop(columns="n")


def missing_by_sample(scan: Scan, samples: pd.DataFrame) -> pd.DataFrame:
    """Compute `missing_fraction` by `modality` and sample, largest first; only samples with a value of the modality."""
    parts = []
    for m in scan.modalities:
        has = scan.has(m)
        part = samples.loc[has, ["sample_id", "project_id"]]
        parts.append(part.assign(modality=m, missing_fraction=(scan.missing[m][has] / scan.size(m)).round(6)))
    table = pd.concat(parts)[["modality", "sample_id", "project_id", "missing_fraction"]]
    order = ["modality", "missing_fraction", "sample_id"]
    return table.sort_values(order, ascending=[True, False, True], ignore_index=True)


def missing_by_cpg(scan: Scan) -> pd.DataFrame:
    """Count `n_features` by `modality` and `missing_fraction` (none, up to 0.001, ..., all) of the samples with it."""
    labels = ["none", *(f"up to {end:g}" for end in MISSING_BINS[1:-2]), "below 1", "all"]
    parts = []
    for m in scan.modalities:
        having = int(scan.has(m).sum())
        lacking = len(scan.has(m)) - having
        fraction = (scan.missing_by_feature[scan.modality == m] - lacking) / max(having, 1)
        count = np.bincount(np.searchsorted(MISSING_BINS, fraction), minlength=len(labels))
        parts.append(pd.DataFrame({"modality": m, "missing_fraction": labels, "n_features": count}))
    return pd.concat(parts, ignore_index=True)


def count_outside(scan: Scan, feature_names: Sequence[str], samples: pd.DataFrame) -> pd.DataFrame:
    """Count values that are not beta values (below 0 or above 1), by modality.

    Returns a frame of `modality`, `n_values`, `lowest`, `highest`, `n_outside` (below 0 or above 1),
    `n_samples_outside`, `n_features_outside`, `samples_outside`, `features_outside` (count and first five).
    """
    rows = []
    for m in scan.modalities:
        hit = np.flatnonzero((scan.modality == m) & (scan.outside_by_feature > 0))
        where = scan.outside[m] > 0
        rows.append(
            {
                "modality": m,
                "n_values": scan.size(m) * len(samples) - int(scan.missing[m].sum()),
                "lowest": scan.lowest[m],
                "highest": scan.highest[m],
                "n_outside": int(scan.outside[m].sum()),
                "n_samples_outside": int(where.sum()),
                "n_features_outside": len(hit),
                "samples_outside": listed(samples["sample_id"][where]) if where.any() else "",
                "features_outside": listed(feature_names[k] for k in hit) if len(hit) else "",
            }
        )
    return pd.DataFrame(rows)


def count_hallmarks(
    dictionary: Mapping[str, Sequence[str]], matched: Mapping[str, Sequence[str]], sizes: pd.DataFrame | None
) -> pd.DataFrame:
    """Count each hallmark's CpGs before and after matching: {hallmark: CpGs} and {hallmark: features in the data}.

    sizes : genes of each hallmark, if the dictionary was made from gene sets

    Returns a frame of `hallmark`, (`genes`, `genes_matched`,) `cpgs`, `cpgs_in_data`, `features`.
    """
    rows = [
        (
            hallmark,
            len(cpgs),
            len({split_modality(feature)[0] for feature in matched[hallmark]}),
            len(matched[hallmark]),
        )
        for hallmark, cpgs in dictionary.items()
    ]
    table = pd.DataFrame(rows, columns=["hallmark", "cpgs", "cpgs_in_data", "features"])
    if sizes is not None:
        table = sizes[["hallmark", "genes", "genes_matched"]].merge(table, on="hallmark", validate="1:1")
    return table


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
