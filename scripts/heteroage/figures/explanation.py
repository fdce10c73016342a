"""Why the clock says what it says: importance of features, contributions in a cohort and in one sample."""

from __future__ import annotations

import numpy as np
import pandas as pd

from heteroage.clock.columns import ANCHOR
from heteroage.figures.style import (
    BLUE,
    GREY,
    ORANGE,
    SKY,
    Picture,
    empty_picture,
    label_rows,
    new_axes,
    readable,
    spread_sideways,
)

OWN_ANCHOR = "Stage1_Pred_Age_Contribution"
MOST_ROWS = 20
NO_ROUNDS = "The fusion earned no boosting rounds: HeteroAge is the anchor, and nothing else contributes."


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
        axis.text(1.02, row, text, transform=axis.get_yaxis_transform(), va="center")
    label_rows(axis, [readable(_name(name)) for name in table["feature"]])
    axis.set_xlabel("Mean absolute contribution (years)")
    alt = "Mean absolute contribution in years of each feature that the fusion uses: " + ", ".join(
        f"{readable(_name(name), 99)} {years:.2f}"
        for name, years in zip(table["feature"], table["mean_abs_contribution_years"], strict=True)
    )
    return Picture(figure, title, alt + ".")


def plot_cohort(contributions: pd.DataFrame) -> Picture:
    """Contributions (years) of each feature in every sample of a cohort.

    Parameters
    ----------
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
        axis.text(1.02, row, f"{years:+.2f}", transform=axis.get_yaxis_transform(), va="center", color=colour)
        level += years
    last = len(steps) + 1
    axis.plot([level, level], [last - 1, last], color=GREY, linewidth=0.8)
    axis.plot(end, last, "D", color=GREY, markersize=8)
    for row, years in ((0, start), (last, end)):
        axis.text(1.02, row, f"{years:.2f}", transform=axis.get_yaxis_transform(), va="center")
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
