"""Shared by all pictures: the width of one column, which fits a phone, colours, alternative text, and fixed bytes."""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from heteroage.files import atomic_path

# The palette of Okabe and Ito, for colour-blind readers. Form (filled, hollow, marker) repeats what colour shows.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000"]
BLUE, ORANGE, GREEN, PINK, SKY, AMBER, BLACK = COLOURS
MARKERS = "osD^v"  # the next marker is used after all colours
GREY, PALE = "#666666", "#d0d0d0"
WIDTH = 5.2  # inches; a picture is one column, so that its letters can be read on a phone
MOST_POINTS = 3000  # clouds of more points are stored as pixels, to keep files small

matplotlib.rcParams.update(
    {
        "font.family": "DejaVu Sans",  # comes with matplotlib
        "font.size": 9,
        "axes.titlesize": 9,
        "axes.labelsize": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": True,
        "grid.color": "#e6e6e6",
        "grid.linewidth": 0.6,
        "legend.frameon": False,
        "legend.fontsize": 8.5,
        "savefig.facecolor": "white",
        "svg.hashsalt": "heteroage",
    }
)


@dataclass(frozen=True)
class Picture:
    """A drawing, its title, and its alternative text for readers who cannot see it."""

    figure: Figure
    title: str
    alt: str


def save_picture(picture: Picture, path: str | Path) -> None:
    """Write a picture as SVG with its title and alternative text; equal pictures give equal bytes.

    Letters are drawn as shapes. If the font lacks a letter, text is stored as text and shown in the reader's own fonts.
    """
    described = {"Title": picture.title, "Description": picture.alt, "Date": None, "Creator": None}
    with atomic_path(path) as beside, warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("always", message="Glyph")
        picture.figure.savefig(beside, format="svg", metadata=described, dpi=200)
        if any("missing from font" in str(warning.message) for warning in caught):
            with matplotlib.rc_context({"svg.fonttype": "none"}):
                picture.figure.savefig(beside, format="svg", metadata=described, dpi=200)


def save_png(figure: Figure, path: str | Path) -> None:
    """Write a figure as PNG."""
    with atomic_path(path) as beside:
        figure.savefig(beside, format="png", dpi=150)


def new_axes(height: float) -> tuple[Figure, Axes]:
    """Return a figure with one panel."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.add_subplot()


def empty_picture(title: str, text: str) -> Picture:
    """Return a picture with the reason why there is nothing to draw."""
    figure, axis = new_axes(1.2)
    axis.axis("off")
    axis.text(0.5, 0.5, textwrap.fill(text, 60), ha="center", va="center", color=GREY)
    return Picture(figure, title, text)


def by_size(labels: pd.Series) -> list[str]:
    """Return the distinct labels by decreasing number of samples, then by name."""
    return list(labels.value_counts().sort_index().sort_values(ascending=False, kind="stable").index)


def readable(name: str, width: int = 24) -> str:
    """Return the name of a column or hallmark in words, on short lines."""
    words = name.removesuffix("_Correction").replace("_", " ")
    return textwrap.fill(words, width)


def new_rows(labels: Sequence[str], height: float, margin: float, zero: bool = True) -> tuple[Figure, Axes]:
    """Return a figure with named horizontal rows 0, 1, ... from the top down, and a line at 0.

    height, margin : of a row, and of all around the rows, in inches
    """
    figure, axis = new_axes(margin + height * len(labels))
    if zero:
        axis.axvline(0, color=GREY, linewidth=1)
    axis.set_yticks(range(len(labels)), labels)
    axis.set_ylim(len(labels) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    axis.grid(False, axis="y")
    return figure, axis


def write_beside(axis: Axes, row: float, text: str, **look: object) -> None:
    """Write to the right of a row."""
    axis.text(1.02, row, text, transform=axis.get_yaxis_transform(), **({"va": "center"} | look))


def draw_spread(axis: Axes, row: float, values: ArrayLike, colour: str, hollow: bool = False) -> None:
    """Draw a distribution in one row: the middle 90% (thin line), the middle half (thick line) and the median (dot)."""
    low, first, median, third, high = np.quantile(np.asarray(values, np.float64), [0.05, 0.25, 0.5, 0.75, 0.95])
    axis.plot([low, high], [row, row], color=colour, linewidth=1, solid_capstyle="butt", zorder=2)
    axis.plot([first, third], [row, row], color=colour, linewidth=4, solid_capstyle="butt", zorder=3)
    face = "white" if hollow else colour
    axis.plot(median, row, "o", markersize=6, markerfacecolor=face, markeredgecolor=colour, zorder=4)


def draw_cloud(axis: Axes, x: ArrayLike, y: ArrayLike, colour: str, size: float = 9.0, alpha: float = 0.55) -> None:
    """Draw one point per sample."""
    axis.scatter(x, y, s=size, color=colour, alpha=alpha, linewidths=0, rasterized=len(np.asarray(x)) > MOST_POINTS)


def spread_sideways(values: NDArray[np.float64], height: float) -> NDArray[np.float64]:
    """Return vertical offsets that separate the points of one row, larger where the points are dense."""
    offsets = np.zeros(len(values))
    if len(values) > 1 and np.ptp(values) > 0:
        bins = np.minimum(((values - values.min()) / np.ptp(values) * 40).astype(int), 39)
        densest = np.bincount(bins).max()
        for k in np.unique(bins):
            rows = np.flatnonzero(bins == k)
            steps = np.arange(len(rows))
            offsets[rows] = np.where(steps % 2, 1, -1) * ((steps + 1) // 2) / max(densest / 2, 4) * height
    return offsets
