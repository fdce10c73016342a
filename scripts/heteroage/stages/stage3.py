"""Stage 3, the fusion: LightGBM on corrections, tissue, sex and RF_PCs, boosting from the anchor.

Boosting starts from the anchor (`init_score`), and grouped cross-validation chooses the number of rounds. With zero
rounds the fusion returns the anchor.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.clock.artifacts import ANCHOR, CORRECTION, software_versions
from heteroage.files import read_table, rows_of
from heteroage.labels import UNKNOWN
from heteroage.metrics import group_errors, r2_against_none, score_predictions
from heteroage.probes import pc_columns
from heteroage.stages.intervals import calibrate
from heteroage.stages.rounds import Rounds, earned_rounds
from heteroage.stages.training_data import OUT_OF_FOLD, SAMPLE_COLUMNS, read_views, views

log = logging.getLogger(__name__)

CATEGORICAL = ("Tissue", "Sex")
# One thread, a fixed order of rows and a fixed seed give the same bytes for any number of cores.
REPRODUCIBLE = {"num_threads": 1, "deterministic": True, "force_row_wise": True, "seed": 1, "verbosity": -1}


@dataclass(frozen=True)
class FusionInput:
    """Input of the fusion, one row per sample, in the order of `samples`.

    anchor, corrections[hallmark] : frames with one column per view (see `training_data`), years
    pcs : frame of RF_PCs
    context : whether Tissue, Sex and RF_PCs are features
    """

    samples: pd.DataFrame
    anchor: pd.DataFrame
    corrections: Mapping[str, pd.DataFrame]
    pcs: pd.DataFrame
    context: bool = True

    @classmethod
    def open(cls, files: Mapping[str, str | Path]) -> FusionInput:
        """Read `samples`, `anchor`, `corrections` (one row per hallmark and sample) and `pcs` of the earlier stages."""
        samples, experts = read_table(files["samples"]), {}
        for hallmark, rows in read_table(files["corrections"]).groupby("hallmark", sort=False):
            experts[str(hallmark)] = rows.iloc[rows_of(samples["sample_id"], rows, files["corrections"])]
        pcs = read_table(files["pcs"])
        pcs = pcs.iloc[rows_of(samples["sample_id"], pcs, files["pcs"])]
        return cls(samples, read_views(files["anchor"], samples), experts, pcs)

    def anchor_plus_experts(self) -> NDArray[np.float64]:
        """Return (n,) anchor plus corrections of the experts with skill, out of fold, in years."""
        anchor = self.anchor[OUT_OF_FOLD].to_numpy()
        residual = self.samples["Age"].to_numpy() - anchor
        corrections = [table[OUT_OF_FOLD].to_numpy() for table in self.corrections.values()]
        return anchor + sum(own for own in corrections if r2_against_none(residual, own) > 0)

    def without_context(self) -> FusionInput:
        """Return the input with only the anchor and the corrections as features."""
        return replace(self, context=False)

    def frame(self, view: str) -> pd.DataFrame:
        """Return the features in one view."""
        frame = pd.DataFrame({ANCHOR: self.anchor[view].to_numpy()})
        for hallmark, table in self.corrections.items():
            frame[f"{hallmark}{CORRECTION}"] = table[view].to_numpy()
        if not self.context:
            return frame
        for name in CATEGORICAL:
            frame[name] = self.samples[name].to_numpy()
        for name in pc_columns(self.pcs.columns):
            frame[name] = self.pcs[name].to_numpy()
        return frame


@dataclass(frozen=True)
class Fusion:
    """The final fusion: its model, training features, categories, and the choice of its rounds."""

    booster: lgb.Booster
    frame: pd.DataFrame
    categories: dict[str, list[str]]
    rounds: Rounds


@dataclass(frozen=True)
class CrossFitted:
    """Out-of-fold predictions of this clock, and of the training procedure.

    predictions : Stage3_Final_Predictions_OOF. HeteroAge is computed with the rounds of the final fusion, so that
        error, acceleration line and intervals are those of the sealed clock
    procedure : (n,) HeteroAge, years, with the rounds chosen again without each fold. It estimates the error of tuning
        and training together, but the number of rounds may differ from that of the clock
    rounds : {fold: number of rounds chosen without it}
    summed : (n,) the anchor plus the corrections of the experts with skill, years
    """

    predictions: pd.DataFrame
    procedure: NDArray[np.float64]
    rounds: dict[int, int]
    summed: NDArray[np.float64]

    def errors(self) -> dict[str, dict[str, float]]:
        """Return MicroMAE, MacroMAE and MedAE (years) of the anchor, anchor plus experts, this clock, and procedure."""
        table = self.predictions
        ages = {"anchor": table[ANCHOR], "anchor_plus_experts": self.summed}
        ages |= {"this_clock": table["HeteroAge"], "procedure": self.procedure}
        scores = {name: score_predictions(table["Age"], values, table["project_id"]) for name, values in ages.items()}
        return {
            name: {key: all_of[key] for key in ("MicroMAE", "MacroMAE", "MedAE")} for name, all_of in scores.items()
        }


def categories_of(frame: pd.DataFrame) -> dict[str, list[str]]:
    """Return the known levels of each categorical feature, sorted and without "unknown"."""
    return {name: sorted(set(frame[name]) - {UNKNOWN}) for name in CATEGORICAL if name in frame.columns}


def encode(frame: pd.DataFrame, categories: Mapping[str, Sequence[str]]) -> NDArray[np.float64]:
    """Convert the features to LightGBM's matrix. Levels that are not in the categories become missing."""
    encoded = frame.copy()
    for name, levels in categories.items():
        encoded[name] = frame[name].map({level: code for code, level in enumerate(levels)}).astype(np.float64)
    return encoded.to_numpy(np.float64)


