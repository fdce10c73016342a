"""Confounding of studies, tissues and ages."""

from __future__ import annotations

import numpy as np
import pandas as pd

from heteroage.age import age_band


def cross_table(samples: pd.DataFrame) -> pd.DataFrame:
    """Count samples by project, tissue and age band.

    Parameters
    ----------
    samples : frame of `project_id`, `Tissue`, `Age` (years), `group`, `trains` (healthy, with an age)

    Returns
    -------
    frame of `project_id`, `group`, `Tissue`, (`Platform`,) `Age_Band`, `n`, `n_training`, `Median_Age`; no empty cells
    """
    table = samples.assign(Age_Band=age_band(samples["Age"])).groupby(
        ["project_id", "group", "Tissue", *(["Platform"] if "Platform" in samples else []), "Age_Band"]
    )
    counts = table.agg(n=("Tissue", "size"), n_training=("trains", "sum"), Median_Age=("Age", "median"))
    return counts.round(2).reset_index()


def ages_by_project(samples: pd.DataFrame) -> pd.DataFrame:
    """Describe each project's ages (years).

    Returns
    -------
    frame of `project_id`, `n`, `n_with_age`, `n_training`, `Min`, `Q1`, `Median`, `Q3`, `Max`, by decreasing median
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

    Returns
    -------
    frame of `first`, `second`, `measure`, `value` (NaN where a property does not vary)
    """
    rows = []
    platform = ["Platform"] if "Platform" in samples else []
    pairs = [("project_id", "Tissue"), ("project_id", "Sex"), ("Tissue", "Sex")]
    for first, second in pairs + [(label, "Platform") for label in ("project_id", "Tissue") if platform]:
        rows.append((first, second, "Cramer's V", cramers_v(samples[first], samples[second])))
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
