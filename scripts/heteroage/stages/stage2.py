"""Stage 2, the hallmark experts: one elastic net per hallmark, fitted to the anchor's residual in years."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.clock.weights import weights_table
from heteroage.files import write_json, write_table
from heteroage.metrics import r2_against_none
from heteroage.stages.expert_tuning import Grid, tuned_views
from heteroage.stages.training_data import OUT_OF_FOLD, TrainingData, views

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Expert:
    """A trained expert: its model, weights table, corrections, and row of the summary."""

    model: Pipeline
    weights: pd.DataFrame
    corrections: pd.DataFrame
    summary: dict[str, object]


@dataclass(frozen=True)
class CrossFitted:
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


def cross_fit(
    hallmark: str,
    data: TrainingData,
    anchor: pd.DataFrame,
    grid: Grid,
    configuration: Mapping[str, float],
    threads: int = 1,
    only_predict: bool = False,
) -> CrossFitted:
    """Predict one hallmark's correction for each sample in every view.

    In each view the target is Age minus the anchor of that view. alpha and l1_ratio are those of the best Score over
    the view's own folds, so models that predict a fold are tuned and trained without it (see `training_data`).
    A correction has no intercept: it is 0 if the hallmark's features are at their means.

    Parameters
    ----------
    data : restricted to the hallmark's features
    anchor : the anchor's predictions, one column per view, in years
    configuration : configuration of the anchor; its balancing and technical_sd are also used here
    only_predict : do not tune a final model (its alpha and l1_ratio are NaN)
    """
    age = data.samples["Age"].to_numpy()
    corrections = pd.DataFrame({"sample_id": data.samples["sample_id"], OUT_OF_FOLD: np.nan})
    targets = {name: age - anchor[name].to_numpy() for name, _ in views(data.folds)}
    on_all_folds = (np.nan, np.nan)
    for view in tuned_views(hallmark, data, targets, grid, configuration, threads, only_predict):
        j, i = view.best
        tuned = float(view.alphas[i]), float(grid.l1_ratios[j])
        log.info("%s, %s: alpha %g, l1_ratio %g", hallmark, view.name, *tuned)
        if view.unseen is None:
            on_all_folds = tuned
            continue
        own = data.fold == view.unseen
        corrections[view.name] = view.corrections[j, i]
        corrections.loc[own, OUT_OF_FOLD] = view.corrections[j, i, own]
    return CrossFitted(corrections, targets[OUT_OF_FOLD], *on_all_folds)


def train_expert(
    hallmark: str,
    data: TrainingData,
    anchor: pd.DataFrame,
    grid: Grid,
    configuration: Mapping[str, float],
    threads: int = 1,
) -> Expert:
    """Cross-fit one hallmark's expert (see `cross_fit`), and fit the deployable model on all samples."""
    from heteroage.stages.deployable import fit_pipeline  # loads scikit-learn, which nothing else here needs

    fitted = cross_fit(hallmark, data, anchor, grid, configuration, threads)
    final = {**configuration, "alpha": fitted.alpha, "l1_ratio": fitted.l1_ratio}
    training_set = data.training_set([], configuration, fitted.target)
    model = fit_pipeline(data.X, data.feature_names, training_set, final, False, threads)
    weights = weights_table(model)
    weights.insert(0, "hallmark", hallmark)
    return Expert(model, weights, fitted.corrections, _summary(hallmark, data, fitted, model))


def _summary(hallmark: str, data: TrainingData, fitted: CrossFitted, model: Pipeline) -> dict[str, object]:
    """Return a row of the performance summary. An expert has skill if its out-of-fold R2 is above 0."""
    residual, correction = fitted.target, fitted.corrections[OUT_OF_FOLD]
    return {
        "hallmark": hallmark,
        "features_offered": len(data.feature_names),
        "features_used": int(np.count_nonzero(model[-1].coef_)),
        "alpha": fitted.alpha,
        "l1_ratio": fitted.l1_ratio,
        "MAE_Anchor": float(np.abs(residual).mean()),
        "R2_Residual": fitted.r2,
        "MAE_Anchor_Plus_Correction": float(np.abs(residual - correction).mean()),
        "skill": fitted.r2 > 0,
    }


def write_experts(
    corrections: Mapping[str, pd.DataFrame],
    weights: Sequence[pd.DataFrame],
    summaries: Sequence[Mapping[str, object]],
    skipped: Mapping[str, str],
    outputs: Mapping[str, str],
) -> None:
    """Write all experts' tables and their manifest.

    Parameters
    ----------
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
