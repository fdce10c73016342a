"""Stage 1, the global anchor: one ElasticNet on all CpGs (and PCs), predicting transformed age."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, product

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from heteroage.age import inverse_transform_age, transform_age
from heteroage.engine.elastic_net import TrainingSet, fit_paths, fit_pipeline
from heteroage.errors import HeteroAgeError, listed
from heteroage.metrics import score_predictions
from heteroage.stages.training_data import SAMPLE_COLUMNS, TrainingData, best_row, views

log = logging.getLogger(__name__)

BALANCING = ["min_cohorts", "min_cap", "max_cap", "median_mult"]
REPORT = [
    *BALANCING,
    "alpha",
    "l1_ratio",
    "MicroMAE",
    "MacroMAE",
    "MedAE",
    "MicroR",
    "MacroR",
    "n_features",
    "Score",
]


def sweep(
    data: TrainingData,
    balancings: Sequence[Mapping[str, float]],
    alphas: NDArray[np.float64],
    l1_ratios: Sequence[float],
    seed: int,
    threads: int = 1,
) -> pd.DataFrame:
    """Score every configuration (balancing × alpha × l1_ratio) by the folds of the run.

    Returns
    -------
    The sweep report, a row per configuration; `n_features` is the mean over folds, and `selected` marks the
    row of the best Score (of equals: the fewest features, then the first).
    """
    of_balancing_and_fold = list(product(range(len(balancings)), data.folds))
    age = data.samples["Age"].to_numpy()
    target = transform_age(age)
    training = []
    for b, fold in of_balancing_and_fold:
        rows = data.balanced([fold], balancings[b], seed)
        training.append(TrainingSet(rows, target[rows]))
    log.info("sweep: %d training sets x %d l1_ratios x %d alphas", len(training), len(l1_ratios), len(alphas))
    shape = (len(balancings), len(l1_ratios), len(alphas))
    predicted, used = np.empty((*shape, len(age))), np.zeros((*shape, len(data.folds)))
    for (b, fold), paths in zip(
        of_balancing_and_fold, fit_paths(data.X, training, l1_ratios, alphas, threads, "sweep"), strict=True
    ):
        held_out = np.flatnonzero(data.fold == fold)
        ages = inverse_transform_age(paths.predict(data.X, held_out))
        predicted[b, :, :, held_out] = np.moveaxis(ages, -1, 0)
        used[b, :, :, data.folds.index(fold)] = paths.n_features

    rows = []
    for b, balancing in enumerate(balancings):
        for j, l1_ratio in enumerate(l1_ratios):
            for i, alpha in enumerate(alphas):
                scores = score_predictions(age, predicted[b, j, i], data.samples["project_id"])
                rows.append(
                    {
                        **{key: balancing[key] for key in BALANCING},
                        "alpha": alpha,
                        "l1_ratio": l1_ratio,
                        **scores,
                    }
                    | {"n_features": used[b, j, i].mean()}
                )
    return select_best(pd.DataFrame(rows)[REPORT])


def select_best(report: pd.DataFrame) -> pd.DataFrame:
    """Mark the row of the best Score, for which see `sweep`, in a column `selected`."""
    return report.assign(selected=np.arange(len(report)) == best_row(report))


def merge_sweeps(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put together the reports of sweeps of single configurations of balancing and l1_ratio, in their order."""
    return select_best(pd.concat(parts, ignore_index=True)[REPORT])


def selected_row(report: pd.DataFrame, where: str) -> dict[str, float]:
    """Return the configuration that a sweep report selects.

    A report without `selected` (an earlier one, or one made elsewhere) selects its best Score.
    """
    absent = [column for column in [*BALANCING, "alpha", "l1_ratio"] if column not in report.columns]
    if absent:
        raise HeteroAgeError(f"{where} is no sweep report: it lacks columns ({listed(absent)}).")
    if "selected" in report.columns:
        chosen = report[report["selected"].astype(str) == "True"]
    elif "Score" in report.columns and len(report):
        chosen = report.iloc[[int(report["Score"].to_numpy().argmax())]]
    else:
        raise HeteroAgeError(f"{where} has neither a column selected nor a Score to select by.")
    if len(chosen) != 1:
        raise HeteroAgeError(f"{where} has {len(chosen)} selected rows. Mark exactly one as True.")
    row = chosen.iloc[0]
    configuration = {key: float(row[key]) for key in [*BALANCING, "alpha", "l1_ratio"]}
    if not (configuration["alpha"] > 0 and 0 < configuration["l1_ratio"] <= 1):
        raise HeteroAgeError(
            f"{where} selects alpha {row['alpha']}, l1_ratio {row['l1_ratio']}: alpha > 0 and 0 < l1_ratio <= 1."
        )
    return configuration


def cross_fit(
    data: TrainingData,
    configuration: Mapping[str, float],
    alphas: NDArray[np.float64],
    seed: int,
    threads: int = 1,
) -> pd.DataFrame:
    """Predict every sample's age in every view (see `training_data`), at one configuration.

    One model is trained without each fold and without each pair of folds: none sees the fold that it predicts.

    Returns
    -------
    frame of `sample_id` and a column per view, in years.
    """
    age, fold, folds = data.samples["Age"].to_numpy(), data.fold, data.folds
    path = np.append(alphas[alphas > configuration["alpha"]], configuration["alpha"])

    target = transform_age(age)
    all_excluded = [(k,) for k in folds] + list(combinations(folds, 2))
    training = []
    for excluded in all_excluded:
        rows = data.balanced(excluded, configuration, seed)
        training.append(TrainingSet(rows, target[rows]))
    fitted = fit_paths(data.X, training, [configuration["l1_ratio"]], path, threads, "cross-fit")
    without = {}
    for excluded, paths in zip(all_excluded, fitted, strict=True):
        held_out = np.flatnonzero(np.isin(fold, excluded))
        without[excluded] = np.full(len(age), np.nan)
        without[excluded][held_out] = inverse_transform_age(paths.predict(data.X, held_out)[0, -1])
    table = {"sample_id": data.samples["sample_id"]}
    for name, unseen in views(folds):
        table[name] = _view(fold, folds, unseen, without)
    return pd.DataFrame(table)


def _view(
    fold: NDArray[np.int64],
    folds: Iterable[int],
    unseen: int | None,
    without: Mapping[tuple[int, ...], NDArray[np.float64]],
) -> NDArray[np.float64]:
    values = np.full(len(fold), np.nan)
    for k in folds:
        excluded = (k,) if unseen in (None, k) else tuple(sorted((k, unseen)))
        values[fold == k] = without[excluded][fold == k]
    return values


def out_of_fold_table(data: TrainingData, anchor: pd.DataFrame) -> pd.DataFrame:
    """The anchor's out-of-fold predictions and residuals (Age - Stage1_Pred_Age), in years."""
    table = data.samples[SAMPLE_COLUMNS].copy()
    table["Stage1_Pred_Age"] = anchor["out_of_fold"].to_numpy()
    table["Stage1_Residual"] = table["Age"] - table["Stage1_Pred_Age"]
    return table


def train(
    data: TrainingData,
    configuration: Mapping[str, float],
    alphas: NDArray[np.float64],
    seed: int,
    threads: int = 1,
) -> Pipeline:
    """Fit the final anchor on all of the run's training samples, balanced."""
    rows = data.balanced([], configuration, seed)
    age = data.samples["Age"].to_numpy()[rows]
    return fit_pipeline(
        data.X,
        data.feature_names,
        TrainingSet(rows, age),
        configuration["alpha"],
        configuration["l1_ratio"],
        alphas,
        True,
        threads,
    )
