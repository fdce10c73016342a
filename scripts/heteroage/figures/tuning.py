"""How Stage 1's configuration and the fusion's boosting rounds were chosen."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd

from heteroage.figures.style import BLACK, BLUE, GREY, MARKERS, PALE, SKY, Picture, empty_picture, new_axes

PALE_LINES = ["min_cohorts", "min_cap", "max_cap", "median_mult", "technical_sd"]


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
        line = line.sort_values("alpha")
        axis.plot(
            line["alpha"],
            line["error"],
            color=PALE,
            linewidth=1,
            label="other balancing or technical_sd" if k == 0 else None,
        )
    lines = list(table[same].groupby("l1_ratio", sort=True))
    shades = matplotlib.colormaps["viridis"](np.linspace(0, 0.8, len(lines)))
    for k, ((l1_ratio, line), shade) in enumerate(zip(lines, shades, strict=True)):
        line = line.sort_values("alpha")
        label = f"l1_ratio {l1_ratio:g}"
        axis.plot(
            line["alpha"], line["error"], color=shade, marker=MARKERS[k % len(MARKERS)], markersize=3.5, label=label
        )
    error = chosen["error"]
    axis.plot(
        chosen["alpha"], error, "*", markersize=15, color="white", markeredgecolor=BLACK, zorder=5, label="chosen"
    )
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

    Parameters
    ----------
    tuning : rounds, Group_MAE, Paired_SE (years; of the difference to the best round) and chosen
    """
    rounds, error = tuning["rounds"].to_numpy(), tuning["Group_MAE"].to_numpy(np.float64)
    band = np.nan_to_num(tuning["Paired_SE"].to_numpy(np.float64))
    best, chosen = int(np.argmin(error)), int(np.flatnonzero(tuning["chosen"].astype(str) == "True")[0])
    figure, axis = new_axes(3.4)
    axis.fill_between(rounds, error - band, error + band, color=SKY, alpha=0.35, linewidth=0, label="± 1 paired SE")
    axis.plot(rounds, error, color=BLUE, linewidth=1.5, label="error")
    axis.axhline(error[best], color=GREY, linewidth=1, linestyle="--", label="best round")
    star = {"markersize": 15, "color": "white", "markeredgecolor": BLACK, "zorder": 5}
    axis.plot(rounds[chosen], error[chosen], "*", label="chosen", **star)
    axis.set_xlabel("boosting rounds (no unit)")
    axis.set_ylabel("mean over groups of MAE (years)")
    axis.legend()
    alt = (
        f"Error of the fusion against its boosting rounds. The anchor, 0 rounds: {error[0]:.2f} years; best, "
        f"{rounds[best]} rounds: {error[best]:.2f} years, paired standard error of the gain {band[0]:.2f}. "
        f"Chosen: {rounds[chosen]} rounds, {error[chosen]:.2f} years."
    )
    return Picture(figure, "Boosting rounds of the fusion", alt)
