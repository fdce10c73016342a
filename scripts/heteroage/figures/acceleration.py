"""Who is older by the clock than by the calendar: by health status, sex and tissue."""

from __future__ import annotations

import numpy as np
import pandas as pd

from heteroage.figures.style import BLUE, GREY, ORANGE, Picture, draw_spread, empty_picture, label_rows, new_axes

ACCELERATION = "Age_Acceleration_Residual"
FEWEST = 3  # samples that make a distribution
MOST_TISSUES = 12


def plot_acceleration(samples: pd.DataFrame) -> Picture:
    """Age acceleration (years, adjusted for age) of healthy and unhealthy samples: all, by sex, by tissue.

    Parameters
    ----------
    samples : Is_Healthy (else than true or false: left out), Sex, Tissue, Age_Acceleration_Residual
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
