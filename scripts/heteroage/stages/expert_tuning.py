"""Tuning of an expert's alpha and l1_ratio, separately in each view, by cross-validation over the view's folds."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.engine.elastic_net import Paths, open_paths
from heteroage.errors import listed
from heteroage.metrics import mean_errors, rows_by
from heteroage.stages.training_data import EXTENSION, TrainingData, best_row, beyond, views

log = logging.getLogger(__name__)
DENSE = 0.5  # features of a model, as a share of the samples


@dataclass(frozen=True)
class Grid:
    """The alphas (in years, decreasing) and l1_ratios that are tried for experts."""

    alphas: NDArray[np.float64]
    l1_ratios: Sequence[float]


@dataclass(frozen=True)
class View:
    """Corrections of one view's models, for each l1_ratio and alpha.

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

    @cached_property
    def best(self) -> tuple[int, int]:
        """Return the position (l1_ratio, alpha) of the best Score on the residuals of the view's folds."""
        at = list(np.ndindex(self.n_features.shape))
        scores = [self._score(self.corrections[k]) for k in at]
        return at[best_row(pd.DataFrame({"Score": scores, "n_features": [self.n_features[k] for k in at]}))]

    def descends(self) -> bool:
        """Whether smaller alphas may be better: the models are sparse, or the last alpha is the best so far.

        While models are sparse the Score may fall before it rises, as the first features that enter are noise. Dense
        models that are worse than those of larger alphas only fit the noise closer.
        """
        tuning = [fold for fold in np.unique(self.fold) if fold != self.unseen]
        dense = self.n_features[:, -1].max() > DENSE * len(tuning) * len(self.fold)
        return not dense or self.best[1] == len(self.alphas) - 1

    def further(self) -> NDArray[np.float64]:
        """Return alphas beyond the grid if the best one is at an end, otherwise none.

        Smaller alphas are not tried where the best correction is no better than none: they fit the residual closer, and
        take the longest to solve.
        """
        j, i = self.best
        alphas = beyond(self.alphas, self.alphas[i], self.n_features[j, i] == 0)
        downwards = len(alphas) > 0 and alphas[0] < self.alphas[-1]
        useless = self._score(self.corrections[j, i]) <= self._score(np.zeros(len(self.fold)))
        return np.empty(0) if downwards and useless else alphas

    def _score(self, corrections: NDArray[np.float64]) -> float:
        seen, projects = self._seen
        return -sum(mean_errors(np.abs(corrections[seen] - self.target[seen]), projects)) / 2

    @cached_property
    def _seen(self) -> tuple[NDArray[np.bool_], list[NDArray[np.int64]]]:
        """Which samples the view has seen, and the positions of each project's among these."""
        seen = np.full(len(self.fold), True) if self.unseen is None else self.fold != self.unseen
        return seen, rows_by(self.projects[seen])

    def joined(self, other: View) -> View:
        """Combine two views; alphas are decreasing."""
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
    only_predict: bool = False,
) -> Iterator[View]:
    """Fit the views' models, one view after another: the working sets of one view are in memory at a time.

    A view walks down the grid in parts, as small alphas take the longest, until they cannot be better (see `descends`).
    Where the best alpha is at an end of the whole grid, it goes on beyond that end.

    `only_predict` leaves out the view of all folds, which tunes the final model.
    """
    for name, unseen in list(views(data.folds))[only_predict:]:
        yield _tuned_view(hallmark, data, name, unseen, targets[name], grid, configuration, threads)


def _tuned_view(
    hallmark: str,
    data: TrainingData,
    name: str,
    unseen: int | None,
    target: NDArray[np.float64],
    grid: Grid,
    configuration: Mapping[str, float],
    threads: int,
) -> View:
    """Fit all models of a view: without each fold for tuning, and without the unseen fold only for predicting it."""
    excluded = [sorted({fold} if unseen is None else {fold, unseen}) for fold in data.folds]
    training = [data.training_set(folds, configuration, target) for folds in excluded]
    noise, label = [configuration["technical_sd"]], f"{hallmark}, {name}"
    with open_paths(data.X, training, grid.l1_ratios, noise, data.noisy, threads, label) as solve:

        def at(alphas: NDArray[np.float64]) -> View:
            return _view(data, name, unseen, target, replace(grid, alphas=alphas), solve(alphas))

        first, *others = np.split(grid.alphas, range(EXTENSION, len(grid.alphas), EXTENSION))
        view = at(first)
        while others and view.descends():
            view = view.joined(at(others.pop(0)))
        while len(further := view.further()):
            log.info("%s: best alpha at an end of the grid, continuing with %s", label, listed(further))
            view = view.joined(at(further))
    return view


def _view(
    data: TrainingData, name: str, unseen: int | None, target: NDArray[np.float64], grid: Grid, fitted: list[Paths]
) -> View:
    """Compute the corrections of a view's models, fitted without each fold."""
    shape = (len(grid.l1_ratios), len(grid.alphas))
    corrections, n_features = np.empty((*shape, len(data.fold))), np.zeros(shape, np.int64)
    for fold, paths in zip(data.folds, fitted, strict=True):
        rows = np.flatnonzero(data.fold == fold)
        # The intercept (the mean residual) is removed, because it does not depend on the hallmark's CpGs.
        corrections[:, :, rows] = data.predict(paths, rows)[0] - paths.intercept
        if fold != unseen:
            n_features += paths.n_features[0]
    projects = data.samples["project_id"].to_numpy()
    return View(name, unseen, grid.alphas, corrections, n_features, target, data.fold, projects)
