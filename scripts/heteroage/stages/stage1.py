"""Stage 1, the global anchor: one ElasticNet on all CpGs (and PCs), predicting transformed age."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from heteroage.age import inverse_transform_age, transform_age
from heteroage.engine.elastic_net import fit_paths
from heteroage.errors import HeteroAgeError, listed
from heteroage.metrics import score_predictions
from heteroage.stages.deployable import fit_pipeline
from heteroage.stages.training_data import SAMPLE_COLUMNS, TrainingData, best_row, beyond, views

log = logging.getLogger(__name__)

BALANCING = ["min_cohorts", "min_cap", "max_cap", "median_mult"]
CONFIGURATION = [*BALANCING, "technical_sd", "alpha", "l1_ratio"]
REPORT = [*CONFIGURATION, "MicroMAE", "MacroMAE", "MedAE", "MicroR", "MacroR", "n_features", "Score"]


@dataclass(frozen=True)
class Grid:
    """The configurations that are swept: balancing x technical_sd x l1_ratio x alpha (falling)."""

    balancings: Sequence[Mapping[str, float]]
    technical_sds: Sequence[float]
    l1_ratios: Sequence[float]
    alphas: NDArray[np.float64]


def sweep(data: TrainingData, grid: Grid, threads: int = 1) -> pd.DataFrame:
    """Score every configuration by the folds of the run.

    Where the best Score lies at an end of the alphas, the sweep goes on beyond it, by the grid's own ratio.

    Returns
    -------
    The sweep report, a row per configuration; `n_features` is the mean over folds, and `selected` marks the
    row of the best Score (of equals, the fewest features, then the first).
    """
    alphas, report = grid.alphas, _scores(data, grid, threads)
    while True:
        best = report.iloc[best_row(report)]
        further = beyond(alphas, best["alpha"], best["n_features"] == 0)
        if not len(further):
            break
        log.info("the best alpha, %g, is at an end of the grid: going on with %s", best["alpha"], listed(further))
        report = pd.concat([report, _scores(data, replace(grid, alphas=further), threads)])
        alphas = np.sort(np.concatenate([alphas, further]))[::-1]
    report = report.sort_values(["place", "alpha"], ascending=[True, False], ignore_index=True)[REPORT]
    return report.assign(selected=np.arange(len(report)) == best_row(report))


def _scores(data: TrainingData, grid: Grid, threads: int) -> pd.DataFrame:
    """Score the configurations of a grid; `place` numbers them without regard to alpha."""
    balancing_and_fold = list(product(grid.balancings, data.folds))
    age = data.samples["Age"].to_numpy()
    target = transform_age(age)
    training = [data.training_set([fold], balancing, target).normalised() for balancing, fold in balancing_and_fold]
    different = {own.key: own for own in training}  # where tissues are balanced already, balancings are the same
    shape = (len(grid.balancings), len(grid.technical_sds), len(grid.l1_ratios), len(grid.alphas))
    log.info("sweep: %d training sets x %d technical_sds x %d l1_ratios x %d alphas", len(different), *shape[1:])
    fitted = fit_paths(
        data.X,
        list(different.values()),
        grid.l1_ratios,
        grid.alphas,
        grid.technical_sds,
        data.noisy,
        threads,
        "sweep",
    )
    paths_of = dict(zip(different, fitted, strict=True))
    predicted, used = np.empty((*shape, len(age))), np.zeros(shape)
    for k, ((_, fold), own) in enumerate(zip(balancing_and_fold, training, strict=True)):
        b, paths = k // len(data.folds), paths_of[own.key]
        held_out = np.flatnonzero(data.fold == fold)
        predicted[b, ..., held_out] = np.moveaxis(inverse_transform_age(data.predict(paths, held_out)), -1, 0)
        used[b] += paths.n_features / len(data.folds)
    rows = []
    for at in np.ndindex(shape):
        b, t, j, i = at
        configuration = {key: grid.balancings[b][key] for key in BALANCING}
        configuration |= {"technical_sd": grid.technical_sds[t], "alpha": grid.alphas[i], "l1_ratio": grid.l1_ratios[j]}
        scores = score_predictions(age, predicted[at], data.samples["project_id"])
        rows.append(configuration | scores | {"n_features": used[at], "place": (b, t, j)})
    return pd.DataFrame(rows)


def selected_row(report: pd.DataFrame, where: str) -> dict[str, float]:
    """Return the configuration that a sweep report selects.

    A report without `selected` (an earlier one, or one made elsewhere) selects its best Score; one without
    `technical_sd` means 0.
    """
    absent = [column for column in [*BALANCING, "alpha", "l1_ratio"] if column not in report.columns]
    if absent:
        raise HeteroAgeError(f"{where} is not a sweep report: columns are missing ({listed(absent)}).")
    if "selected" in report.columns:
        chosen = report[report["selected"].astype(str) == "True"]
    elif "Score" in report.columns and len(report):
        chosen = report.iloc[[int(report["Score"].to_numpy().argmax())]]
    else:
        raise HeteroAgeError(f"{where} has neither a column selected nor a Score to select by.")
    if len(chosen) != 1:
        raise HeteroAgeError(f"{where} has {len(chosen)} selected rows. Mark exactly one as True.")
    row = chosen.iloc[0]
    configuration = {key: float(row.get(key, 0.0)) for key in CONFIGURATION}
    sensible = configuration["alpha"] > 0 and 0 < configuration["l1_ratio"] <= 1 and configuration["technical_sd"] >= 0
    if not sensible:
        raise HeteroAgeError(
            f"{where} selects alpha {row['alpha']}, l1_ratio {row['l1_ratio']}, technical_sd "
            f"{configuration['technical_sd']:g}; alpha must be above 0, l1_ratio in (0, 1], technical_sd at least 0."
        )
    return configuration


def cross_fit(data: TrainingData, configuration: Mapping[str, float], threads: int = 1) -> pd.DataFrame:
    """Predict every sample's age in every view (see `training_data`), at one configuration.

    One model is trained without each fold and without each pair of folds: none sees the fold that it predicts.

    Returns
    -------
    frame of `sample_id` and a column per view, in years.
    """
    age, fold, folds = data.samples["Age"].to_numpy(), data.fold, data.folds
    target = transform_age(age)
    all_excluded = [(k,) for k in folds] + list(combinations(folds, 2))
    training = [data.training_set(excluded, configuration, target) for excluded in all_excluded]
    fitted = fit_paths(
        data.X,
        training,
        [configuration["l1_ratio"]],
        np.array([configuration["alpha"]]),
        [configuration["technical_sd"]],
        data.noisy,
        threads,
        "cross-fit",
    )
    without = {}
    for excluded, paths in zip(all_excluded, fitted, strict=True):
        held_out = np.flatnonzero(np.isin(fold, excluded))
        without[excluded] = np.full(len(age), np.nan)
        without[excluded][held_out] = inverse_transform_age(data.predict(paths, held_out)[0, 0, 0])
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


def train(data: TrainingData, configuration: Mapping[str, float], threads: int = 1) -> Pipeline:
    """Fit the final anchor on all of the run's training samples, balanced."""
    training_set = data.training_set([], configuration, data.samples["Age"].to_numpy())
    return fit_pipeline(data.X, data.feature_names, training_set, configuration, True, threads)