def tune_rounds(
    data: FusionInput, view: str, unseen: int | None, parameters: Mapping[str, object], max_rounds: int
) -> Rounds:
    """Choose the rounds in one view, by cross-validation over its folds."""
    frame, age = data.frame(view), data.samples["Age"].to_numpy()
    fold, group = data.samples["fold"].to_numpy(), data.samples["group"].to_numpy()
    absolute_error = np.full((len(age), max_rounds + 1), np.nan)
    for held_out in sorted(set(fold) - {unseen}):
        training = (fold != held_out) & (fold != unseen)
        categories = categories_of(frame[training])
        booster = boost(frame[training], age[training], categories, parameters, max_rounds)
        validation = fold == held_out
        ages = staged_ages(booster, frame[validation], categories, max_rounds)
        absolute_error[validation] = np.abs(ages - age[validation, None])
    seen = fold != unseen
    return earned_rounds(group_errors(absolute_error[seen], group[seen]))


def boost(
    frame: pd.DataFrame,
    age: NDArray[np.float64],
    categories: Mapping[str, Sequence[str]],
    parameters: Mapping[str, object],
    rounds: int,
) -> lgb.Booster:
    """Boost from the anchor for a number of rounds.

    With zero rounds, the model has one tree without splits that adds 0 years.
    """
    settings = {**parameters, **REPRODUCIBLE, "objective": "regression"}
    if rounds == 0:
        settings["min_data_in_leaf"] = len(frame) + 1
    dataset = lgb.Dataset(
        encode(frame, categories),
        label=age,
        init_score=frame[ANCHOR].to_numpy(),
        feature_name=list(frame.columns),
        categorical_feature=list(categories),
        params=settings,
    )
    return lgb.train(settings, dataset, num_boost_round=max(rounds, 1))


def fuse(booster: lgb.Booster, frame: pd.DataFrame, categories: Mapping[str, Sequence[str]]) -> NDArray[np.float64]:
    """Return HeteroAge in years: the anchor plus the sum of the trees."""
    return frame[ANCHOR].to_numpy(np.float64) + booster.predict(encode(frame, categories), num_threads=1)


def staged_ages(
    booster: lgb.Booster, frame: pd.DataFrame, categories: Mapping[str, Sequence[str]], rounds: int
) -> NDArray[np.float64]:
    """Return ages after 0, 1, ..., `rounds` rounds, (samples, rounds + 1).

    Rounds after the last tree change nothing.
    """
    matrix, trees = encode(frame, categories), booster.num_trees()
    added = [
        booster.predict(matrix, start_iteration=k, num_iteration=1, num_threads=1)
        if k < trees
        else np.zeros(len(matrix))
        for k in range(rounds)
    ]
    return np.cumsum([frame[ANCHOR].to_numpy(np.float64), *added], axis=0).T


