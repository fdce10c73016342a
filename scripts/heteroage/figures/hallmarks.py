"""The hallmark experts: their skill, their corrections by tissue, and a comparison with random sets of CpGs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from heteroage.clock.artifacts import CORRECTION
from heteroage.figures.style import (
    BLUE,
    GREY,
    ORANGE,
    WIDTH,
    Picture,
    empty_picture,
    label_rows,
    new_axes,
    readable,
    spread_sideways,
    write_beside,
)
from heteroage.metrics import has_skill

MOST_TISSUES = 12


def noise_marked(experts: pd.DataFrame) -> dict[str, str]:
    """Return {column of corrections: its name in pictures} of the experts without skill."""
    return {f"{name}{CORRECTION}": f"{name} (no skill: noise)" for name in experts.loc[~has_skill(experts), "hallmark"]}


def plot_skill(experts: pd.DataFrame) -> Picture:
    """R2 of each expert's correction against no correction, out of fold; hollow where it has no skill."""
    title = "Skill of the hallmark experts"
    if experts.empty:
        return empty_picture(title, "No hallmark has features.")
    table = experts.sort_values(["R2_Residual", "hallmark"], ascending=[False, True])
    skilled = has_skill(table)
    figure, axis = new_axes(1.0 + 0.36 * len(table))
    axis.axvline(0, color=GREY, linewidth=1)
    for row, (r2, skill) in enumerate(zip(table["R2_Residual"], skilled, strict=True)):
        colour = BLUE if skill else ORANGE
        axis.plot([0, r2], [row, row], color=colour, linewidth=1.5)
        axis.plot(r2, row, "o", markersize=7, markerfacecolor=colour if skill else "white", markeredgecolor=colour)
        text = f"R² {r2:+.3f}" + ("" if skill else ", no skill")
        write_beside(axis, row, text, color=colour)
    label_rows(axis, [readable(name) for name in table["hallmark"]])
    reach = max(0.01, 1.15 * table["R2_Residual"].abs().max())
    lowest, highest = table["R2_Residual"].min(), table["R2_Residual"].max()
    axis.set_xlim(min(-0.25 * reach, 1.3 * lowest), max(reach * 0.25, 1.15 * highest))
    axis.set_xlabel("R² on the anchor's residual (no unit)")
    found = ", ".join(readable(name, 99) for name in table.loc[skilled, "hallmark"]) or "none"
    alt = (
        f"R2 of {len(table)} hallmark experts on the anchor's residual, out of fold. With skill: {found}. The other "
        f"{int((~skilled).sum())} have none: the anchor is as good without their corrections."
    )
    return Picture(figure, title, alt)


def plot_corrections(corrections: pd.DataFrame, samples: pd.DataFrame, experts: pd.DataFrame) -> Picture:
    """Mean absolute correction (years) of each hallmark in each tissue, out of fold; experts without skill are marked.

    corrections : sample_id and `<Hallmark>_Correction` columns, years
    samples : sample_id, Tissue
    experts : hallmark, skill
    """
    title = "Hallmark corrections by tissue"
    unskilled = set(experts.loc[~has_skill(experts), "hallmark"])
    names = [column for column in corrections.columns if column.endswith("_Correction")]
    if not names:
        return empty_picture(title, "No hallmark has an expert.")
    table = corrections.merge(samples[["sample_id", "Tissue"]], on="sample_id", validate="one_to_one")
    counts = table["Tissue"].value_counts()
    tissues = sorted(counts.index, key=lambda tissue: (-counts[tissue], tissue))[:MOST_TISSUES]
    sizes = table[names].abs().groupby(table["Tissue"]).mean().loc[tissues].T
    figure = Figure(figsize=(WIDTH, 1.3 + 0.42 * len(names)), layout="constrained")
    axis = figure.add_subplot()
    most = max(float(sizes.to_numpy().max()), 1e-9)
    image = axis.imshow(sizes.to_numpy(), cmap="Blues", vmin=0, vmax=max(most, 0.1), aspect="auto")
    for (row, column), value in np.ndenumerate(sizes.to_numpy()):
        dark = value > 0.55 * max(most, 0.1)
        look = {"ha": "center", "va": "center", "fontsize": 8, "color": "white" if dark else "black"}
        axis.text(column, row, f"{value:.2f}" if value else "0", **look)
    axis.grid(False)
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    hallmarks = [name.removesuffix("_Correction") for name in names]
    marks = [readable(name) + ("\n(no skill: noise)" if name in unskilled else "") for name in hallmarks]
    axis.set_yticks(range(len(names)), marks)
    turned = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if len(tissues) > 5 else {}
    axis.set_xticks(range(len(tissues)), [readable(tissue, 12) for tissue in tissues], **turned)
    figure.colorbar(image, ax=axis, shrink=0.7, label="mean absolute correction (years)")
    strongest = sizes.stack().idxmax()
    alt = f"Mean absolute correction in years of {len(names)} hallmarks in {len(tissues)} tissues, out of fold. "
    if noise := [readable(name, 99) for name in hallmarks if name in unskilled]:
        alt += f"Noise, as their experts have no skill: {', '.join(noise)}. "
    alt += (
        f"Largest: {readable(strongest[0], 99)} in {strongest[1]}, {most:.2f} years."
        if most > 1e-6
        else "All are 0: no expert uses a feature."
    )
    return Picture(figure, title, alt)


def plot_random_sets(hallmarks: pd.DataFrame, scores: pd.DataFrame) -> Picture:
    """R2 of each hallmark's expert among those of random CpG sets of its size.

    hallmarks : a row per hallmark: hallmark, statistic (R2 on the residual), p_value
    scores : a row per random set: hallmark, R2_Residual
    """
    title = "Hallmarks against random CpG sets of the same size"
    own = hallmarks[hallmarks["hallmark"].isin(scores["hallmark"])]
    own = own.sort_values(["p_value", "statistic"], ascending=[True, False])
    if own.empty:
        return empty_picture(title, "No hallmark was tested.")
    figure, axis = new_axes(1.3 + 0.42 * len(own))
    axis.axvline(0, color=GREY, linewidth=1)
    random = {"color": GREY, "alpha": 0.5, "markersize": 3.5, "markeredgewidth": 0}
    columns = [own[name] for name in ("hallmark", "statistic", "p_value")]
    for row, (hallmark, statistic, p_value) in enumerate(zip(*columns, strict=True)):
        values = scores.loc[scores["hallmark"] == hallmark, "R2_Residual"].to_numpy(np.float64)
        labels = (f"random sets ({len(values)} each)", "the hallmark's own CpGs") if row == 0 else (None, None)
        axis.plot(values, row + spread_sideways(values, 0.3), "o", label=labels[0], **random)
        axis.plot(statistic, row, "D", color=BLUE, markersize=7, zorder=4, label=labels[1])
        write_beside(axis, row, f"p = {p_value:.2g}")
    label_rows(axis, [readable(name) for name in own["hallmark"]])
    figure.legend(loc="outside lower center", ncols=2)
    axis.set_xlabel("R² on the anchor's residual (no unit)")
    better = own.loc[own["p_value"] <= 0.05, "hallmark"]
    alt = (
        f"R2 of {len(own)} hallmark experts, each among experts of random CpG sets of the same size. Better than "
        f"chance (p of at most 0.05): {', '.join(readable(name, 99) for name in better) or 'none'}."
    )
    return Picture(figure, title, alt)
