"""Published clocks on exactly the samples that nested runs predicted, and whether training a clock was worth it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from heteroage.clock.published import MISSING, Compared
from heteroage.evaluation.scores import accuracy, bootstrap_mae, strata
from heteroage.matrix import feature_blocks, read_rows

DIFFERENCE = "Minus_HeteroAge"
COLUMNS = [DIFFERENCE, f"{DIFFERENCE}_Lower", f"{DIFFERENCE}_Upper", "Missing_CpGs", "In_Its_Training"]


def published_ages(
    compared: Sequence[Compared],
    store: np.ndarray,
    feature_names: Sequence[str],
    samples: pd.DataFrame,
    trains: pd.Series,
) -> pd.DataFrame:
    """Predict all samples of the store by published clocks.

    A missing value takes the CpG's median over the training samples of the other outer folds.

    Parameters
    ----------
    store : (features, samples) beta values
    samples : frame of sample_id and outer_fold, in the order of the store's columns
    trains : which of them may train

    Returns
    -------
    frame of sample_id, and of each clock its ages (years) and the number of missing CpGs
    """
    row_of = {name: row for row, name in enumerate(feature_names)}
    scale = sample_scale(store, feature_names) if any(one.standardised for one in compared) else None
    fold = samples["outer_fold"].to_numpy()
    table = {"sample_id": samples["sample_id"].to_numpy()}
    for one in compared:
        values = np.full((len(one.clock.features), len(samples)), np.nan)
        there = [k for k, name in enumerate(one.clock.features) if name in row_of]
        values[there] = read_rows(store, np.array([row_of[one.clock.features[k]] for k in there], np.int64))
        reference = np.full_like(values, np.nan)
        for held_out in np.unique(fold):
            known = values[:, trains.to_numpy() & (fold != held_out)]
            some = (~np.isnan(known)).any(axis=1)
            reference[np.ix_(some, fold == held_out)] = np.nanmedian(known[some], axis=1)[:, None]
        table[one.name], table[one.name + MISSING] = one.ages(values, reference, scale if one.standardised else None)
    return pd.DataFrame(table)


def sample_scale(store: np.ndarray, feature_names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each sample over all of its beta values, in one pass over the store."""
    beta = np.array([name.endswith("_beta") for name in feature_names])
    count, total, squares = (np.zeros(store.shape[1]) for _ in range(3))
    for rows, block in feature_blocks(store, slice(None), "scaling samples"):
        values = block[beta[rows]].astype(np.float64)
        known = ~np.isnan(values)
        values = np.where(known, values, 0.0)
        count, total, squares = count + known.sum(axis=0), total + values.sum(axis=0), squares + (values**2).sum(axis=0)
    mean = total / np.maximum(count, 1)
    return mean, np.sqrt(np.maximum(squares / np.maximum(count, 1) - mean**2, 1e-12))


def with_published(
    predictions: pd.DataFrame, ages: pd.DataFrame, trained_on: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """Tabulate the errors of our models and of published clocks on the same samples (see `accuracy`).

    Parameters
    ----------
    predictions : nested predictions
    ages : as `published_ages` returns
    trained_on : {published clock: project_ids of the studies it was trained on}

    Returns
    -------
    accuracy's frame with, for published clocks, the difference of the error to HeteroAge's (a project's, or the mean
    over projects with its 95% interval, by bootstrap over projects; years, positive where HeteroAge is better), the
    mean number of CpGs that samples were missing, and whether a sample's study was in the clock's training
    """
    table = predictions.merge(ages, on="sample_id", validate="one_to_one")
    parts = [accuracy(predictions)]
    for name, studies in trained_on.items():
        own = table[table[name].notna()]
        if len(own):
            parts.append(_rows_of(own, name, set(studies)))
    return pd.concat(parts, ignore_index=True)


def _rows_of(table: pd.DataFrame, name: str, studies: set[str]) -> pd.DataFrame:
    """One published clock's rows of the accuracy table."""
    error = table.assign(Years=(table[name] - table["Age"]).abs() - (table["HeteroAge"] - table["Age"]).abs())
    rows = []
    for stratum, _, own in strata(error):
        row = dict.fromkeys(COLUMNS, np.nan) | {DIFFERENCE: own["Years"].mean()}
        row |= {"Missing_CpGs": own[name + MISSING].mean()}
        row |= {"In_Its_Training": bool(own["project_id"].astype(str).isin(studies).any())}
        if stratum == "all":
            by_project = own.groupby("project_id")["Years"].mean()
            row[DIFFERENCE] = by_project.mean()
            _, row[f"{DIFFERENCE}_Lower"], row[f"{DIFFERENCE}_Upper"] = mean_interval(by_project.to_numpy())
        rows.append(row)
    return pd.concat([accuracy(table, [name]), pd.DataFrame(rows)], axis=1)


def mean_interval(of_projects: np.ndarray) -> tuple[float, float, float]:
    """The mean over projects and its 95% interval, whole projects drawn with replacement; empty below 3 projects."""
    _, (lower, upper) = bootstrap_mae(of_projects, np.arange(len(of_projects)).astype(str))
    return float(of_projects.mean()), float(lower), float(upper)


def worth_training(accuracy: pd.DataFrame) -> str:
    """Say in a sentence whether HeteroAge is better than the best of the published clocks; empty without any."""
    if DIFFERENCE not in accuracy.columns:
        return ""
    overall = accuracy[(accuracy["stratum"] == "all") & accuracy[DIFFERENCE].notna()]
    if overall.empty:
        return ""
    best = overall.loc[overall["MacroMAE"].idxmin()]
    change, lower, upper = (best[name] for name in COLUMNS[:3])
    against = f"{best['model']}, the best of {len(overall)} published clocks" if len(overall) > 1 else best["model"]
    spread = f" (95% interval {lower:+.2f} to {upper:+.2f}, over projects)" if lower == lower else ""
    if lower > 0:
        said = f"Training was worth it: the nested error of {against} is larger by {change:.2f} years"
    elif upper < 0:
        said = f"Training was not worth it: the nested error of {against} is smaller by {-change:.2f} years"
    else:
        said = f"Training made no measurable difference: {against} minus HeteroAge is {change:+.2f} years of error"
    seen = " Studies among these samples were in its training: its error leans to the optimistic."
    return said + spread + "." + (seen if best["In_Its_Training"] in (True, "True") else "")


def by_project(accuracy: pd.DataFrame) -> pd.DataFrame:
    """The published clocks' rows of all samples and of each project; empty where none was compared."""
    if DIFFERENCE not in accuracy.columns:
        return accuracy.iloc[:0]
    shown = accuracy[accuracy[DIFFERENCE].notna() & accuracy["stratum"].isin(["all", "project_id"])]
    return shown.assign(In_Its_Training=["yes" if str(seen) == "True" else "" for seen in shown["In_Its_Training"]])
