"""The training: the choice of Stage 1's configuration and of the boosting rounds; contributions of features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import lightgbm as lgb
import matplotlib
import numpy as np
import pandas as pd

from heteroage.clock.artifacts import ANCHOR
from heteroage.clock.trees import by_feature
from heteroage.figures.style import (
    BLACK,
    BLUE,
    GREY,
    MARKERS,
    ORANGE,
    PALE,
    SKY,
    Picture,
    empty_picture,
    label_rows,
    new_axes,
    readable,
    spread_sideways,
    write_beside,
)
from heteroage.stages.stage3 import encode

STAR = {"markersize": 15, "color": "white", "markeredgecolor": BLACK, "zorder": 5}
PALE_LINES = ["min_cohorts", "min_cap", "max_cap", "median_mult", "technical_sd"]
OWN_ANCHOR = "Stage1_Pred_Age_Contribution"
MOST_ROWS = 20
NO_ROUNDS = "The fusion earned no boosting rounds: HeteroAge is the anchor, and nothing else contributes."


def plot_sweep(report: pd.DataFrame) -> Picture:
    """Error (years, mean of MicroMAE and MacroMAE) of every configuration against alpha, the chosen one marked.

    A line is an l1_ratio with the chosen balancing and technical_sd; the others stay pale.
    """
    title = "Sweep of Stage 1"
    if "Score" not in report.columns or len(report) < 2:
        return empty_picture(title, "The configuration was given, not swept.")
    table = report.assign(error=-report["Score"], technical_sd=report.get("technical_sd", 0.0))
    chosen = table[table["selected"].astype(str) == "True"].iloc[0]
    same = (table[PALE_LINES] == chosen[PALE_LINES]).all(axis=1)
    figure, axis = new_axes(3.7)
    others = table[~same].groupby([*PALE_LINES, "l1_ratio"], sort=True)
    for k, (_, line) in enumerate(others):
        line, label = line.sort_values("alpha"), "other balancing or technical_sd" if k == 0 else None
        axis.plot(line["alpha"], line["error"], color=PALE, linewidth=1, label=label)
    lines = list(table[same].groupby("l1_ratio", sort=True))
    shades = matplotlib.colormaps["viridis"](np.linspace(0, 0.8, len(lines)))
    for k, ((l1_ratio, line), shade) in enumerate(zip(lines, shades, strict=True)):
        line, look = line.sort_values("alpha"), {"color": shade, "marker": MARKERS[k % len(MARKERS)], "markersize": 3.5}
        axis.plot(line["alpha"], line["error"], label=f"l1_ratio {l1_ratio:g}", **look)
    error = chosen["error"]
    axis.plot(chosen["alpha"], error, "*", label="chosen", **STAR)
    axis.set_xscale("log")
    alphas = np.unique(table["alpha"])
    ticks = alphas[np.unique(np.linspace(0, len(alphas) - 1, 6).round().astype(int))]
    axis.set_xticks(ticks, [f"{alpha:.2g}" for alpha in ticks])
    axis.minorticks_off()
    # The far end of a path predicts the mean: what matters is near the minimum.
    top = np.quantile(table["error"], 0.9)
    axis.set_ylim(table["error"].min() - 0.06 * (top - table["error"].min()), max(top, error * 1.02))
    axis.set_xlabel("alpha (penalty, on the scale of transformed age; log axis)")
    axis.set_ylabel("(MicroMAE + MacroMAE) / 2 (years)")
    axis.legend()
    alt = (
        f"Error of {len(report)} configurations of the anchor against the penalty alpha. Chosen: alpha "
        f"{chosen['alpha']:g}, l1_ratio {chosen['l1_ratio']:g}, error {error:.2f} years, "
        f"{chosen['n_features']:g} features on average over folds."
    )
    return Picture(figure, title, alt)


def plot_rounds(tuning: pd.DataFrame) -> Picture:
    """Error (years, mean over groups) against the boosting rounds, with the paired standard error as a band.

    tuning : rounds, Group_MAE, Paired_SE (years; of the difference to the best round) and chosen
    """
    rounds, error = tuning["rounds"].to_numpy(), tuning["Group_MAE"].to_numpy(np.float64)
    band = np.nan_to_num(tuning["Paired_SE"].to_numpy(np.float64))
    best, chosen = int(np.argmin(error)), int(np.flatnonzero(tuning["chosen"].astype(str) == "True")[0])
    figure, axis = new_axes(3.4)
    axis.fill_between(rounds, error - band, error + band, color=SKY, alpha=0.35, linewidth=0, label="± 1 paired SE")
    axis.plot(rounds, error, color=BLUE, linewidth=1.5, label="error")
    axis.axhline(error[best], color=GREY, linewidth=1, linestyle="--", label="best round")
    axis.plot(rounds[chosen], error[chosen], "*", label="chosen", **STAR)
    axis.set_xlabel("boosting rounds (no unit)")
    axis.set_ylabel("mean over groups of MAE (years)")
    axis.legend()
    alt = (
        f"Error of the fusion against its boosting rounds. The anchor, 0 rounds: {error[0]:.2f} years; best, "
        f"{rounds[best]} rounds: {error[best]:.2f} years, paired standard error of the gain {band[0]:.2f}. "
        f"Chosen: {rounds[chosen]} rounds, {error[chosen]:.2f} years."
    )
    return Picture(figure, "Boosting rounds of the fusion", alt)


def plot_importance(importance: pd.DataFrame) -> Picture:
    """Mean absolute contribution (years) of each feature of the fusion, over the training samples."""
    title = "Importance of the fusion's features"
    table = importance[importance["mean_abs_contribution_years"] > 0]
    table = table.sort_values(["mean_abs_contribution_years", "feature"], ascending=[False, True]).head(MOST_ROWS)
    if table.empty:
        return empty_picture(title, NO_ROUNDS)
    figure, axis = new_axes(1.0 + 0.34 * len(table))
    rows = np.arange(len(table))
    axis.barh(rows, table["mean_abs_contribution_years"], height=0.55, color=BLUE)
    for row, (years, splits) in enumerate(zip(table["mean_abs_contribution_years"], table["split_count"], strict=True)):
        text = f"{years:.2f} ({splits} split{'s' if splits != 1 else ''})"
        write_beside(axis, row, text)
    label_rows(axis, [readable(_name(name)) for name in table["feature"]])
    axis.set_xlabel("Mean absolute contribution (years)")
    alt = "Mean absolute contribution in years of each feature that the fusion uses: " + ", ".join(
        f"{readable(_name(name), 99)} {years:.2f}"
        for name, years in zip(table["feature"], table["mean_abs_contribution_years"], strict=True)
    )
    return Picture(figure, title, alt + ".")


def plot_cohort(contributions: pd.DataFrame) -> Picture:
    """Contributions (years) of each feature in every sample of a cohort.

    contributions : sample_id, Stage1_Pred_Age, a column of years per feature, HeteroAge
    """
    title = "Contributions in a cohort"
    values = contributions[_features(contributions)].drop(columns="Bias", errors="ignore")  # one value for all
    order = values.abs().mean().sort_values(ascending=False, kind="stable")
    order = order[order > 0].head(MOST_ROWS)
    if order.empty:
        return empty_picture(title, NO_ROUNDS)
    figure, axis = new_axes(1.0 + 0.36 * len(order))
    axis.axvline(0, color=GREY, linewidth=1)
    for row, name in enumerate(order.index):
        years = values[name].to_numpy(np.float64)
        heights = row + spread_sideways(years, 0.36)
        axis.scatter(years, heights, s=7, color=BLUE, alpha=0.4, linewidths=0, rasterized=len(years) > 500)
    label_rows(axis, [readable(_name(name)) for name in order.index])
    axis.set_xlabel("Contribution to HeteroAge (years)")
    alt = (
        f"Contributions in years of {len(order)} features to the HeteroAge of {len(contributions)} samples; the "
        f"largest on average: {readable(_name(order.index[0]), 99)}, {order.iloc[0]:.2f} years."
    )
    return Picture(figure, title, alt)


def plot_sample(contributions: pd.Series) -> Picture:
    """One sample, from its anchor to its HeteroAge (years), a step per contribution."""
    features = [name for name in _features(contributions.to_frame().T) if contributions[name] != 0]
    title = f"One sample: {contributions['sample_id']}"
    if not features:
        return empty_picture(title, NO_ROUNDS)
    features = sorted(features, key=lambda name: (-abs(contributions[name]), name))
    steps = [(readable(_name(name)), float(contributions[name])) for name in features[:10]]
    if len(features) > 10:
        steps.append((f"{len(features) - 10} others", float(sum(contributions[name] for name in features[10:]))))
    figure, axis = new_axes(1.2 + 0.34 * (len(steps) + 2))
    start, end = float(contributions[ANCHOR]), float(contributions["HeteroAge"])
    axis.plot(start, 0, "s", color=SKY, markersize=8, markeredgecolor=GREY)
    level = start
    for row, (_, years) in enumerate(steps, start=1):
        axis.plot([level, level], [row - 1, row], color=GREY, linewidth=0.8)
        colour = ORANGE if years > 0 else BLUE
        axis.barh(row, years, left=level, height=0.5, color=colour)
        write_beside(axis, row, f"{years:+.2f}", color=colour)
        level += years
    last = len(steps) + 1
    axis.plot([level, level], [last - 1, last], color=GREY, linewidth=0.8)
    axis.plot(end, last, "D", color=GREY, markersize=8)
    for row, years in ((0, start), (last, end)):
        write_beside(axis, row, f"{years:.2f}")
    label_rows(axis, ["Anchor (Stage 1)", *(name for name, _ in steps), "HeteroAge"])
    levels = start + np.cumsum([0.0, *(years for _, years in steps)])
    room = max(0.15 * np.ptp(levels), 0.05)
    axis.set_xlim(levels.min() - room, levels.max() + room)
    axis.set_xlabel("Age (years)")
    said = ", ".join(f"{name.replace(chr(10), ' ')} {years:+.2f}" for name, years in steps)
    return Picture(figure, title, f"From the anchor, {start:.2f} years, to HeteroAge, {end:.2f} years: {said}.")


def _features(contributions: pd.DataFrame) -> list[str]:
    return [name for name in contributions.columns if name not in ("sample_id", ANCHOR, "HeteroAge")]


def _name(feature: str) -> str:
    return {ANCHOR: "anchor's age", OWN_ANCHOR: "anchor's age", "Bias": "same for all samples"}.get(feature, feature)


def contributions(model: str | Path, frame: pd.DataFrame, categories: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Each feature's contribution to HeteroAge, in years (LightGBM's SHAP values: Lundberg et al. 2020).

    model : LightGBM's text model
    frame : the fusion's features, a row per sample

    Returns a frame with Stage1_Pred_Age, a column per feature (the anchor's is Stage1_Pred_Age_Contribution), Bias
    where it is not 0, and HeteroAge: the sum of the others, to rounding.
    """
    booster = lgb.Booster(model_file=str(model))
    parts = by_feature(booster, encode(frame, categories), list(frame.columns))
    table = pd.DataFrame({ANCHOR: frame[ANCHOR].to_numpy()} | parts)
    return table.assign(HeteroAge=table.sum(axis=1))


def most_moved(table: pd.DataFrame) -> pd.Series:
    """Return the sample with the largest difference between HeteroAge and anchor."""
    return table.iloc[int(np.argmax(np.abs(table["HeteroAge"] - table[ANCHOR])))]
