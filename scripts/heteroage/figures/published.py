"""HeteroAge and published clocks on the same samples: the error in each project."""

from __future__ import annotations

import numpy as np
import pandas as pd

from heteroage.evaluation.published import DIFFERENCE, worth_training
from heteroage.figures.style import COLOURS, GREY, MARKERS, Picture, empty_picture, label_rows, new_axes, readable

MOST_ROWS = 40
MOST_MISSING = 0.5  # fraction of a clock's CpGs; where more are missing, its errors would set the scale


def plot_published(accuracy: pd.DataFrame) -> Picture:
    """MAE (years) of HeteroAge and of each published clock in each project of the nested samples.

    Hollow where the project was in the clock's training. A clock is left out if more than half
    of its CpGs are missing, unless that is so of all.

    Parameters
    ----------
    accuracy : as `with_published` returns
    """
    title = "Published clocks on the same samples"
    if DIFFERENCE not in accuracy or accuracy[DIFFERENCE].isna().all():
        return empty_picture(title, "No published clock was compared (config: compare).")
    overall = accuracy[accuracy[DIFFERENCE].notna() & (accuracy["stratum"] == "all")]
    whole = overall[overall["Missing_CpGs"] <= MOST_MISSING * overall["CpGs"]]
    names = (whole if len(whole) else overall)["model"].tolist()
    rows = accuracy[accuracy["stratum"].isin(["all", "project_id"])]
    ours = rows[rows["model"] == "HeteroAge"].set_index(["stratum", "level"])
    first = ours.index.get_level_values(0) == "all"
    places = [*ours.index[first], *ours[~first].sort_values("n", ascending=False, kind="stable").index][:MOST_ROWS]
    figure, axis = new_axes(1.4 + 0.3 * len(places))
    for k, name in enumerate(["HeteroAge", *names]):
        own = rows[rows["model"] == name].set_index(["stratum", "level"]).reindex(places)
        colour, marker = COLOURS[k % len(COLOURS)], "D" if name == "HeteroAge" else MARKERS[(k - 1) % len(MARKERS)]
        seen = (own["In_Its_Training"].astype(str) == "True").to_numpy() & (name != "HeteroAge")
        aside = 0.3 * (k - len(names) / 2) / len(names)  # so that equal errors do not hide one another
        errors, at = own["MAE"].to_numpy(np.float64), np.arange(len(places)) + aside
        axis.plot(errors[~seen], at[~seen], marker, color=colour, markersize=6, label=readable(name, 30))
        axis.plot(errors[seen], at[seen], marker, color=colour, markerfacecolor="white", markersize=6)
    axis.axhline(0.5, color=GREY, linewidth=0.6)
    counts = {place: f"{place[1]} (n = {ours.loc[place, 'n']:.0f})" for place in places}
    label_rows(axis, ["all samples" if place[0] == "all" else readable(counts[place], 28) for place in places])
    axis.set_xlim(left=0)
    axis.set_xlabel("Mean absolute error (years)")
    figure.legend(loc="outside lower center", ncols=3)
    alt = f"Mean absolute error by project of HeteroAge and {', '.join(names)}. {worth_training(accuracy)}"
    return Picture(figure, title, alt)
