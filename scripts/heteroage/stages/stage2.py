"""Stage 2, the hallmark experts: one ElasticNet per hallmark on the anchor's residual, in years."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.dummy import DummyRegressor
from sklearn.metrics import r2_score
from sklearn.pipeline import Pipeline

from heteroage.engine.elastic_net import Paths, TrainingSet, fit_paths, fit_pipeline
from heteroage.metrics import score_predictions
from heteroage.stages.training_data import OUT_OF_FOLD, TrainingData, best_row, views

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Expert:
    """A trained expert: its model, its corrections (sample_id, a column per view) and its row of the summary."""

    model: Pipeline
    corrections: pd.DataFrame
    summary: dict[str, object]


@dataclass(frozen=True)
class Grid:
    """The alphas (in years, falling) and l1_ratios that experts are tuned over."""

    alphas: NDArray[np.float64]
    l1_ratios: Sequence[float]


def train_expert(
    hallmark: str,
    data: TrainingData,
    anchor: pd.DataFrame,
    grid: Grid,
    balancing: Mapping[str, float],
    seed: int,
    threads: int = 1,
) -> Expert:
    """Train one hallmark's expert, and predict its correction for each sample in every view.

    In each view the target is Age minus the anchor of that view, and alpha and l1_ratio are those of the best
    Score over the view's own folds: what predicts a fold was tuned and trained without it (see `training_data`).
    A correction has no intercept: it is 0 where the hallmark's features say nothing.

    Parameters
    ----------
    data : restricted to the hallmark's features
    anchor : the anchor's predictions, a column per view, in years
    """
    age, projects = data.samples["Age"].to_numpy(), data.samples["project_id"].to_numpy()
    corrections = pd.DataFrame({"sample_id": data.samples["sample_id"], OUT_OF_FOLD: np.nan})

    # 1. Every model of every view at once: without each fold, to tune; without the unseen fold alone, to predict it.
    targets = {name: age - anchor[name].to_numpy() for name, _ in views(data.folds)}
    excluded = {
        (name, fold): sorted({fold} if unseen is None else {fold, unseen})
        for name, unseen in views(data.folds)
        for fold in data.folds
    }
    training = []
    for (name, _), folds in excluded.items():
        rows = data.balanced(folds, balancing, seed)
        training.append(TrainingSet(rows, targets[name][rows]))
    fitted = fit_paths(data.X, training, grid.l1_ratios, grid.alphas, threads, hallmark)
    path_of = dict(zip(excluded, fitted, strict=True))

    # 2. Tune each view on its own folds.
    for name, unseen in views(data.folds):
        target = targets[name]
        held_out = np.full((len(grid.l1_ratios), len(grid.alphas), len(age)), np.nan)
        n_features = np.zeros(held_out.shape[:2])
        for fold in data.folds:
            if fold == unseen:
                continue
            rows = np.flatnonzero(data.fold == fold)
            held_out[:, :, rows] = _corrections(path_of[name, fold], data, rows)
            n_features += path_of[name, fold].n_features
        seen = data.fold != unseen if unseen is not None else np.full(len(age), True)
        j, i = _best(held_out[:, :, seen], n_features, target[seen], projects[seen])
        if unseen is None:
            residual, tuned = target, (float(grid.alphas[i]), float(grid.l1_ratios[j]))
        else:
            own = _corrections(path_of[name, unseen], data, np.flatnonzero(~seen))[j, i]
            corrections[name] = held_out[j, i]
            corrections.loc[~seen, name] = corrections.loc[~seen, OUT_OF_FOLD] = own
        log.info("%s, %s: alpha %g, l1_ratio %g", hallmark, name, grid.alphas[i], grid.l1_ratios[j])

    rows = data.balanced([], balancing, seed)
    chosen = TrainingSet(rows, residual[rows])
    model = fit_pipeline(data.X, data.feature_names, chosen, *tuned, grid.alphas, False, threads)
    return Expert(model, corrections, _summary(hallmark, data, residual, corrections[OUT_OF_FOLD], model, tuned))


def _corrections(paths: Paths, data: TrainingData, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Corrections are without the intercept, the mean residual: that is nothing a hallmark's CpGs have said."""
    return paths.predict(data.X, rows) - paths.intercept


def _best(
    predicted: NDArray[np.float64],
    n_features: NDArray[np.float64],
    target: NDArray[np.float64],
    projects: NDArray,
) -> tuple[int, int]:
    """Position (l1_ratio, alpha) of the best Score on the residual."""
    at = list(np.ndindex(predicted.shape[:2]))
    scores = [score_predictions(target, predicted[k], projects)["Score"] for k in at]
    return at[best_row(pd.DataFrame({"Score": scores, "n_features": [n_features[k] for k in at]}))]


def _summary(
    hallmark: str,
    data: TrainingData,
    residual: NDArray[np.float64],
    correction: pd.Series,
    model: Pipeline,
    tuned: tuple[float, float],
) -> dict[str, object]:
    """One row of the performance summary; a correction without skill out of fold has R2 at or below 0."""
    r2 = float(r2_score(residual, correction))
    return {
        "hallmark": hallmark,
        "features_offered": len(data.feature_names),
        "features_used": int(np.count_nonzero(model[-1].coef_)),
        "alpha": tuned[0],
        "l1_ratio": tuned[1],
        "MAE_Anchor": float(np.abs(residual).mean()),
        "MAE_Residual": float(np.abs(residual - correction).mean()),
        "R2_Residual": r2,
        "MAE_Anchor_Plus_Correction": float(np.abs(residual - correction).mean()),
        "skill": r2 > 0,
    }


def placeholder(hallmark: str, samples: pd.DataFrame) -> Expert:
    """Stand in for the expert of a skipped hallmark: no feature and no correction."""
    nothing = DummyRegressor(strategy="constant", constant=0.0).fit([[0.0]], [0.0])
    return Expert(nothing, samples[["sample_id"]], {"hallmark": hallmark, "skipped": True})


def stage2_manifest(summary: pd.DataFrame, weights: pd.DataFrame, skipped: Mapping[str, str]) -> dict[str, object]:
    """Each expert's file, features, hyperparameters and metrics, and why each skipped hallmark has none."""
    experts = {}
    for row in summary.to_dict("records"):
        hallmark = row["hallmark"]
        features = weights.loc[weights["hallmark"] == hallmark, "feature"].tolist()[1:]  # the intercept comes first
        experts[hallmark] = {
            "file": f"hallmarks/Hallmark_{hallmark}.joblib",
            "features": features,
            "hyperparameters": {key: row[key] for key in ("alpha", "l1_ratio")},
            "metrics": {key: value for key, value in row.items() if key not in ("hallmark", "alpha", "l1_ratio")},
        }
    return {"hallmarks": experts, "skipped": dict(skipped)}
