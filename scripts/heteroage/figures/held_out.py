"""Predictions of held-out samples: ages, errors, acceleration, and the nested evaluation."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from heteroage.evaluation.published import published_rows, worth_training
from heteroage.figures.style import (
    BLUE,
    COLOURS,
    GREY,
    MARKERS,
    ORANGE,
    PALE,
    WIDTH,
    Picture,
    by_size,
    draw_cloud,
    draw_spread,
    empty_picture,
    new_rows,
    readable,
    write_beside,
)
from heteroage.metrics import pearson_r, score_predictions, wilson

MOST_PANELS, MOST_ROWS, MOST_TISSUES = 8, 40, 12
ACCELERATION = "Age_Acceleration_Residual"
FEWEST_PLOTTED = 3  # minimum number of samples in a plotted distribution
SCORINGS = {"random_split": "random split", "sweep_best_row": "sweep's best row", "out_of_fold": "out of fold"}
PARTS = {
    "anchor": "anchor alone",
    "anchor_plus_experts": "anchor + experts",
    "fusion_without_context": "fusion without context",
    "full": "full clock",
}
TITLES = {"all": "all", "Tissue": "tissue", "Age_Band": "age", "Sex": "sex", "Platform": "platform"}
TITLES |= {"project_id": "project"}
MOST_MISSING_CPGS = 0.5  # fraction of a clock's CpGs; where more are missing, its errors would set the scale


def plot_predicted_age(predictions: pd.DataFrame) -> Figure:
    """Draw out-of-fold ages of the anchor and of HeteroAge against actual age (years), coloured by tissue."""
    stages = {"Anchor (Stage 1)": "Stage1_Pred_Age", "HeteroAge (Stage 3)": "HeteroAge"}
    figure = Figure(figsize=(9, 5.4), layout="constrained")
    axes = figure.subplots(1, 2, sharex=True, sharey=True)
    ages = predictions[["Age", *stages.values()]]
    ends = [min(0.0, ages.min().min()) - 2, ages.max().max() + 2]
    for axis, (title, column) in zip(axes, stages.items(), strict=True):
        axis.plot(ends, ends, color="0.6", linewidth=1, zorder=1)
        for k, (tissue, rows) in enumerate(predictions.groupby("Tissue")):
            style = {"color": COLOURS[k % len(COLOURS)], "marker": MARKERS[k // len(COLOURS) % len(MARKERS)]}
            style |= {"s": 14, "alpha": 0.7, "linewidths": 0, "zorder": 2}
            axis.scatter(rows["Age"], rows[column], label=f"{tissue} ({len(rows)})", **style)
        scores = score_predictions(predictions["Age"], predictions[column], predictions["project_id"])
        axis.set_title(
            f"{title}\nMAE {scores['MicroMAE']:.2f} years, mean over projects {scores['MacroMAE']:.2f}, "
            f"r {scores['MicroR']:.3f}",
            fontsize=10,
        )
        axis.set(xlabel="Age (years)", xlim=ends, ylim=ends, box_aspect=1)
    axes[0].set_ylabel("Predicted age, out of fold (years)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(6, len(labels)), frameon=False, fontsize=9)
    return figure


def plot_held_out(healthy: pd.DataFrame, unhealthy: pd.DataFrame | None = None) -> dict[str, Picture]:
    """Draw predicted ages by tissue and errors by project (healthy samples), and age acceleration (all samples)."""
    samples = pd.concat([healthy, unhealthy]) if unhealthy is not None and len(unhealthy) else healthy
    pictures = {"tissues": plot_tissues(healthy), "projects": plot_projects(healthy)}
    return pictures | {"acceleration": plot_acceleration(samples)}


def plot_tissues(predictions: pd.DataFrame) -> Picture:
    """Draw HeteroAge against actual age (years), one panel per tissue, with all other samples in pale colour.

    Tissues are sorted by decreasing number of samples. If there are more than eight, the smallest share one panel.
    """
    order = by_size(predictions["Tissue"])
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
    """Draw HeteroAge minus age (years) by project: middle 90%, middle half and median. The MAE is written beside."""
    table = predictions.assign(error=predictions["HeteroAge"] - predictions["Age"])
    largest = by_size(table["project_id"])
    table = table[table["project_id"].isin(largest[:MOST_ROWS])]
    projects = sorted(table.groupby("project_id"), key=lambda pair: pair[1]["error"].median())
    errors = {name: rows["error"].abs().mean() for name, rows in projects}
    figure, axis = new_rows([f"{name} (n = {len(rows)})" for name, rows in projects], 0.23, 1.1)
    for row, (name, rows) in enumerate(projects):
        draw_spread(axis, row, rows["error"], BLUE)
        write_beside(axis, row, f"{errors[name]:.1f}")
    write_beside(axis, -1, "MAE", color=GREY)
    axis.set_xlabel("HeteroAge - actual age (years)")
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
    """Draw age acceleration (years, adjusted for age) of healthy and unhealthy samples: all, by sex, and by tissue.

    samples : Is_Healthy (samples without a known value are left out), Sex, Tissue, Age_Acceleration_Residual
    """
    health = samples["Is_Healthy"].astype(str).map({"True": "healthy", "False": "unhealthy"})
    samples = samples.assign(Health=health)[health.notna() & samples[ACCELERATION].notna()]
    unwell = bool((samples["Health"] == "unhealthy").any())
    title = f"Age acceleration by {'health, ' if unwell else ''}sex and tissue"
    groups = {"all samples": samples}
    groups |= {f"sex: {sex}": samples[samples["Sex"] == sex] for sex in sorted(samples["Sex"].unique())}
    tissues = by_size(samples["Tissue"])[:MOST_TISSUES]
    groups |= {str(tissue): samples[samples["Tissue"] == tissue] for tissue in tissues}
    groups = {name: rows for name, rows in groups.items() if len(rows) >= FEWEST_PLOTTED}
    if not groups:
        return empty_picture(title, "There are too few samples with a known age.")
    looks = {"healthy": (BLUE, False, -0.16 if unwell else 0.0)}
    if unwell:
        looks["unhealthy"] = (ORANGE, True, 0.16)
    sizes = {name: [f"{(rows['Health'] == health).sum()}" for health in looks] for name, rows in groups.items()}
    labels = [f"{name} (n = {' + '.join(own)})" for name, own in sizes.items()]
    figure, axis = new_rows(labels, 0.42 if unwell else 0.28, 1.5)
    drawn = set()
    for row, rows in enumerate(groups.values()):
        for health, (colour, hollow, shift) in looks.items():
            values = rows.loc[rows["Health"] == health, ACCELERATION].to_numpy(np.float64)
            if len(values) >= FEWEST_PLOTTED:
                draw_spread(axis, row + shift, values, colour, hollow)
                drawn.add(health)
    for health, (colour, hollow, _) in looks.items():
        if health in drawn:
            axis.plot([], [], "o-", color=colour, markerfacecolor="white" if hollow else colour, label=health)
    axis.set_xlabel("Age acceleration, adjusted for age (years)")
    figure.legend(loc="outside lower center", ncols=2)
    medians = samples.groupby("Health")[ACCELERATION].median()
    said = ", ".join(f"{health} {years:+.1f} years" for health, years in medians.items())
    alt = f"Distributions of age acceleration, adjusted for age, by health, sex and tissue. Medians: {said}."
    return Picture(figure, title, alt)


def plot_optimism(optimism: pd.DataFrame) -> Picture:
    """Draw the same clock's MAE (years) by four ways of scoring, with the difference to the nested error.

    optimism : scoring, model (HeteroAge or Stage1_Pred_Age), MicroMAE, MacroMAE, Gap_Years
    """
    table = optimism.set_axis(pd.Index(map(scoring_name, optimism["scoring"], optimism["model"])))
    texts = [f"{gap:+.2f}" if gap else "" for gap in table["Gap_Years"]]
    said = [f"{name} {mae:.2f} years" for name, mae in table["MicroMAE"].items()]
    alt = f"Mean absolute error by way of scoring: {'; '.join(said)}."
    return Picture(_plot_errors(table, texts, "nested\nminus this"), "Errors by way of scoring", alt)


def scoring_name(scoring: str, model: str) -> str:
    """Return the name of a row of the optimism table."""
    return f"{'HeteroAge' if model == 'HeteroAge' else 'Anchor'}: {SCORINGS.get(scoring, scoring)}"


def plot_ablation(ablation: pd.DataFrame) -> Picture:
    """Draw nested MAE (years) of the clock and of its parts, with paired differences to the anchor over groups."""
    table = ablation.set_axis(pd.Index([PARTS.get(name, name) for name in ablation["model"]]))
    differences = zip(table["Minus_Anchor"], table["Minus_Anchor_SE"], strict=True)
    texts = [f"{change:+.2f} ± {error:.2f}" if change else "" for change, error in differences]
    said = [f"{name} {mae:.2f} years" for name, mae in table["MicroMAE"].items()]
    alt = f"Nested mean absolute error: {', '.join(said)}."
    return Picture(_plot_errors(table, texts, "minus anchor\n± std. error"), "Contribution of each part (nested)", alt)


def _plot_errors(table: pd.DataFrame, texts: list[str], head: str) -> Figure:
    figure, axis = new_rows(list(table.index), 0.36, 1.5, zero=False)
    rows = np.arange(len(table))
    axis.plot(table["MicroMAE"], rows - 0.13, "o", color=BLUE, markersize=8, label="over all samples")
    hollow = {"markerfacecolor": "white", "markeredgecolor": ORANGE, "markersize": 7}
    axis.plot(table["MacroMAE"], rows + 0.13, "s", label="mean over projects", **hollow)
    for row, text in enumerate(texts):
        write_beside(axis, row, text)
    write_beside(axis, -0.62, head, va="bottom", color=GREY, fontsize=8)
    values = table[["MicroMAE", "MacroMAE"]].to_numpy()
    room = max(0.2 * np.ptp(values), 0.05 * values.max())
    axis.set_xlim(values.min() - room, values.max() + room)
    axis.set_xlabel("Mean absolute error (years); the axis does not start at 0")
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def plot_coverage(coverage: pd.DataFrame, nominal: float | None) -> Picture:
    """Draw the share of held-out samples within their interval by stratum, with its 95% range and the nominal share.

    coverage : stratum, level, n, coverage (share), median_width (years)
    nominal : the nominal coverage; None without calibrated intervals
    """
    title = "Coverage of the prediction intervals"
    if coverage.empty or nominal is None:
        return empty_picture(title, "No intervals were calibrated.")
    order = coverage["stratum"].map({stratum: k for k, stratum in enumerate(TITLES)})
    table = coverage.loc[order.sort_values(kind="stable").index].head(MOST_ROWS)
    levels = table["stratum"].map(TITLES) + ": " + table["level"]
    levels = levels.where(table["stratum"] != "all", "all samples")
    labels = [f"{level} (n = {n})" for level, n in zip(levels, table["n"], strict=True)]
    figure, axis = new_rows(labels, 0.24, 1.2, zero=False)
    axis.axvline(100 * nominal, color=GREY, linewidth=1, linestyle="--")
    for row, part in enumerate(table.itertuples()):
        whole, (low, high) = part.stratum == "all", wilson(part.coverage, part.n)
        colour = BLUE if whole else GREY
        axis.plot([100 * low, 100 * high], [row, row], color=colour, linewidth=1.5)
        axis.plot(100 * part.coverage, row, "o", color=colour, markersize=7 if whole else 5)
        write_beside(axis, row, f"{part.median_width:.1f}")
    write_beside(axis, -1.0, "width (years)", ha="center", color=GREY, fontsize=8)
    axis.set_xlim(right=101)
    axis.set_xlabel(f"Samples inside their interval (%); dashed: {100 * nominal:g}%")
    overall = table.loc[table["stratum"] == "all", "coverage"].iloc[0]
    alt = f"Share of held-out samples within their {100 * nominal:g}% interval, by stratum."
    return Picture(figure, title, f"{alt} All samples: {100 * overall:.1f}%.")


def plot_published(accuracy: pd.DataFrame) -> Picture:
    """Draw the MAE (years) of HeteroAge and of each published clock in each project of the nested samples.

    Markers are hollow if the project was in the clock's training. Clocks with more than half of their CpGs missing are
    left out, unless this applies to all clocks.

    accuracy : as `with_published` returns
    """
    title = "Published clocks on the same samples"
    published = published_rows(accuracy)
    if published.empty:
        return empty_picture(title, "No published clock was compared (config: compare).")
    overall = published[published["stratum"] == "all"]
    whole = overall[overall["Missing_CpGs"] <= MOST_MISSING_CPGS * overall["CpGs"]]
    names = (whole if len(whole) else overall)["model"].tolist()
    rows = accuracy[accuracy["stratum"].isin(["all", "project_id"])]
    ours = rows[rows["model"] == "HeteroAge"].set_index(["stratum", "level"])
    first = ours.index.get_level_values(0) == "all"
    places = [*ours.index[first], *ours[~first].sort_values("n", ascending=False, kind="stable").index][:MOST_ROWS]
    counts = {place: f"{place[1]} (n = {ours.loc[place, 'n']:.0f})" for place in places}
    labels = ["all samples" if place[0] == "all" else readable(counts[place], 28) for place in places]
    figure, axis = new_rows(labels, 0.3, 1.4, zero=False)
    for k, name in enumerate(["HeteroAge", *names]):
        own = rows[rows["model"] == name].set_index(["stratum", "level"]).reindex(places)
        colour, marker = COLOURS[k % len(COLOURS)], "D" if name == "HeteroAge" else MARKERS[(k - 1) % len(MARKERS)]
        seen = (own["In_Its_Training"].astype(str) == "True").to_numpy() & (name != "HeteroAge")
        aside = 0.3 * (k - len(names) / 2) / len(names)  # so that equal errors do not hide one another
        errors, at = own["MAE"].to_numpy(np.float64), np.arange(len(places)) + aside
        axis.plot(errors[~seen], at[~seen], marker, color=colour, markersize=6, label=readable(name, 30))
        axis.plot(errors[seen], at[seen], marker, color=colour, markerfacecolor="white", markersize=6)
    axis.axhline(0.5, color=GREY, linewidth=0.6)
    axis.set_xlim(left=0)
    axis.set_xlabel("Mean absolute error (years)")
    figure.legend(loc="outside lower center", ncols=3)
    alt = f"Mean absolute error by project of HeteroAge and {', '.join(names)}. {worth_training(accuracy)}"
    return Picture(figure, title, alt)
