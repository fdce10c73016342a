"""Stage 2, the hallmark experts: one elastic net per hallmark, fitted to the anchor's residual in years.

In each view, alpha and l1_ratio are tuned by cross-validation over the view's own folds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.engine.elastic_net import Paths, fit_paths, learn_statistics, open_paths
from heteroage.errors import listed
from heteroage.files import write_json, write_table
from heteroage.metrics import mean_errors, r2_against_none, rows_by
from heteroage.stages.training_data import EXTENSION, OUT_OF_FOLD, TrainingData, beyond, log_grid, views

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

log = logging.getLogger(__name__)

DENSE = 0.5  # number of features of a dense model, as a fraction of the number of samples


@dataclass(frozen=True)
class ExpertGrid:
    """The alphas (in years, decreasing) and l1_ratios that are tried for experts."""

    alphas: NDArray[np.float64]
    l1_ratios: Sequence[float]

    @classmethod
    def of(cls, settings: Mapping) -> ExpertGrid:
        """Return the grid of the config's section stage2."""
        return cls(log_grid(**settings["alpha"]), settings["l1_ratio"])


@dataclass(frozen=True)
class Expert:
    """A trained expert: its model, weights table, corrections, and row of the summary."""

    model: Pipeline
    weights: pd.DataFrame
    corrections: pd.DataFrame
    summary: dict[str, object]


@dataclass(frozen=True)
class CrossFittedExpert:
    """An expert's corrections (sample_id, one column per view), and the target and parameters of the final model.

    target : Age minus the out-of-fold anchor, years
    alpha, l1_ratio : tuned on all folds
    """

    corrections: pd.DataFrame
    target: NDArray[np.float64]
    alpha: float
    l1_ratio: float

    @property
    def r2(self) -> float:
        """R2 of the out-of-fold corrections against no correction. The expert has skill where it is above 0."""
        return r2_against_none(self.target, self.corrections[OUT_OF_FOLD].to_numpy())


@dataclass(frozen=True)
class View:
    """Tuning of one view: models for each l1_ratio and alpha, each trained without a fold, which it predicts.

    corrections : (l1_ratios, alphas, samples), years; 0 for samples of the fold that the view has not seen
    n_features : (l1_ratios, alphas), summed over the tuning folds
    scores : (l1_ratios, alphas), Score on the residuals of the view's folds
    without : Score of no correction
    dense : number of features, summed over the tuning folds, from which models are dense
    """

    alphas: NDArray[np.float64]
    corrections: NDArray[np.float64]
    n_features: NDArray[np.int64]
    scores: NDArray[np.float64]
    without: float
    dense: float

    @cached_property
    def best(self) -> tuple[int, int]:
        """Return the position (l1_ratio, alpha) of the best Score. Ties go to the sparser, then to the earlier."""
        order = np.lexsort((self.n_features.ravel(), -self.scores.ravel()))
        return divmod(int(order[0]), len(self.alphas))

    def descends(self) -> bool:
        """Whether smaller alphas may be better: the models are sparse, or the last alpha is the best so far.

        In sparse models, the Score may decrease before it increases, because the first features may be noise. Dense
        models with a lower Score than at larger alphas fit the noise.
        """
        return self.n_features[:, -1].max() <= self.dense or self.best[1] == len(self.alphas) - 1

    def going_on(self) -> NDArray[np.bool_]:
        """Tell for each l1_ratio whether smaller alphas may be better, by the rule of `descends`."""
        return (self.n_features[:, -1] <= self.dense) | (self.scores.argmax(axis=1) == len(self.alphas) - 1)

    def further(self) -> NDArray[np.float64]:
        """Return alphas beyond the grid if the best one is at an end, otherwise none.

        Smaller alphas, which take the longest to solve, are not tried if the best correction is no better than none.
        """
        j, i = self.best
        alphas = beyond(self.alphas, self.alphas[i], self.n_features[j, i] == 0)
        downwards = len(alphas) > 0 and alphas[0] < self.alphas[-1]
        return np.empty(0) if downwards and self.scores[j, i] <= self.without else alphas

    def joined(self, other: View) -> View:
        """Combine two views; alphas are decreasing."""
        alphas = np.concatenate([self.alphas, other.alphas])
        order = np.argsort(-alphas)
        parts = ((name, getattr(self, name), getattr(other, name)) for name in ("corrections", "n_features", "scores"))
        both = {name: np.concatenate(own, axis=1)[:, order] for name, *own in parts}
        return replace(self, alphas=alphas[order], **both)


