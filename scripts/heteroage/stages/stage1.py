"""Stage 1, the anchor: one elastic net on all CpGs (and RF_PCs) that predicts transformed age."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.age import inverse_transform_age, transform_age
from heteroage.engine.elastic_net import Paths, fit_paths, learn_statistics, open_paths
from heteroage.engine.feature_pass import FeaturePass
from heteroage.engine.training_set import TrainingSet
from heteroage.errors import HeteroAgeError, listed
from heteroage.files import read_table
from heteroage.metrics import score_predictions
from heteroage.stages.training_data import OUT_OF_FOLD, SAMPLE_COLUMNS, TrainingData, best_row, beyond, log_grid, views

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from heteroage.stages.deployable import Start

log = logging.getLogger(__name__)

BALANCING = ["min_cohorts", "min_cap", "max_cap", "median_mult"]
CONFIGURATION = [*BALANCING, "technical_sd", "alpha", "l1_ratio"]
STRENGTH = "strength"  # report column, only with start_from: strength of the published clock
REPORT = [*CONFIGURATION, "MicroMAE", "MacroMAE", "MedAE", "MicroR", "MacroR", "n_features", "Score"]


@dataclass(frozen=True)
class Grid:
    """The configurations of the sweep: strength x balancing x technical_sd x l1_ratio x alpha (decreasing).

    strengths : multiples of the published clock from which the anchor starts; the config's, and 0
    """

    balancings: Sequence[Mapping[str, float]]
    technical_sds: Sequence[float]
    l1_ratios: Sequence[float]
    alphas: NDArray[np.float64]
    strengths: Sequence[float] = (0.0,)

    @classmethod
    def of(cls, settings: Mapping) -> Grid:
        """Return the grid of the config's section stage1."""
        given = (settings["start_from"] or {"strengths": []}).get("strengths", [0.5, 1.0])
        strengths = sorted({0.0, *map(float, given)})
        tried = (settings[name] for name in ("balancing", "technical_sd", "l1_ratio"))
        return cls(*tried, log_grid(**settings["alpha"]), strengths)


def learn(data: TrainingData, grid: Grid, threads: int = 1) -> FeaturePass | None:
    """Compute the statistics of all training sets of Stage 1 in one pass: sweep, cross-fitting and final model.

    Returns None if the targets depend on the strength of a published clock, and if more than two balancings have
    different weights: most of the training sets would not be used.
    """
    if any(grid.strengths):
        return None
    all_excluded = [(), *_excluded(data.folds)]
    of_sets = product(all_excluded, grid.balancings)
    different = {own.key: own for own, _ in (_own(data, *of_set, None, 0.0) for of_set in of_sets)}
    if len(different) > 2 * len(all_excluded):
        return None
    log.info("sweep: statistics of %d training sets, also those of cross-fitting and the final model", len(different))
    return learn_statistics(data.X, list(different.values()), threads)


