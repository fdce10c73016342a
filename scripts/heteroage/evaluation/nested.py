"""Nested runs: prediction of their held-out samples, by the code that users run, and the errors of these predictions.

The table of nested predictions has one row per healthy sample with a known age, predicted by the run without its outer
fold. Intervals are computed by bootstrap over projects, because the samples of a project are not independent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.age import age_band
from heteroage.clock.artifacts import ANCHOR, CORRECTION
from heteroage.errors import HeteroAgeError, listed
from heteroage.matrix import values_of
from heteroage.metrics import score_predictions
from heteroage.probes import pc_columns

if TYPE_CHECKING:
    from heteroage.clock.predict import Clock

IDENTITY = ["sample_id", "Tissue", "Sex", "Age"]
# {column of the predictions: title}
MODELS = {
    "HeteroAge": "HeteroAge",
    "Stage1_Pred_Age": "anchor alone",
    "Training_Mean_Age": "mean age of the training samples",
}
STRATA = ("project_id", "Tissue", "Sex", "Age_Band", "Platform")
# {column of the predictions: stage}
STAGES = {
    "Stage1_Pred_Age": "anchor",
    "Anchor_Plus_Experts": "anchor_plus_experts",
    "Fusion_Without_Context": "fusion_without_context",
    "HeteroAge": "full",
}
CLEAR = 2.0  # standard errors; chance exceeds them in about 5% of comparisons
WHAT_IS_ADDED = {
    "anchor_plus_experts": "Adding the corrections of the experts with skill to the anchor",
    "fusion_without_context": "Fusing the corrections by LightGBM instead of adding them",
    "full": "Tissue, sex and RF_PCs",
}
FEWEST_PROJECTS = 3  # minimum number of projects for a bootstrap interval
ACCURACY_COLUMNS = ["model", "stratum", "level", "n", "n_projects", "MAE", "MAE_Lower", "MAE_Upper", "MedAE", "Bias"]
ACCURACY_COLUMNS += ["R", "R2", "MacroMAE", "MacroMAE_Lower", "MacroMAE_Upper", "MacroR"]
DRAWS, SEED = 2000, 1
INTERVAL = (2.5, 97.5)  # per cent


def held_out_samples(samples: pd.DataFrame, outer_fold: int) -> pd.DataFrame:
    """Return the samples of one outer fold with a known age, healthy or not; the index is the column in the store."""
    return samples[(samples["outer_fold"] == outer_fold) & samples["Age"].notna()]


def master_table(
    cpgs: Collection[str],
    store: NDArray[np.float32],
    feature_names: Sequence[str],
    samples: pd.DataFrame,
    pcs: pd.DataFrame | None,
) -> pd.DataFrame:
    """Build the input table of these samples: metadata, `cpgs` (those that the clock reads), and RF_PCs.

    store : (features, all samples)
    samples : rows of the store's samples, indexed by their column in it
    pcs : the user's table of RF_PCs, for a clock that was trained on one; NaN for samples that are not in it
    """
    read = set(cpgs)
    wanted = [name for name in feature_names if name in read]
    values = values_of(store, feature_names, wanted, samples.index.to_numpy())
    betas = pd.DataFrame(values, columns=wanted, dtype=np.float64)
    parts = [samples[IDENTITY].reset_index(drop=True), betas]
    if pcs is not None:
        known = pcs.set_index("sample_id")[pc_columns(pcs.columns)]
        parts.append(known.reindex(samples["sample_id"]).reset_index(drop=True))
    return pd.concat(parts, axis=1)


def anchor_plus_experts(predictions: pd.DataFrame, experts: pd.DataFrame) -> pd.Series:
    """Return the anchor plus the corrections of the experts that had skill in training, in years."""
    skilled = experts.loc[experts["skill"], "hallmark"] + CORRECTION
    return predictions[ANCHOR] + predictions[list(skilled)].sum(axis=1)


def predict_held_out(clock: Clock, samples: pd.DataFrame, master: pd.DataFrame, mean_age: float) -> pd.DataFrame:
    """Predict the held-out samples; adds project, health, platform (if known), outer fold and mean training age."""
    table = clock.for_our_tables().predict(master)
    known = samples.reset_index(drop=True).rename(columns={"outer_fold": "fold"})
    for after, added in (("sample_id", ["project_id", "group"]), ("Age", ["fold", "Is_Healthy", "Platform"])):
        for place, name in enumerate(added, start=table.columns.get_loc(after) + 1):
            if name in known:
                table.insert(place, name, known[name])
    if clock.meta["intervals"] is None:
        table["HeteroAge_Lower"] = table["HeteroAge_Upper"] = np.nan
    return table.assign(Training_Mean_Age=mean_age)


def strata(predictions: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield (stratum, level, rows): all samples, then each project, tissue, sex, age band and platform."""
    yield "all", "all", predictions
    banded = predictions.assign(Age_Band=age_band(predictions["Age"]))
    for stratum in (name for name in STRATA if name in banded):
        for level, rows in banded.groupby(stratum, sort=True):
            yield stratum, str(level), rows


