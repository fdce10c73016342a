"""How an expert's alpha and l1_ratio are tuned: in each view, on the folds that the view has seen."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.engine.elastic_net import fit_paths
from heteroage.errors import listed
from heteroage.metrics import score_predictions
from heteroage.stages.training_data import TrainingData, best_row, beyond, views

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Grid:
    """The alphas (in years, falling) and l1_ratios that experts are tuned over."""

    alphas: NDArray[np.float64]
    l1_ratios: Sequence[float]


@dataclass(frozen=True)
class View:
    """What one view's models correct, for each l1_ratio and alpha.

    corrections : (l1_ratios, alphas, samples), years; a sample of the unseen fold by the model without that fold alone,
        any other by the model without its own fold too
    n_features : (l1_ratios, alphas), summed over the tuning folds
    """

    name: str
    unseen: int | None
    alphas: NDArray[np.float64]
    corrections: NDArray[np.float64]
    n_features: NDArray[np.int64]
    target: NDArray[np.float64]
    fold: NDArray[np.int64]
    projects: NDArray

    def best(self) -> tuple[int, int]:
        """Position (l1_ratio, alpha) of the best Score on the residuals of the folds that the view has seen."""
        seen = np.full(len(self.fold), True) if self.unseen is None else self.fold != self.unseen
        at = list(np.ndindex(self.n_features.shape))
        scores = [
            score_predictions(self.target[seen], self.corrections[k][seen], self.projects[seen])["Score"] for k in at
        ]
        return at[best_row(pd.DataFrame({"Score": scores, "n_features": [self.n_features[k] for k in at]}))]

    def further(self) -> NDArray[np.float64]:
        """Alphas to go on with, where the best one is at an end."""
        j, i = self.best()
        return beyond(self.alphas, self.alphas[i], self.n_features[j, i] == 0)

    def joined(self, other: View) -> View:
        """Both views' alphas, falling."""
        alphas = np.concatenate([self.alphas, other.alphas])
        order = np.argsort(-alphas)
        return replace(
            self,
            alphas=alphas[order],
            corrections=np.concatenate([self.corrections, other.corrections], axis=1)[:, order],
            n_features=np.concatenate([self.n_features, other.n_features], axis=1)[:, order],
        )


def tuned_views(
    hallmark: str,
    data: TrainingData,
    targets: Mapping[str, NDArray[np.float64]],
    grid: Grid,
    configuration: Mapping[str, float],
    threads: int,
) -> Iterator[View]:
    """Fit the views' models, one view after another: the working sets of one view are in memory at a time.

    Where a view's best alpha is at an end of the grid, the grid goes on for that view.
    """
    for name, unseen in views(data.folds):
        view = _fit_view(hallmark, data, name, unseen, targets[name], grid, configuration, threads)
        while len(further := view.further()):
            log.info("%s, %s: best alpha at an end, going on with %s", hallmark, name, listed(further))
            own = replace(grid, alphas=further)
            view = view.joined(_fit_view(hallmark, data, name, unseen, targets[name], own, configuration, threads))
        yield view


def _fit_view(
    hallmark: str,
    data: TrainingData,
    name: str,
    unseen: int | None,
    target: NDArray[np.float64],
    grid: Grid,
    configuration: Mapping[str, float],
    threads: int,
) -> View:
    """Fit all models of a view: without each fold, to tune; without the unseen fold alone, to predict it."""
    excluded = [sorted({fold} if unseen is None else {fold, unseen}) for fold in data.folds]
    training = [data.training_set(folds, configuration, target) for folds in excluded]
    noise = [configuration["technical_sd"]]
    label = f"{hallmark}, {name}"
    fitted = fit_paths(data.X, training, grid.l1_ratios, grid.alphas, noise, data.noisy, threads, label)
    shape = (len(grid.l1_ratios), len(grid.alphas))
    corrections, n_features = np.empty((*shape, len(data.fold))), np.zeros(shape, np.int64)
    for fold, paths in zip(data.folds, fitted, strict=True):
        rows = np.flatnonzero(data.fold == fold)
        # Without the intercept, the mean residual: that is nothing a hallmark's CpGs have said.
        corrections[:, :, rows] = data.predict(paths, rows)[0] - paths.intercept
        if fold != unseen:
            n_features += paths.n_features[0]
    projects = data.samples["project_id"].to_numpy()
    return View(name, unseen, grid.alphas, corrections, n_features, target, data.fold, projects)
