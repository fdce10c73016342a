"""Held-out samples: predicted and actual age, by tissue and by project, and age acceleration."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from heteroage.figures.style import (
    BLUE,
    COLOURS,
    GREY,
    MARKERS,
    ORANGE,
    PALE,
    WIDTH,
    Picture,
    by_group,
    draw_cloud,
    draw_spread,
    empty_picture,
    label_rows,
    new_axes,
    write_beside,
)
from heteroage.metrics import pearson_r, score_predictions

MOST_PANELS, MOST_ROWS, MOST_TISSUES = 8, 40, 12
ACCELERATION = "Age_Acceleration_Residual"
FEWEST = 3  # samples of a distribution


def plot_predicted_age(predictions: pd.DataFrame) -> Figure:
    """Out-of-fold ages of the anchor and of HeteroAge against actual age (years), by tissue."""
    stages = {"Anchor (Stage 1)": "Stage1_Pred_Age", "HeteroAge (Stage 3)": "HeteroAge"}
    figure = Figure(figsize=(9, 5.4), layout="constrained")
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    ages = predictions[["Age", *stages.values()]]
    ends = [min(0.0, ages.min().min()) - 2, ages.max().max() + 2]
    for axis, (title, column) in zip(axes, stages.items(), strict=True):
        axis.plot(ends, ends, color="0.6", linewidth=1, zorder=1)
        for k, (tissue, rows) in enumerate(predictions.groupby("Tissue")):
            style = {"color": COLOURS[k % len(COLOURS)], "marker": MARKERS[k // len(COLOURS) % len(MARKERS)]}
            label = f"{tissue} ({len(rows)})"
            axis.scatter(rows["Age"], rows[column], s=14, alpha=0.7, linewidths=0, label=label, zorder=2, **style)
        scores = score_predictions(predictions["Age"], predictions[column], predictions["project_id"])
        axis.set_title(
            f"{title}\nMAE {scores['MicroMAE']:.2f} years, mean over projects {scores['MacroMAE']:.2f}, "
            f"r {scores['MicroR']:.3f}",
            fontsize=10,
        )
        axis.set_xlabel("Age (years)")
        axis.set(xlim=ends, ylim=ends, box_aspect=1)
    axes[0].set_ylabel("Predicted age, out of fold (years)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(6, len(labels)), frameon=False, fontsize=9)
    return figure


def plot_tissues(predictions: pd.DataFrame) -> Picture:
    """HeteroAge against actual age (years), one panel per tissue, with all other samples pale in the background.

    Tissues are sorted by falling number of samples. With more than eight, the smallest share one panel.
    """
    counts = predictions["Tissue"].value_counts()
    order = sorted(counts.index, key=lambda tissue: (-counts[tissue], tissue))
    shown = order if len(order) <= MOST_PANELS else order[: MOST_PANELS - 1]
    panels = {tissue: predictions["Tissue"] == tissue for tissue in shown}
    if len(shown) < len(order):
        panels[f"{len(order) - len(shown)} other tissues"] = ~predictions["Tissue"].isin(shown)
    columns = min(2, len(panels))
    lines = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(WIDTH, 2.75 * lines if columns > 1 else 4.6), layout="constrained")
    axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
    ages = predictions[["Age", "HeteroAge"]]
    ends = [min(0.0, ages.min().min()) - 3, ages.max().max() + 3]
    said = []
    for axis, (tissue, rows) in zip(axes, panels.items(), strict=False):
        own = predictions[rows]
        draw_cloud(axis, predictions["Age"], predictions["HeteroAge"], PALE, size=3, alpha=0.5)
        axis.plot(ends, ends, color=GREY, linewidth=0.8)
        draw_cloud(axis, own["Age"], own["HeteroAge"], BLUE)
        error, r = (own["HeteroAge"] - own["Age"]).abs().mean(), pearson_r(own["Age"], own["HeteroAge"])
        correlation = "" if np.isnan(r) else f", r {r:.2f}"
        axis.set_title(f"{tissue} (n = {len(own)})\nMAE {error:.1f} years{correlation}")
        axis.set(xlim=ends, ylim=ends, box_aspect=1)
        said.append(f"{tissue} {error:.1f} years (n = {len(own)})")
    for place in range(len(panels), len(axes)):
        axes[place].axis("off")
        axes[place - columns].tick_params(labelbottom=True)
    figure.supxlabel("Actual age (years)", fontsize=9)
    figure.supylabel("Predicted age, HeteroAge (years)", fontsize=9)
    alt = f"Scatter of predicted against actual age, a panel per tissue. Mean absolute error: {', '.join(said)}."
    return Picture(figure, "Predicted against actual age, by tissue", alt)


def plot_projects(predictions: pd.DataFrame) -> Picture:
    """HeteroAge minus age (years) within each project: its middle 90%, middle half and median; MAE beside it."""
    table = predictions.assign(error=predictions["HeteroAge"] - predictions["Age"])
    largest = table["project_id"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    table = table[table["project_id"].isin(largest.index[:MOST_ROWS])]
    projects = by_group(table, "project_id", key=lambda rows: rows["error"].median())
    figure, axis = new_axes(1.1 + 0.23 * len(projects))
    axis.axvline(0, color=GREY, linewidth=1)
    for row, (_, rows) in enumerate(projects):
        draw_spread(axis, row, rows["error"], BLUE)
        write_beside(axis, row, f"{rows['error'].abs().mean():.1f}")
    label_rows(axis, [f"{name} (n = {len(rows)})" for name, rows in projects])
    write_beside(axis, -1, "MAE", color=GREY)
    axis.set_xlabel("HeteroAge - actual age (years)")
    errors = {name: rows["error"].abs().mean() for name, rows in projects}
    best, worst = min(errors, key=errors.__getitem__), max(errors, key=errors.__getitem__)
    title = "Error by project"
    if len(largest) > MOST_ROWS:
        title += f" (the {MOST_ROWS} largest of {len(largest)})"
    alt = (
        f"Distribution of the error in {len(projects)} projects. Mean absolute error from {errors[best]:.1f} years "
        f"({best}) to {errors[worst]:.1f} years ({worst})."
    )
    return Picture(figure, title, alt)


def plot_acceleration(samples: pd.DataFrame) -> Picture:
    """Age acceleration (years, adjusted for age) of healthy and unhealthy samples: all, by sex, by tissue.

    samples : Is_Healthy (samples without a known value are left out), Sex, Tissue, Age_Acceleration_Residual
    """
    health = samples["Is_Healthy"].astype(str).map({"True": "healthy", "False": "unhealthy"})
    samples = samples.assign(Health=health)[health.notna() & samples[ACCELERATION].notna()]
    unwell = bool((samples["Health"] == "unhealthy").any())
    title = f"Age acceleration by {'health, ' if unwell else ''}sex and tissue"
    tissues = samples["Tissue"].value_counts().sort_index().sort_values(ascending=False, kind="stable").index
    groups = {"all samples": samples}
    groups |= {f"sex: {sex}": samples[samples["Sex"] == sex] for sex in sorted(samples["Sex"].unique())}
    groups |= {str(tissue): samples[samples["Tissue"] == tissue] for tissue in tissues[:MOST_TISSUES]}
    groups = {name: rows for name, rows in groups.items() if len(rows) >= FEWEST}
    if not groups:
        return empty_picture(title, "There are too few samples with a known age.")
    figure, axis = new_axes(1.5 + (0.42 if unwell else 0.28) * len(groups))
    axis.axvline(0, color=GREY, linewidth=1)
    looks = {"healthy": (BLUE, False, -0.16 if unwell else 0.0)}
    if unwell:
        looks["unhealthy"] = (ORANGE, True, 0.16)
    labels, drawn = [], set()
    for row, (name, rows) in enumerate(groups.items()):
        sizes = []
        for health, (colour, hollow, shift) in looks.items():
            values = rows.loc[rows["Health"] == health, ACCELERATION].to_numpy(np.float64)
            sizes.append(f"{len(values)}")
            if len(values) >= FEWEST:
                draw_spread(axis, row + shift, values, colour, hollow)
                drawn.add(health)
        labels.append(f"{name} (n = {' + '.join(sizes)})")
    for health, (colour, hollow, _) in looks.items():
        if health in drawn:
            axis.plot([], [], "o-", color=colour, markerfacecolor="white" if hollow else colour, label=health)
    label_rows(axis, labels)
    axis.set_xlabel("Age acceleration, adjusted for age (years)")
    figure.legend(loc="outside lower center", ncols=2)
    medians = samples.groupby("Health")[ACCELERATION].median()
    said = ", ".join(f"{health} {years:+.1f} years" for health, years in medians.items())
    alt = f"Distributions of age acceleration, adjusted for age, by health, sex and tissue. Medians: {said}."
    return Picture(figure, title, alt)