def cross_fit(
    hallmark: str,
    data: TrainingData,
    anchor: pd.DataFrame,
    grid: ExpertGrid,
    configuration: Mapping[str, float],
    only_predict: bool = False,
) -> CrossFittedExpert:
    """Predict one hallmark's correction for each sample in every view.

    In each view the target is Age minus the anchor of that view. alpha and l1_ratio are those of the best Score over
    the view's own folds, so models that predict a fold are tuned and trained without it (see `training_data`).
    A correction has no intercept: it is 0 if the hallmark's features are at their means.

    data : restricted to the hallmark's features
    anchor : the anchor's predictions, one column per view, in years
    configuration : configuration of the anchor; its balancing and technical_sd are also used here
    only_predict : tune no final model (its alpha and l1_ratio are NaN)
    """
    age = data.samples["Age"].to_numpy()
    corrections = pd.DataFrame({"sample_id": data.samples["sample_id"], OUT_OF_FOLD: np.nan})
    on_all_folds = (np.nan, np.nan)
    of_views = list(views(data.folds))[only_predict:]
    targets = {unseen: age - anchor[name].to_numpy() for name, unseen in of_views}
    # The models of each view: without each of the other folds too, and without the unseen fold alone.
    training = {
        (unseen, fold): data.training_set([k for k in (unseen, fold) if k is not None], configuration, targets[unseen])
        for unseen in targets
        for fold in data.folds
    }
    learnt = learn_statistics(data.X, list(training.values()), 1)
    noise, noisy = [configuration["technical_sd"]], data.noisy
    for name, unseen in of_views:
        label = f"{hallmark}, {name}"
        tuning = [training[unseen, fold] for fold in data.folds if fold != unseen]
        with open_paths(data.X, tuning, grid.l1_ratios, noise, noisy, 1, label, learnt) as solve:
            view = tune(label, data, unseen, targets[unseen], grid, solve)
        j, i = view.best
        tuned = float(view.alphas[i]), float(grid.l1_ratios[j])
        log.info("%s: alpha %g, l1_ratio %g", label, *tuned)
        if unseen is None:
            on_all_folds = tuned
            continue
        rows, correction = np.flatnonzero(data.fold == unseen), view.corrections[j, i]
        own, alphas = [training[unseen, unseen]], view.alphas[i : i + 1]
        alone = fit_paths(data.X, own, [tuned[1]], alphas, noise, noisy, 1, label, learnt)[0]
        correction[rows] = _corrections(data, alone, rows)[0, -1]
        corrections[name] = correction
        corrections.loc[rows, OUT_OF_FOLD] = correction[rows]
    return CrossFittedExpert(corrections, age - anchor[OUT_OF_FOLD].to_numpy(), *on_all_folds)


def tune(
    label: str,
    data: TrainingData,
    unseen: int | None,
    target: NDArray[np.float64],
    grid: ExpertGrid,
    solve: Callable[..., list[Paths]],
) -> View:
    """Predict each fold of a view by models that are trained without it and without the unseen fold.

    Small alphas take the longest to solve. So the grid is solved in parts, until smaller alphas cannot be better (see
    `View.descends`). An l1_ratio for which they cannot be better stays behind (see `View.going_on`). If the best alpha
    is at an end of the whole grid, the search continues beyond that end.

    solve : of `open_paths`, for the training sets without each fold but the unseen one
    """
    tuning = [fold for fold in data.folds if fold != unseen]
    seen = np.flatnonzero(data.fold != unseen)
    projects = rows_by(data.samples["project_id"].to_numpy()[seen])

    def score(corrections: NDArray[np.float64]) -> float:
        return -sum(mean_errors(np.abs(corrections[seen] - target[seen]), projects)) / 2

    without, dense = score(np.zeros(len(target))), DENSE * len(tuning) * len(target)

    def at(alphas: NDArray[np.float64], following: float | None = None, before: View | None = None) -> View:
        going_on = np.ones(len(grid.l1_ratios), bool) if before is None else before.going_on()
        fitted = solve(alphas, following, [ratio for ratio, own in zip(grid.l1_ratios, going_on, strict=True) if own])
        corrections = np.zeros((len(grid.l1_ratios), len(alphas), len(target)))
        for fold, of_fold in zip(tuning, fitted, strict=True):
            rows = np.flatnonzero(data.fold == fold)
            corrections[:, :, rows] = _corrections(data, of_fold, rows)
        n_features = np.sum([of_fold.n_features[0] for of_fold in fitted], axis=0)
        scores = np.array([[score(correction) for correction in of_ratio] for of_ratio in corrections])
        if before is not None:  # an l1_ratio that stays behind stays dense, and is not chosen
            n_features[~going_on], scores[~going_on] = before.n_features[~going_on, -1:], -np.inf
        return View(alphas, corrections, n_features, scores, without, dense)

    first, *others = np.split(grid.alphas, range(EXTENSION, len(grid.alphas), EXTENSION))
    view = at(first, others[0][0] if others else None)
    while others and view.descends():
        part = others.pop(0)
        view = view.joined(at(part, others[0][0] if others else None, view))
    while len(further := view.further()):
        log.info("%s: best alpha at an end of the grid, continuing with %s", label, listed(further))
        view = view.joined(at(further, before=view if further[0] < view.alphas[-1] else None))
    return view