def cross_fit(data: FusionInput, parameters: Mapping[str, object], max_rounds: int, final_rounds: int) -> CrossFitted:
    """Predict each fold with a fusion trained without it, on the view that excludes it.

    final_rounds : rounds of the final fusion; chosen on all folds, like Stage 1's configuration
    """
    fold, age = data.samples["fold"].to_numpy(), data.samples["Age"].to_numpy()
    this_clock, procedure, chosen = np.full(len(fold), np.nan), np.full(len(fold), np.nan), {}
    for view, unseen in views(sorted(set(fold))):
        if unseen is None:
            continue
        rounds = tune_rounds(data, view, unseen, parameters, max_rounds).chosen
        frame, training = data.frame(view), fold != unseen
        categories = categories_of(frame[training])
        most = max(rounds, final_rounds)
        booster = boost(frame[training], age[training], categories, parameters, most)
        ages = staged_ages(booster, frame[~training], categories, most)
        this_clock[~training], procedure[~training] = ages[:, final_rounds], ages[:, rounds]
        chosen[int(unseen)] = rounds
        log.info("fold %s: %d rounds chosen without it", unseen, rounds)
    table = data.samples[SAMPLE_COLUMNS].copy()
    table[ANCHOR] = data.anchor[OUT_OF_FOLD].to_numpy()
    table["HeteroAge"] = this_clock
    table["Age_Acceleration"] = table["HeteroAge"] - table["Age"]
    return CrossFitted(table, procedure, chosen, data.anchor_plus_experts())


def importance(booster: lgb.Booster, frame: pd.DataFrame, categories: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Gain, split count and mean absolute contribution (LightGBM's SHAP values, years) of each feature."""
    contributions = booster.predict(encode(frame, categories), pred_contrib=True, num_threads=1)
    table = pd.DataFrame(
        {
            "feature": booster.feature_name(),
            "gain": booster.feature_importance("gain"),
            "split_count": booster.feature_importance("split"),
            "mean_abs_contribution_years": np.abs(contributions[:, :-1]).mean(axis=0),
        }
    )
    return table.sort_values(["gain", "feature"], ascending=[False, True], ignore_index=True)


def train(data: FusionInput, parameters: Mapping[str, object], max_rounds: int) -> Fusion:
    """Train the final fusion on all training samples' out-of-fold features."""
    rounds = tune_rounds(data, OUT_OF_FOLD, None, parameters, max_rounds)
    frame, age = data.frame(OUT_OF_FOLD), data.samples["Age"].to_numpy()
    categories = categories_of(frame)
    log.info("fusion: %d rounds of at most %d", rounds.chosen, max_rounds)
    return Fusion(boost(frame, age, categories, parameters, rounds.chosen), frame, categories, rounds)


def metadata(
    fusion: Fusion,
    data: FusionInput,
    crossed: CrossFitted,
    parameters: Mapping[str, object],
    intervals: Mapping[str, float],
) -> dict[str, object]:
    """Return the content of Stage3_Artifacts.json: the data needed to apply the fusion, and the tuning results."""
    return {
        "parameters": {**parameters, **REPRODUCIBLE, "objective": "regression"},
        "boosting_rounds": fusion.rounds.chosen,
        "tuning": {**fusion.rounds.summary(), "rounds_chosen_without_fold": crossed.rounds},
        "errors_out_of_fold": crossed.errors(),
        "feature_order": list(fusion.frame.columns),
        "categories": fusion.categories,
        "pc_medians": {name: float(data.pcs[name].median()) for name in pc_columns(data.pcs.columns)},
        "acceleration_reference": acceleration_reference(crossed.predictions),
        "intervals": calibrate(crossed.predictions, data.samples["group"], **intervals),
        "software": software_versions(),
    }


def acceleration_reference(out_of_fold: pd.DataFrame) -> dict[str, float]:
    """Fit the least-squares line of HeteroAge on Age of the training out-of-fold predictions.

    Age_Acceleration_Residual is a sample's distance from this line, so that small cohorts need no line of their own.
    """
    age, predicted = out_of_fold["Age"].to_numpy(), out_of_fold["HeteroAge"].to_numpy()
    spread = age - age.mean()
    slope = float(spread @ (predicted - predicted.mean()) / (spread @ spread)) if spread.any() else 0.0
    return {"slope": slope, "intercept": float(predicted.mean() - slope * age.mean())}