def sweep(
    data: TrainingData,
    grid: Grid,
    threads: int = 1,
    start: Start | None = None,
    learnt: FeaturePass | None = None,
) -> pd.DataFrame:
    """Score every configuration by cross-validation over the run's folds.

    If the best Score is at an end of the alphas, the sweep continues beyond that end, with the ratio of the grid.

    Returns the sweep report, one row per configuration. `n_features` is the mean over folds. `selected` marks the row
    with the best Score (ties: the fewest features, then the first row). With `start`, there is a column `strength`, and
    `n_features` does not include features that only the published clock uses.
    """
    of_sets = list(product(grid.strengths, grid.balancings, data.folds))
    training = [_own(data, [fold], balancing, start, strength) for strength, balancing, fold in of_sets]
    # If tissues are already balanced, several balancings give the same weights.
    keys = [(strength, own.key) for (strength, *_), (own, _) in zip(of_sets, training, strict=True)]
    different = dict(zip(keys, (own for own, _ in training), strict=True))
    added = [of_set for _, of_set in training]
    kinds = (data.X, list(different.values()), grid.l1_ratios, grid.technical_sds, data.noisy, threads, "sweep", learnt)
    sizes = (len(different), len(grid.technical_sds), len(grid.l1_ratios), len(grid.alphas))
    log.info("sweep: %d training sets x %d technical_sds x %d l1_ratios x %d alphas", *sizes)
    with open_paths(*kinds) as solve:

        def scores(alphas: NDArray[np.float64]) -> pd.DataFrame:
            paths_of = dict(zip(different, solve(alphas), strict=True))
            return _scores(data, replace(grid, alphas=alphas), [paths_of[key] for key in keys], added)

        alphas, report = grid.alphas, scores(grid.alphas)
        while True:
            best = report.iloc[best_row(report)]
            further = beyond(alphas, best["alpha"], best["n_features"] == 0)
            if not len(further):
                break
            log.info("the best alpha, %g, is at an end of the grid: continuing with %s", best["alpha"], listed(further))
            report = pd.concat([report, scores(further)])
            alphas = np.sort(np.concatenate([alphas, further]))[::-1]
    report = report.sort_values(["place", "alpha"], ascending=[True, False], ignore_index=True)
    report = report[REPORT if start is None else [*CONFIGURATION, STRENGTH, *REPORT[len(CONFIGURATION) :]]]
    return report.assign(selected=np.arange(len(report)) == best_row(report))