def _corrections(data: TrainingData, paths: Paths, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Predict samples without the intercept, which no CpG of the hallmark explains; (l1_ratios, alphas, samples)."""
    return data.predict(paths, rows)[0] - paths.intercept


def train_expert(
    hallmark: str, data: TrainingData, anchor: pd.DataFrame, grid: ExpertGrid, configuration: Mapping[str, float]
) -> Expert:
    """Cross-fit one hallmark's expert (see `cross_fit`), and fit the deployable model on all samples."""
    # Loads scikit-learn, which nothing else here needs.
    from heteroage.stages.deployable import fit_pipeline, weights_table

    fitted = cross_fit(hallmark, data, anchor, grid, configuration)
    tuned = {"alpha": fitted.alpha, "l1_ratio": fitted.l1_ratio}
    training_set = data.training_set([], configuration, fitted.target)
    model = fit_pipeline(data.X, data.feature_names, training_set, {**configuration, **tuned}, False)
    weights = weights_table(model)
    weights.insert(0, "hallmark", hallmark)
    summary = {
        "hallmark": hallmark,
        "features_offered": len(data.feature_names),
        "features_used": int(np.count_nonzero(model[-1].coef_)),
        **tuned,
        "MAE_Anchor": float(np.abs(fitted.target).mean()),
        "R2_Residual": fitted.r2,
        "MAE_Anchor_Plus_Correction": float(np.abs(fitted.target - fitted.corrections[OUT_OF_FOLD]).mean()),
        "skill": fitted.r2 > 0,
    }
    return Expert(model, weights, fitted.corrections, summary)


def write_experts(
    corrections: Mapping[str, pd.DataFrame],
    weights: Sequence[pd.DataFrame],
    summaries: Sequence[Mapping[str, object]],
    skipped: Mapping[str, str],
    outputs: Mapping[str, str],
) -> None:
    """Write all experts' tables and their manifest.

    corrections : {hallmark: sample_id and a column per view}
    weights, summaries : a table, and a row, of each expert
    skipped : {hallmark without an expert: reason}
    outputs : paths of `views` (all corrections, a row per hallmark and sample), `out_of_fold` (a column per hallmark),
        `weights`, `summary`, and the manifest under its two names, `manifest` and `same_manifest`
    """
    ids = next(iter(corrections.values()))["sample_id"]
    columns = {f"{hallmark}_Correction": table[OUT_OF_FOLD] for hallmark, table in corrections.items()}
    long = [table.assign(hallmark=hallmark) for hallmark, table in corrections.items()]
    summary, all_weights = pd.DataFrame(summaries), pd.concat(weights)
    write_table(pd.concat(long), outputs["views"])
    write_table(pd.DataFrame({"sample_id": ids, **columns}), outputs["out_of_fold"])
    write_table(all_weights, outputs["weights"])
    write_table(summary, outputs["summary"])
    for name in ("manifest", "same_manifest"):
        write_json(stage2_manifest(summary, all_weights, skipped), outputs[name])


def stage2_manifest(summary: pd.DataFrame, weights: pd.DataFrame, skipped: Mapping[str, str]) -> dict[str, object]:
    """Return each expert's file, features, hyperparameters and metrics, and the reasons of skipped hallmarks."""
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