def accuracy(predictions: pd.DataFrame, models: Iterable[str] = MODELS) -> pd.DataFrame:
    """Tabulate the errors of HeteroAge, the anchor and the training-mean predictor (or `models`) in each stratum.

    Returns a frame with model, stratum, level, n, n_projects, MAE with its 95% interval (MAE_Lower, MAE_Upper; empty
    where there are fewer than 3 projects), MedAE, Bias (mean of predicted - actual), R, R2 (1 - squared error relative
    to that of the stratum's own mean age), all in years; for all samples MacroMAE, its interval, and MacroR too.
    """
    rows = []
    for model in models:
        for stratum, level, table in strata(predictions):
            error = (table[model] - table["Age"]).to_numpy()
            spread = ((table["Age"] - table["Age"].mean()) ** 2).sum()
            scores = score_predictions(table["Age"], table[model], table["project_id"])
            micro, macro = bootstrap_mae(np.abs(error), table["project_id"].to_numpy())
            row = {"model": model, "stratum": stratum, "level": level, "n": len(table)}
            row |= {"n_projects": table["project_id"].nunique(), "MAE": scores["MicroMAE"], "MedAE": scores["MedAE"]}
            row |= {"MAE_Lower": micro[0], "MAE_Upper": micro[1], "Bias": error.mean(), "R": scores["MicroR"]}
            row["R2"] = 1 - (error**2).sum() / spread if spread > 0 else np.nan
            if stratum == "all":
                row |= {"MacroMAE": scores["MacroMAE"], "MacroR": scores["MacroR"]}
                row["MacroMAE_Lower"], row["MacroMAE_Upper"] = macro
            rows.append(row)
    return pd.DataFrame(rows, columns=ACCURACY_COLUMNS)