def _scores(
    data: TrainingData, grid: Grid, fitted: Sequence[Paths], added: Sequence[NDArray[np.float64]]
) -> pd.DataFrame:
    """Score the configurations of a grid; `place` numbers them without alpha.

    fitted, added : for each strength, balancing and fold, in this order: the paths without the fold, and the
        contribution of the published clock to each sample's transformed age
    """
    age = data.samples["Age"].to_numpy()
    shape = tuple(map(len, (grid.strengths, grid.balancings, grid.technical_sds, grid.l1_ratios, grid.alphas)))
    predicted, used = np.empty((*shape, len(age))), np.zeros(shape)
    for k, paths in enumerate(fitted):
        at, fold = np.unravel_index(k // len(data.folds), shape[:2]), data.folds[k % len(data.folds)]
        held_out = np.flatnonzero(data.fold == fold)
        ages = inverse_transform_age(data.predict(paths, held_out) + added[k][held_out])
        predicted[(*at, ..., held_out)] = np.moveaxis(ages, -1, 0)
        used[at] += paths.n_features / len(data.folds)
    rows = []
    for at in np.ndindex(shape):
        f, b, t, j, i = at
        configuration = {key: grid.balancings[b][key] for key in BALANCING} | {STRENGTH: grid.strengths[f]}
        configuration |= {"technical_sd": grid.technical_sds[t], "alpha": grid.alphas[i], "l1_ratio": grid.l1_ratios[j]}
        scores = score_predictions(age, predicted[at], data.samples["project_id"])
        rows.append(configuration | scores | {"n_features": used[at], "place": at[:-1]})
    return pd.DataFrame(rows)


def _own(
    data: TrainingData, excluded: Sequence[int], balancing: Mapping[str, float], start: Start | None, strength: float
) -> tuple[TrainingSet, NDArray[np.float64]]:
    """Return the training set without the excluded folds, and the published clock's contribution to each sample."""
    target, added = transform_age(data.samples["Age"].to_numpy()), np.zeros(len(data.samples))
    if start is not None and strength:
        added = start.times(strength).score(start.values, data.balanced(excluded, balancing)[0])
    return data.training_set(excluded, balancing, target - added).normalised(), added


def selected_row(report: pd.DataFrame, where: str) -> dict[str, float]:
    """Return the selected configuration of a sweep report.

    Without a column `selected` (reports of earlier versions or other programs), the best Score is selected. Without a
    column `technical_sd`, it is 0.
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
    return configuration | ({STRENGTH: float(row[STRENGTH])} if STRENGTH in report.columns else {})


def follow(earlier: str) -> pd.DataFrame:
    """Read an earlier sweep report, and mark the row that it selects."""
    report = read_table(earlier)
    log.info("the sweep is skipped; %s selects %s", earlier, selected_row(report, earlier))
    if "selected" not in report.columns:
        report["selected"] = report.index == report["Score"].idxmax()
    return report


def cross_fit(
    data: TrainingData,
    configuration: Mapping[str, float],
    threads: int = 1,
    start: Start | None = None,
    learnt: FeaturePass | None = None,
) -> pd.DataFrame:
    """Predict every sample's age in every view (see `training_data`), at one configuration.

    One model is trained without each fold, and one without each pair of folds. No model was trained on the fold that it
    predicts.

    Returns a frame of `sample_id` and one column per view, in years.
    """
    age, fold = data.samples["Age"].to_numpy(), data.fold
    strength = _strength(configuration, start)
    all_excluded = _excluded(data.folds)
    training = [_own(data, excluded, configuration, start, strength) for excluded in all_excluded]
    l1_ratios, alphas = [configuration["l1_ratio"]], np.array([configuration["alpha"]])
    noise, sets = [configuration["technical_sd"]], [own for own, _ in training]
    fitted = fit_paths(data.X, sets, l1_ratios, alphas, noise, data.noisy, threads, "cross-fit", learnt)
    without = {}
    for excluded, paths, (_, added) in zip(all_excluded, fitted, training, strict=True):
        held_out = np.flatnonzero(np.isin(fold, excluded))
        without[excluded] = np.full(len(age), np.nan)
        without[excluded][held_out] = inverse_transform_age(data.predict(paths, held_out)[0, 0, 0] + added[held_out])
    table = {"sample_id": data.samples["sample_id"]}
    for name, unseen in views(data.folds):
        table[name] = np.full(len(age), np.nan)
        for k in data.folds:
            excluded = (k,) if unseen in (None, k) else tuple(sorted((k, unseen)))
            table[name][fold == k] = without[excluded][fold == k]
    return pd.DataFrame(table)


def _excluded(folds: Sequence[int]) -> list[tuple[int, ...]]:
    """Return what the models of cross-fitting are trained without: each fold, and each pair of folds."""
    return [(k,) for k in folds] + list(combinations(folds, 2))


def out_of_fold_table(data: TrainingData, anchor: pd.DataFrame) -> pd.DataFrame:
    """Tabulate the anchor's out-of-fold predictions and residuals (Age - Stage1_Pred_Age), in years."""
    table = data.samples[SAMPLE_COLUMNS].copy()
    table["Stage1_Pred_Age"] = anchor[OUT_OF_FOLD].to_numpy()
    table["Stage1_Residual"] = table["Age"] - table["Stage1_Pred_Age"]
    return table


def train(
    data: TrainingData,
    configuration: Mapping[str, float],
    threads: int = 1,
    start: Start | None = None,
    learnt: FeaturePass | None = None,
) -> Pipeline:
    """Fit the final anchor on all training samples of the run, with balancing weights."""
    from heteroage.stages.deployable import fit_pipeline  # loads scikit-learn, which nothing else here needs

    training_set = data.training_set([], configuration, data.samples["Age"].to_numpy())
    strength = _strength(configuration, start)
    added = start.times(strength) if start is not None and strength else None
    return fit_pipeline(data.X, data.feature_names, training_set, configuration, True, threads, added, learnt)


def _strength(configuration: Mapping[str, float], start: Start | None) -> float:
    """Return the strength of the published clock in a configuration."""
    strength = configuration.get(STRENGTH, 0.0)
    if strength and start is None:
        raise HeteroAgeError(
            f"the sweep report selects a published clock's strength of {strength:g}, but the config has no "
            "stage1.start_from. Set it as when the report was made."
        )
    return strength
