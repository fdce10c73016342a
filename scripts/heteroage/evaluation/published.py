"""Comparison with published clocks on exactly the samples that nested runs predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from heteroage.clock.artifacts import MISSING, MUCH_MISSING
from heteroage.evaluation.nested import accuracy, bootstrap_mae, paired, strata
from heteroage.matrix import feature_blocks, read_rows, scale_of

if TYPE_CHECKING:
    from heteroage.clock.published import PublishedClock

DIFFERENCE = "Minus_HeteroAge"
ERROR, LOWER, UPPER = (f"{DIFFERENCE}_{what}" for what in ("SE", "Lower", "Upper"))
COMPARISON_COLUMNS = [DIFFERENCE, ERROR, LOWER, UPPER, "Missing_CpGs", "CpGs", "In_Its_Training"]


def published_ages(
    compared: Sequence[PublishedClock],
    store: np.ndarray,
    feature_names: Sequence[str],
    samples: pd.DataFrame,
    trains: pd.Series,
) -> pd.DataFrame:
    """Predict all samples of the store by published clocks.

    A missing value is replaced by the CpG's median over the training samples of the other outer folds.

    store : (features, samples) beta values
    samples : frame of sample_id and outer_fold, in the order of the store's columns
    trains : which of them may train
    Returns a frame of sample_id, and of each clock its ages (years) and the number of missing CpGs.
    """
    row_of = {name: row for row, name in enumerate(feature_names)}
    scale = None
    if any(one.standardised for one in compared):  # over all beta values
        beta = np.array([name.endswith("_beta") for name in feature_names])
        blocks = feature_blocks(store, slice(None), "scaling samples")
        scale = scale_of((block[beta[rows]] for rows, block in blocks), store.shape[1])
    fold = samples["outer_fold"].to_numpy()
    table = {"sample_id": samples["sample_id"].to_numpy()}
    for one in compared:
        values = np.full((len(one.features), len(samples)), np.nan)
        there = [k for k, name in enumerate(one.features) if name in row_of]
        values[there] = read_rows(store, np.array([row_of[one.features[k]] for k in there], np.int64))
        reference = np.full_like(values, np.nan)
        for held_out in np.unique(fold):
            known = values[:, trains.to_numpy() & (fold != held_out)]
            some = (~np.isnan(known)).any(axis=1)
            reference[np.ix_(some, fold == held_out)] = np.nanmedian(known[some], axis=1)[:, None]
        table[one.name], table[one.name + MISSING] = one.ages(values, reference, scale if one.standardised else None)
    return pd.DataFrame(table)


def describe_clocks(
    compared: Sequence[PublishedClock], given: Mapping[str, Mapping[str, object]], feature_names: Sequence[str]
) -> pd.DataFrame:
    """Describe each published clock in one row, with the number of its CpGs and of those that are not in the data."""
    names = set(feature_names)
    return pd.DataFrame(
        {
            "clock": one.name,
            "CpGs": len(one.features),
            "not_in_data": len(set(one.features) - names),
            "transform": one.transform,
            "input": "z" if one.standardised else "beta",
            "intercept": one.intercept,
            "source": given[one.name].get("source", ""),
            "licence": given[one.name].get("licence", ""),
            "trained_on": " ".join(one.trained_on),
            "coefficients": Path(str(given[one.name]["coefficients"])).name,
            "sha256": one.sha256,
        }
        for one in compared
    )


def with_published(
    predictions: pd.DataFrame, ages: pd.DataFrame, clocks: pd.DataFrame, trained_on: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """Tabulate the errors of our models and of published clocks on the same samples (see `accuracy`).

    predictions : nested predictions
    ages : as `published_ages` returns
    clocks : as `describe_clocks` returns
    trained_on : {published clock: project_ids of the studies it was trained on}
    Returns accuracy's frame with, for published clocks, the difference of the error to HeteroAge's (a project's, or the
    mean over projects with its standard error and its 95% interval, by bootstrap over projects; years, positive where
    HeteroAge is better), the mean number of CpGs that samples were missing, the number of the clock's CpGs, and whether
    a sample's study was in the clock's training ("unknown" where `trained_on` is empty).
    """
    table = predictions.merge(ages, on="sample_id", validate="one_to_one")
    cpgs = clocks.set_index("clock")["CpGs"]
    owns = {name: table[table[name].notna()] for name in trained_on}
    parts = [_rows_of(own, name, int(cpgs[name]), set(trained_on[name])) for name, own in owns.items() if len(own)]
    return pd.concat([accuracy(predictions), *parts], ignore_index=True)


def _rows_of(table: pd.DataFrame, name: str, cpgs: int, studies: set[str]) -> pd.DataFrame:
    """Return one published clock's rows of the accuracy table."""
    error = table.assign(Years=(table[name] - table["Age"]).abs() - (table["HeteroAge"] - table["Age"]).abs())
    rows = []
    for stratum, _, own in strata(error):
        row = dict.fromkeys(COMPARISON_COLUMNS, np.nan) | {DIFFERENCE: own["Years"].mean()}
        row |= {"Missing_CpGs": own[name + MISSING].mean(), "CpGs": cpgs}
        row["In_Its_Training"] = own["project_id"].astype(str).isin(studies).any() if studies else "unknown"
        if stratum == "all":
            by_project = own.groupby("project_id")["Years"].mean()
            row[DIFFERENCE], row[ERROR] = paired(by_project)
            _, (row[LOWER], row[UPPER]) = bootstrap_mae(by_project.to_numpy(), np.arange(len(by_project)).astype(str))
        rows.append(row)
    return pd.concat([accuracy(table, [name]), pd.DataFrame(rows)], axis=1)


def worth_training(accuracy: pd.DataFrame) -> str:
    """Describe in a sentence whether HeteroAge is better than the best published clock. Empty if there is none."""
    shown = published_rows(accuracy)
    overall = shown[shown["stratum"] == "all"]
    if overall.empty:
        return ""
    best = overall.loc[overall["MacroMAE"].idxmin()]
    change, error, lower, upper = (best[name] for name in COMPARISON_COLUMNS[:4])
    against = best["model"] + (f" (the best of {len(overall)} published clocks)" if len(overall) > 1 else "")
    if lower > 0:
        said = f"Training was worth it: the nested error of {against} is larger by {change:.2f} years"
    elif upper < 0:
        said = f"Training was not worth it: the nested error of {against} is smaller by {-change:.2f} years"
    else:
        said = f"Training made no measurable difference: {against} minus HeteroAge is {change:+.2f} years of error"
    if error == error:
        said += f" (mean over {best['n_projects']:.0f} projects, paired; standard error {error:.2f}"
        said += f", 95% interval {lower:+.2f} to {upper:+.2f})" if lower == lower else ")"
    said += "."
    if best["Missing_CpGs"] > MUCH_MISSING * best["CpGs"]:
        missing = f"{best['Missing_CpGs']:.0f} of its {best['CpGs']:.0f}"
        said += f" Samples were missing {missing} CpGs: the comparison is unfair to it."
    if str(best["In_Its_Training"]) == "True":
        said += " Studies among these samples were in its training: its error is probably too small."
    elif best["In_Its_Training"] == "unknown":
        said += (
            f" The config does not say what it was trained on (compare.{best['model']}.trained_on). If any of these "
            "studies is among it, its error is probably too small."
        )
    return said


def published_rows(accuracy: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of published clocks, none if no clock was compared."""
    return accuracy[accuracy[DIFFERENCE].notna()] if DIFFERENCE in accuracy else accuracy.iloc[:0]
