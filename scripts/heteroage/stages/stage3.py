"""Stage 3, the fusion: LightGBM on corrections, tissue, sex and RF_PCs, boosting from the anchor.

Boosting starts from the anchor (`init_score`), and grouped cross-validation chooses the number of rounds. With zero
rounds the fusion returns the anchor.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from heteroage.stages.intervals import calibrate_intervals
from heteroage.stages.training_data import OUT_OF_FOLD, SAMPLE_COLUMNS, read_views, views

log = logging.getLogger(__name__)

# Fewest groups from which the fusion may learn. A fusion of three groups can learn one group's offset, which no other
# group contradicts: in one of twenty draws of few studies it took an error from 6 to 17 years (docs/evaluation.md).
FEWEST_TO_LEARN_FROM = 5
CATEGORICAL = ("Tissue", "Sex")
# One thread, a fixed order of rows and a fixed seed give the same bytes for any number of cores.
FIXED = {"num_threads": 1, "deterministic": True, "force_row_wise": True, "seed": 1, "verbosity": -1}
FIXED |= {"objective": "regression"}
PROCEDURE = ["Procedure", "Rounds"]  # columns of cross-fitting: the rounds chosen without the sample's fold, their ages


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
        return cls(samples, read_views(files["anchor"], samples), experts, read_views(files["pcs"], samples))

    def anchor_plus_experts(self) -> NDArray[np.float64]:
        """Return (n,) anchor plus corrections of the experts with skill, out of fold, in years."""
        anchor = self.anchor[OUT_OF_FOLD].to_numpy()
        residual = self.samples["Age"].to_numpy() - anchor
        corrections = [table[OUT_OF_FOLD].to_numpy() for table in self.corrections.values()]
        return anchor + sum(own for own in corrections if r2_against_none(residual, own) > 0)

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
    """A trained fusion: LightGBM's model, and the known levels of each categorical feature."""

    booster: lgb.Booster
    categories: dict[str, list[str]]

    @classmethod
    def boost(
        cls, frame: pd.DataFrame, age: NDArray[np.float64], parameters: Mapping[str, object], rounds: int
    ) -> Fusion:
        """Boost from the anchor for a number of rounds.

        With zero rounds, the model has one tree without splits that adds 0 years. "unknown" is not a level.
        """
        settings = {**parameters, **FIXED}
        if rounds == 0:
            settings["min_data_in_leaf"] = len(frame) + 1
        categories = {name: sorted(set(frame[name]) - {UNKNOWN}) for name in CATEGORICAL if name in frame.columns}
        dataset = lgb.Dataset(
            encode(frame, categories),
            label=age,
            init_score=frame[ANCHOR].to_numpy(),
            feature_name=list(frame.columns),
            categorical_feature=list(categories),
            params=settings,
        )
        return cls(lgb.train(settings, dataset, num_boost_round=max(rounds, 1)), categories)

    def predict(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Return HeteroAge in years: the anchor plus the sum of the trees."""
        added = self.booster.predict(encode(frame, self.categories), num_threads=1)
        return frame[ANCHOR].to_numpy(np.float64) + added

    def staged_ages(self, frame: pd.DataFrame, rounds: int) -> NDArray[np.float64]:
        """Return ages after 0, 1, ..., `rounds` rounds, (samples, rounds + 1).

        Rounds after the last tree change nothing.
        """
        matrix, one_tree = encode(frame, self.categories), {"num_iteration": 1, "num_threads": 1}
        added = [self.booster.predict(matrix, start_iteration=k, **one_tree) for k in range(rounds)]
        return np.cumsum([frame[ANCHOR].to_numpy(np.float64), *added], axis=0).T

    def importance(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Tabulate gain, split count and mean absolute contribution (LightGBM's SHAP values, years) of each feature."""
        contributions = self.booster.predict(encode(frame, self.categories), pred_contrib=True, num_threads=1)
        table = pd.DataFrame(
            {
                "feature": self.booster.feature_name(),
                "gain": self.booster.feature_importance("gain"),
                "split_count": self.booster.feature_importance("split"),
                "mean_abs_contribution_years": np.abs(contributions[:, :-1]).mean(axis=0),
            }
        )
        return table.sort_values(["gain", "feature"], ascending=[False, True], ignore_index=True)


def encode(frame: pd.DataFrame, categories: Mapping[str, Sequence[str]]) -> NDArray[np.float64]:
    """Convert the features to LightGBM's matrix. Levels that are not in the categories become missing."""
    encoded = frame.copy()
    for name, levels in categories.items():
        encoded[name] = frame[name].map({level: code for code, level in enumerate(levels)}).astype(np.float64)
    return encoded.to_numpy(np.float64)


def choose_rounds(errors: NDArray[np.float64]) -> pd.DataFrame:
    """Choose the number of boosting rounds by the one-standard-error rule.

    errors : (groups, rounds + 1), each group's MAE after 0, 1, ... rounds, in years
    Returns the tuning curve: rounds, Group_MAE (mean over groups), Paired_SE (standard error of the mean difference to
    the best round, years; NaN for one group) and chosen. It chooses the smallest number whose mean error exceeds the
    best one by at most one standard error of the difference (Breiman et al. 1984). The standard error is that of the
    paired differences over groups, because the groups' own levels differ much more than the compared errors. So the
    result is 0 unless the best error is smaller than that of the anchor (round 0) by more than one paired standard
    error. It is also 0 with fewer than `FEWEST_TO_LEARN_FROM` groups.
    """
    groups, curve, rounds = len(errors), errors.mean(axis=0), np.arange(errors.shape[1])
    difference = errors - errors[:, [int(np.argmin(curve))]]
    paired = difference.std(axis=0, ddof=1) / np.sqrt(groups) if groups > 1 else np.full(len(curve), np.nan)
    chosen = np.argmax(difference.mean(axis=0) <= paired) if groups >= FEWEST_TO_LEARN_FROM else 0
    return pd.DataFrame({"rounds": rounds, "Group_MAE": curve, "Paired_SE": paired, "chosen": rounds == chosen})


def tune_rounds(
    data: FusionInput, view: str, unseen: int | None, parameters: Mapping[str, object], max_rounds: int
) -> tuple[int, pd.DataFrame]:
    """Choose the rounds in one view, by cross-validation over its folds; returns them and the tuning curve."""
    frame, age = data.frame(view), data.samples["Age"].to_numpy()
    fold, group = data.samples["fold"].to_numpy(), data.samples["group"].to_numpy()
    absolute_error = np.full((len(age), max_rounds + 1), np.nan)
    for held_out in sorted(set(fold) - {unseen}):
        training, validation = (fold != held_out) & (fold != unseen), fold == held_out
        fusion = Fusion.boost(frame[training], age[training], parameters, max_rounds)
        ages = fusion.staged_ages(frame[validation], max_rounds)
        absolute_error[validation] = np.abs(ages - age[validation, None])
    seen = fold != unseen
    curve = choose_rounds(group_errors(absolute_error[seen], group[seen]))
    return int(curve["chosen"].argmax()), curve


def cross_fit(data: FusionInput, parameters: Mapping[str, object], max_rounds: int, final_rounds: int) -> pd.DataFrame:
    """Predict each fold with a fusion trained without it, on the view that excludes it.

    final_rounds : rounds of the final fusion; chosen on all folds, like Stage 1's configuration
    Returns Stage3_Final_Predictions_OOF and the columns `PROCEDURE`. HeteroAge is computed with the rounds of the final
    fusion, so that error, acceleration line and intervals are those of the sealed clock. Procedure is HeteroAge (years)
    with `Rounds`, chosen again without the sample's fold. It estimates the error of tuning and training together, but
    the number of rounds may differ from that of the clock.
    """
    fold, age = data.samples["fold"].to_numpy(), data.samples["Age"].to_numpy()
    table = data.samples[SAMPLE_COLUMNS].assign(**{ANCHOR: data.anchor[OUT_OF_FOLD].to_numpy(), "HeteroAge": np.nan})
    table = table.assign(Age_Acceleration=np.nan, Procedure=np.nan, Rounds=0)
    _, *without_fold = views(sorted(set(fold)))
    for view, unseen in without_fold:
        rounds, _ = tune_rounds(data, view, unseen, parameters, max_rounds)
        frame, training, most = data.frame(view), fold != unseen, max(rounds, final_rounds)
        ages = Fusion.boost(frame[training], age[training], parameters, most).staged_ages(frame[~training], most)
        table.loc[~training, "HeteroAge"], table.loc[~training, "Procedure"] = ages[:, final_rounds], ages[:, rounds]
        table.loc[~training, "Rounds"] = rounds
        log.info("fold %s: %d rounds chosen without it", unseen, rounds)
    return table.assign(Age_Acceleration=table["HeteroAge"] - table["Age"])


def train(data: FusionInput, parameters: Mapping[str, object], max_rounds: int) -> tuple[Fusion, pd.DataFrame]:
    """Train the final fusion on all training samples' out-of-fold features; returns it and its tuning curve."""
    rounds, curve = tune_rounds(data, OUT_OF_FOLD, None, parameters, max_rounds)
    log.info("fusion: %d rounds of at most %d", rounds, max_rounds)
    return Fusion.boost(data.frame(OUT_OF_FOLD), data.samples["Age"].to_numpy(), parameters, rounds), curve


def metadata(
    fusion: Fusion,
    curve: pd.DataFrame,
    data: FusionInput,
    crossed: pd.DataFrame,
    parameters: Mapping[str, object],
    intervals: Mapping[str, float],
) -> dict[str, object]:
    """Return the content of Stage3_Artifacts.json: the data needed to apply the fusion, and the tuning results."""
    chosen, best, error = int(curve["chosen"].argmax()), int(curve["Group_MAE"].argmin()), curve["Group_MAE"].tolist()
    paired = float(curve["Paired_SE"].iloc[0])
    return {
        "parameters": {**parameters, **FIXED},
        "boosting_rounds": chosen,
        "tuning": {
            "group_mae_of_anchor": error[0],
            "group_mae_at_chosen_rounds": error[chosen],
            "group_mae_at_best_rounds": error[best],
            "best_rounds": best,
            "paired_standard_error_of_best_and_anchor": None if np.isnan(paired) else paired,
            "rounds_chosen_without_fold": crossed.groupby("fold")["Rounds"].first().to_dict(),
        },
        "errors_out_of_fold": errors_out_of_fold(data, crossed),
        "feature_order": fusion.booster.feature_name(),
        "categories": fusion.categories,
        "pc_medians": {name: float(data.pcs[name].median()) for name in pc_columns(data.pcs.columns)},
        "acceleration_reference": acceleration_reference(crossed),
        "intervals": calibrate_intervals(crossed, data.samples["group"], **intervals),
        "software": software_versions(),
    }


def errors_out_of_fold(data: FusionInput, crossed: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return MicroMAE, MacroMAE and MedAE (years) of the anchor, anchor plus experts, this clock, and procedure."""
    ages, errors = {"anchor": crossed[ANCHOR], "anchor_plus_experts": data.anchor_plus_experts()}, {}
    for name, values in (ages | {"this_clock": crossed["HeteroAge"], "procedure": crossed["Procedure"]}).items():
        scores = score_predictions(crossed["Age"], values, crossed["project_id"])
        errors[name] = {key: scores[key] for key in ("MicroMAE", "MacroMAE", "MedAE")}
    return errors


def acceleration_reference(out_of_fold: pd.DataFrame) -> dict[str, float]:
    """Fit the least-squares line of HeteroAge on Age of the training out-of-fold predictions.

    Age_Acceleration_Residual is HeteroAge minus this line. A small cohort therefore needs no line of its own.
    """
    age, predicted = out_of_fold["Age"].to_numpy(), out_of_fold["HeteroAge"].to_numpy()
    spread = age - age.mean()
    slope = float(spread @ (predicted - predicted.mean()) / (spread @ spread)) if spread.any() else 0.0
    return {"slope": slope, "intercept": float(predicted.mean() - slope * age.mean())}