def bootstrap_mae(
    absolute_error: NDArray[np.float64], projects: NDArray
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Compute 95% percentile intervals of the MAE over samples, and of the mean over projects of each project's MAE.

    Whole projects are drawn with replacement (Field and Welsh, JRSS B 69:369, 2007).
    """
    code, names = pd.factorize(projects, sort=True)
    if len(names) < FEWEST_PROJECTS:
        return (np.nan, np.nan), (np.nan, np.nan)
    size, total = np.bincount(code), np.bincount(code, absolute_error)
    times = np.random.default_rng(SEED).multinomial(len(names), np.full(len(names), 1 / len(names)), DRAWS)
    micro = (times @ total) / (times @ size)
    macro = times @ (total / size) / len(names)
    return tuple(np.percentile(micro, INTERVAL)), tuple(np.percentile(macro, INTERVAL))


def coverage(predictions: pd.DataFrame) -> pd.DataFrame:
    """Tabulate the fraction of ages within HeteroAge_Lower to HeteroAge_Upper, by stratum.

    Returns a frame with stratum, level, n, n_projects, coverage (share of the samples), group_coverage (mean over
    groups of each group's share: what the intervals are calibrated for), median_width (years).
    """
    rows = []
    for stratum, level, table in strata(predictions.dropna(subset=["HeteroAge_Lower", "HeteroAge_Upper"])):
        lower, upper = table["HeteroAge_Lower"], table["HeteroAge_Upper"]
        inside = (lower <= table["Age"]) & (table["Age"] <= upper)
        rows.append(
            {
                "stratum": stratum,
                "level": level,
                "n": len(table),
                "n_projects": table["project_id"].nunique(),
                "coverage": inside.mean(),
                "group_coverage": inside.groupby(table["group"]).mean().mean(),
                "median_width": (upper - lower).median(),
            }
        )
    return pd.DataFrame(rows)


def _errors(table: pd.DataFrame, column: str) -> dict[str, float]:
    scores = score_predictions(table["Age"], table[column], table["project_id"])
    return {"MicroMAE": scores["MicroMAE"], "MacroMAE": scores["MacroMAE"], "R": scores["MicroR"]}


def ablation(predictions: pd.DataFrame) -> pd.DataFrame:
    """Tabulate nested errors of the anchor, the anchor with experts, the fusion without context, and the full clock.

    predictions : nested predictions with `group`, Anchor_Plus_Experts (of those with skill) and Fusion_Without_Context,
        in years
    Returns a frame with model, MicroMAE, MacroMAE, R; Minus_Anchor and Minus_Previous: mean over groups of the group's
    MAE minus that of the anchor, or of the row above (years, negative is better), and the standard errors of these
    paired differences (`Minus_Anchor_SE`, `Minus_Previous_SE`; empty where there is a single group).
    """
    table = predictions.rename(columns=STAGES)
    stages = list(STAGES.values())
    by_group = table[stages].sub(table["Age"], axis=0).abs().groupby(table["group"]).mean()
    rows = []
    for model, previous in zip(stages, [stages[0], *stages[:-1]], strict=True):
        row = {"model": model} | _errors(table, model)
        row["Minus_Anchor"], row["Minus_Anchor_SE"] = paired(by_group[model] - by_group["anchor"])
        row["Minus_Previous"], row["Minus_Previous_SE"] = paired(by_group[model] - by_group[previous])
        rows.append(row)
    return pd.DataFrame(rows)


def paired(difference: pd.Series) -> tuple[float, float]:
    """Return the mean of the groups' differences, and its standard error (NaN for a single group)."""
    return float(difference.mean()), float(difference.std(ddof=1) / np.sqrt(len(difference)))


def what_stages_add(ablation: pd.DataFrame) -> list[str]:
    """Describe by how much experts, fusion and context change the nested error, in a sentence each.

    A difference is measurable if it is larger than `CLEAR` standard errors.
    """
    said = []
    for row in ablation.iloc[1:].to_dict("records"):
        change, error = row["Minus_Previous"], row["Minus_Previous_SE"]
        years = f" ({change:+.2f} years, paired standard error {error:.2f})"
        if not change:
            effect = "changed nothing"
        elif abs(change) <= CLEAR * error or np.isnan(error):
            effect = f"made no measurable difference{years}"
        else:
            effect = f"made the error {'smaller' if change < 0 else 'larger'}{years}"
        said.append(f"{WHAT_IS_ADDED[row['model']]} {effect}.")
    return said


def optimism(
    nested: pd.DataFrame, out_of_fold: pd.DataFrame, random_split: pd.DataFrame, sweep_report: Mapping[str, float]
) -> pd.DataFrame:
    """Tabulate errors of the same clock by four ways of scoring, and their differences to the nested error.

    nested, out_of_fold, random_split : predictions with HeteroAge and Stage1_Pred_Age. In `random_split` samples
        were assigned to folds at random, so that a study is on both sides
    sweep_report : the selected row of Stage 1's sweep, which scores the anchor on the folds that selected it
    Returns a frame with scoring, model, MicroMAE, MacroMAE, R and Gap_Years (nested MicroMAE of the model minus this).
    """
    rows = []
    for model in ("HeteroAge", ANCHOR):
        scored = {"random_split": _errors(random_split, model)}
        if model == ANCHOR:
            best = {"MicroMAE": "MicroMAE", "MacroMAE": "MacroMAE", "R": "MicroR"}
            scored["sweep_best_row"] = {key: float(sweep_report[name]) for key, name in best.items()}
        scored |= {"out_of_fold": _errors(out_of_fold, model), "nested": _errors(nested, model)}
        rows += [{"scoring": scoring, "model": model} | errors for scoring, errors in scored.items()]
    table = pd.DataFrame(rows)
    honest = table[table["scoring"] == "nested"].set_index("model")["MicroMAE"]
    return table.assign(Gap_Years=table["model"].map(honest) - table["MicroMAE"])


def put_together(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate the outer folds' tables, sorted by sample_id; a sample in two of them is an error."""
    table = pd.concat(tables, ignore_index=True).sort_values("sample_id", ignore_index=True)
    twice = table.loc[table["sample_id"].duplicated(), "sample_id"]
    if len(twice):
        raise HeteroAgeError(f"samples were held out twice ({listed(twice)}). Remove results/nested-* and run again.")
    return table
