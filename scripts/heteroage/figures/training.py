"""The training: the sweep, the hallmark experts, the boosting rounds and the contributions of the fusion's features."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd

from heteroage.clock.artifacts import ANCHOR, CORRECTION
from heteroage.figures.style import (
    BLACK,
    BLUE,
    GREY,
    MARKERS,
    ORANGE,
    PALE,
    SKY,
    Picture,
    by_size,
    empty_picture,
    new_axes,
    new_rows,
    readable,
    spread_sideways,
    write_beside,
)

STAR = {"markersize": 15, "color": "white", "markeredgecolor": BLACK, "zorder": 5}
PALE_LINES = ["min_cohorts", "min_cap", "max_cap", "median_mult", "technical_sd"]
FEATURE_NAMES = {"Bias": "same for all samples"} | dict.fromkeys([ANCHOR, f"{ANCHOR}_Contribution"], "anchor's age")
NO_FEATURES = ["sample_id", ANCHOR, "HeteroAge"]  # columns of contributions
MOST_ROWS = 20
MOST_TISSUES = 12
NO_ROUNDS = "The fusion earned no boosting rounds: HeteroAge is the anchor, and nothing else contributes."


def plot_sweep(report: pd.DataFrame) -> Picture:
    """Draw the error (years, mean of MicroMAE and MacroMAE) of every configuration against alpha.

    The chosen configuration is marked. Coloured lines are l1_ratios with the chosen balancing and technical_sd; all
    others are pale.
    """
    title = "Sweep of Stage 1"
    if "Score" not in report.columns or len(report) < 2:
        return empty_picture(title, "The configuration was given, not swept.")
    table = report.assign(error=-report["Score"], technical_sd=report.get("technical_sd", 0.0)).sort_values("alpha")
    chosen = table[table["selected"].astype(str) == "True"].iloc[0]
    same = (table[PALE_LINES] == chosen[PALE_LINES]).all(axis=1)
    figure, axis = new_axes(3.7)
    for k, (_, line) in enumerate(table[~same].groupby([*PALE_LINES, "l1_ratio"])):
        label = "other balancing or technical_sd" if k == 0 else None
        axis.plot(line["alpha"], line["error"], color=PALE, linewidth=1, label=label)
    lines = list(table[same].groupby("l1_ratio"))
    shades = matplotlib.colormaps["viridis"](np.linspace(0, 0.8, len(lines)))
    for k, ((l1_ratio, line), shade) in enumerate(zip(lines, shades, strict=True)):
        look = {"color": shade, "marker": MARKERS[k % len(MARKERS)], "markersize": 3.5}
        axis.plot(line["alpha"], line["error"], label=f"l1_ratio {l1_ratio:g}", **look)
    axis.plot(chosen["alpha"], chosen["error"], "*", label="chosen", **STAR)
    axis.set_xscale("log")
    alphas = np.unique(table["alpha"])
    ticks = alphas[np.unique(np.linspace(0, len(alphas) - 1, 6).round().astype(int))]
    axis.set_xticks(ticks, [f"{alpha:.2g}" for alpha in ticks])
    axis.minorticks_off()
    # The far end of a path predicts the mean: what matters is near the minimum.
    top = np.quantile(table["error"], 0.9)
    axis.set_ylim(table["error"].min() - 0.06 * (top - table["error"].min()), max(top, chosen["error"] * 1.02))
    axis.set_xlabel("alpha (penalty, on the scale of transformed age; log axis)")
    axis.set_ylabel("(MicroMAE + MacroMAE) / 2 (years)")
    axis.legend()
    alt = (
        f"Error of {len(report)} configurations of the anchor against the penalty alpha. Chosen: alpha "
        f"{chosen['alpha']:g}, l1_ratio {chosen['l1_ratio']:g}, error {chosen['error']:.2f} years, "
        f"{chosen['n_features']:g} features on average over folds."
    )
    return Picture(figure, title, alt)


def plot_rounds(tuning: pd.DataFrame) -> Picture:
    """Draw the error (years, mean over groups) against the boosting rounds, with the paired standard error as a band.

    tuning : rounds, Group_MAE, Paired_SE (years; of the difference to the best round) and chosen
    """
    rounds, error = tuning["rounds"].to_numpy(), tuning["Group_MAE"].to_numpy(np.float64)
    band = np.nan_to_num(tuning["Paired_SE"].to_numpy(np.float64))
    best, chosen = int(np.argmin(error)), int(np.flatnonzero(tuning["chosen"])[0])
    figure, axis = new_axes(3.4)
    axis.fill_between(rounds, error - band, error + band, color=SKY, alpha=0.35, linewidth=0, label="± 1 paired SE")
    axis.plot(rounds, error, color=BLUE, linewidth=1.5, label="error")
    axis.axhline(error[best], color=GREY, linewidth=1, linestyle="--", label="best round")
    axis.plot(rounds[chosen], error[chosen], "*", label="chosen", **STAR)
    axis.set(xlabel="boosting rounds (no unit)", ylabel="mean over groups of MAE (years)")
    axis.legend()
    alt = (
        f"Error of the fusion against its boosting rounds. The anchor, 0 rounds: {error[0]:.2f} years; best, "
        f"{rounds[best]} rounds: {error[best]:.2f} years, paired standard error of the gain {band[0]:.2f}. "
        f"Chosen: {rounds[chosen]} rounds, {error[chosen]:.2f} years."
    )
    return Picture(figure, "Boosting rounds of the fusion", alt)


def plot_importance(importance: pd.DataFrame) -> Picture:
    """Draw the mean absolute contribution (years) of each feature of the fusion over the training samples."""
    title = "Importance of the fusion's features"
    table = importance[importance["mean_abs_contribution_years"] > 0]
    table = table.sort_values(["mean_abs_contribution_years", "feature"], ascending=[False, True]).head(MOST_ROWS)
    if table.empty:
        return empty_picture(title, NO_ROUNDS)
    figure, axis = new_rows([_name(name) for name in table["feature"]], 0.34, 1.0, zero=False)
    contributions = table["mean_abs_contribution_years"]
    axis.barh(range(len(table)), contributions, height=0.55, color=BLUE)
    for row, (years, splits) in enumerate(zip(contributions, table["split_count"], strict=True)):
        write_beside(axis, row, f"{years:.2f} ({splits} split{'s' if splits != 1 else ''})")
    axis.set_xlabel("Mean absolute contribution (years)")
    said = [f"{_name(name, 99)} {years:.2f}" for name, years in zip(table["feature"], contributions, strict=True)]
    alt = f"Mean absolute contribution in years of each feature that the fusion uses: {', '.join(said)}."
    return Picture(figure, title, alt)


def plot_cohort(contributions: pd.DataFrame) -> Picture:
    """Draw the contributions (years) of each feature in every sample of a cohort.

    contributions : sample_id, Stage1_Pred_Age, a column of years per feature, HeteroAge
    """
    title = "Contributions in a cohort"
    values = contributions.drop(columns=[*NO_FEATURES, "Bias"], errors="ignore")  # Bias is one value for all
    order = values.abs().mean().sort_values(ascending=False, kind="stable")
    order = order[order > 0].head(MOST_ROWS)
    if order.empty:
        return empty_picture(title, NO_ROUNDS)
    figure, axis = new_rows([_name(name) for name in order.index], 0.36, 1.0)
    for row, name in enumerate(order.index):
        years = values[name].to_numpy(np.float64)
        heights = row + spread_sideways(years, 0.36)
        axis.scatter(years, heights, s=7, color=BLUE, alpha=0.4, linewidths=0, rasterized=len(years) > 500)
    axis.set_xlabel("Contribution to HeteroAge (years)")
    alt = (
        f"Contributions in years of {len(order)} features to the HeteroAge of {len(contributions)} samples; the "
        f"largest on average: {_name(order.index[0], 99)}, {order.iloc[0]:.2f} years."
    )
    return Picture(figure, title, alt)


def plot_sample(contributions: pd.DataFrame) -> Picture:
    """Draw the contributions (years) in the sample whose HeteroAge is farthest from its anchor, a step per feature."""
    own = contributions.iloc[int(np.argmax(np.abs(contributions["HeteroAge"] - contributions[ANCHOR])))]
    features = [name for name in contributions.columns.drop(NO_FEATURES) if own[name]]
    title = f"One sample: {own['sample_id']}"
    if not features:
        return empty_picture(title, NO_ROUNDS)
    features = sorted(features, key=lambda name: (-abs(own[name]), name))
    steps = [(_name(name), float(own[name])) for name in features[:10]]
    if len(features) > 10:
        steps.append((f"{len(features) - 10} others", float(sum(own[name] for name in features[10:]))))
    labels = ["Anchor (Stage 1)", *(name for name, _ in steps), "HeteroAge"]
    figure, axis = new_rows(labels, 0.34, 1.2, zero=False)
    start, end = float(own[ANCHOR]), float(own["HeteroAge"])
    axis.plot(start, 0, "s", color=SKY, markersize=8, markeredgecolor=GREY)
    levels, last = start + np.cumsum([0.0, *(years for _, years in steps)]), len(steps) + 1
    for row, level in enumerate(levels):
        axis.plot([level, level], [row, row + 1], color=GREY, linewidth=0.8)
    for row, (_, years) in enumerate(steps, start=1):
        colour = ORANGE if years > 0 else BLUE
        axis.barh(row, years, left=levels[row - 1], height=0.5, color=colour)
        write_beside(axis, row, f"{years:+.2f}", color=colour)
    axis.plot(end, last, "D", color=GREY, markersize=8)
    for row, years in ((0, start), (last, end)):
        write_beside(axis, row, f"{years:.2f}")
    room = max(0.15 * np.ptp(levels), 0.05)
    axis.set_xlim(levels.min() - room, levels.max() + room)
    axis.set_xlabel("Age (years)")
    said = ", ".join(f"{name.replace(chr(10), ' ')} {years:+.2f}" for name, years in steps)
    return Picture(figure, title, f"From the anchor, {start:.2f} years, to HeteroAge, {end:.2f} years: {said}.")


def _name(feature: str, width: int = 24) -> str:
    return readable(FEATURE_NAMES.get(feature, feature), width)


def noise_marked(experts: pd.DataFrame) -> dict[str, str]:
    """Return {column of corrections: its name in pictures} of the experts without skill."""
    return {f"{name}{CORRECTION}": f"{name} (no skill: noise)" for name in experts.loc[~experts["skill"], "hallmark"]}


def plot_skill(experts: pd.DataFrame) -> Picture:
    """Draw the out-of-fold R2 of each expert against no correction. Markers are hollow for experts without skill."""
    title = "Skill of the hallmark experts"
    if experts.empty:
        return empty_picture(title, "No hallmark has features.")
    table = experts.sort_values(["R2_Residual", "hallmark"], ascending=[False, True])
    figure, axis = new_rows([readable(name) for name in table["hallmark"]], 0.36, 1.0)
    for row, (r2, skill) in enumerate(zip(table["R2_Residual"], table["skill"], strict=True)):
        colour = BLUE if skill else ORANGE
        axis.plot([0, r2], [row, row], color=colour, linewidth=1.5)
        axis.plot(r2, row, "o", markersize=7, markerfacecolor=colour if skill else "white", markeredgecolor=colour)
        write_beside(axis, row, f"R² {r2:+.3f}" + ("" if skill else ", no skill"), color=colour)
    reach = max(0.01, 1.15 * table["R2_Residual"].abs().max())
    lowest, highest = table["R2_Residual"].min(), table["R2_Residual"].max()
    axis.set_xlim(min(-0.25 * reach, 1.3 * lowest), max(reach * 0.25, 1.15 * highest))
    axis.set_xlabel("R² on the anchor's residual (no unit)")
    found = ", ".join(readable(name, 99) for name in table.loc[table["skill"], "hallmark"]) or "none"
    alt = (
        f"R2 of {len(table)} hallmark experts on the anchor's residual, out of fold. With skill: {found}. The other "
        f"{int((~table['skill']).sum())} have none: the anchor is as good without their corrections."
    )
    return Picture(figure, title, alt)


def plot_corrections(corrections: pd.DataFrame, samples: pd.DataFrame, experts: pd.DataFrame) -> Picture:
    """Draw the mean absolute out-of-fold correction (years) by hallmark and tissue. Experts without skill are marked.

    corrections : sample_id and `<Hallmark>_Correction` columns, years
    samples : sample_id, Tissue
    experts : hallmark, skill
    """
    title = "Hallmark corrections by tissue"
    names = [column for column in corrections.columns if column.endswith(CORRECTION)]
    if not names:
        return empty_picture(title, "No hallmark has an expert.")
    table = corrections.merge(samples[["sample_id", "Tissue"]], on="sample_id", validate="one_to_one")
    tissues = by_size(table["Tissue"])[:MOST_TISSUES]
    sizes = table[names].abs().groupby(table["Tissue"]).mean().loc[tissues].T
    values, most = sizes.to_numpy(), sizes.to_numpy().max()
    figure, axis = new_axes(1.3 + 0.42 * len(names))
    image = axis.imshow(values, cmap="Blues", vmin=0, vmax=max(most, 0.1), aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        colour = "white" if value > 0.55 * max(most, 0.1) else "black"
        text = f"{value:.2f}" if value else "0"
        axis.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
    axis.grid(False)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    noise = dict.fromkeys(noise_marked(experts), "\n(no skill: noise)")
    axis.set_yticks(range(len(names)), [readable(name) + noise.get(name, "") for name in names])
    turned = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if len(tissues) > 5 else {}
    axis.set_xticks(range(len(tissues)), [readable(tissue, 12) for tissue in tissues], **turned)
    figure.colorbar(image, ax=axis, shrink=0.7, label="mean absolute correction (years)")
    alt = f"Mean absolute correction in years of {len(names)} hallmarks in {len(tissues)} tissues, out of fold. "
    if unskilled := [readable(name, 99) for name in names if name in noise]:
        alt += f"Noise, as their experts have no skill: {', '.join(unskilled)}. "
    strongest, tissue = sizes.stack().idxmax()
    largest = f"Largest: {readable(strongest, 99)} in {tissue}, {most:.2f} years."
    return Picture(figure, title, alt + (largest if most > 1e-6 else "All are 0: no expert uses a feature."))


def plot_random_sets(hallmarks: pd.DataFrame, scores: pd.DataFrame) -> Picture:
    """Draw the R2 of each hallmark's expert and of random CpG sets of the same size.

    hallmarks : a row per hallmark: hallmark, statistic (R2 on the residual), p_value
    scores : a row per random set: hallmark, R2_Residual
    """
    title = "Hallmarks against random CpG sets of the same size"
    own = hallmarks[hallmarks["hallmark"].isin(scores["hallmark"])]
    own = own.sort_values(["p_value", "statistic"], ascending=[True, False])
    if own.empty:
        return empty_picture(title, "No hallmark was tested.")
    figure, axis = new_rows([readable(name) for name in own["hallmark"]], 0.42, 1.3)
    random = {"color": GREY, "alpha": 0.5, "markersize": 3.5, "markeredgewidth": 0}
    columns = [own[name] for name in ("hallmark", "statistic", "p_value")]
    for row, (hallmark, statistic, p_value) in enumerate(zip(*columns, strict=True)):
        values = scores.loc[scores["hallmark"] == hallmark, "R2_Residual"].to_numpy(np.float64)
        labels = (f"random sets ({len(values)} each)", "the hallmark's own CpGs") if row == 0 else (None, None)
        axis.plot(values, row + spread_sideways(values, 0.3), "o", label=labels[0], **random)
        axis.plot(statistic, row, "D", color=BLUE, markersize=7, zorder=4, label=labels[1])
        write_beside(axis, row, f"p = {p_value:.2g}")
    figure.legend(loc="outside lower center", ncols=2)
    axis.set_xlabel("R² on the anchor's residual (no unit)")
    better = own.loc[own["p_value"] <= 0.05, "hallmark"]
    alt = (
        f"R2 of {len(own)} hallmark experts, each among experts of random CpG sets of the same size. Better than "
        f"chance (p of at most 0.05): {', '.join(readable(name, 99) for name in better) or 'none'}."
    )
    return Picture(figure, title, alt)
