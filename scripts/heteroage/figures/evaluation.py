"""The nested evaluation: optimism, ablations, coverage of the intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

from heteroage.figures.style import BLUE, GREY, ORANGE, Picture, empty_picture, label_rows, new_axes

SCORINGS = {
    "random_split": "random split",
    "sweep_best_row": "sweep's best row",
    "out_of_fold": "out of fold",
    "nested": "nested",
}
MODELS = {
    "anchor": "anchor alone",
    "anchor_plus_experts": "anchor + experts",
    "fusion_without_context": "fusion without context",
    "full": "full clock",
}
STRATA = {
    "all": "all",
    "Tissue": "tissue",
    "Age_Band": "age",
    "Sex": "sex",
    "Platform": "platform",
    "project_id": "project",
}
MOST_ROWS = 40


def plot_optimism(optimism: pd.DataFrame) -> Picture:
    """The same clock's MAE (years) by ever more honest ways of scoring it, with the distance to the nested error.

    Parameters
    ----------
    optimism : scoring, model (HeteroAge or Stage1_Pred_Age), MicroMAE, MacroMAE, Gap_Years
    """
    names = [scoring_name(*pair) for pair in zip(optimism["scoring"], optimism["model"], strict=True)]
    table = optimism.set_axis(pd.Index(names))
    texts = [f"{gap:+.2f}" if gap else "" for gap in table["Gap_Years"]]
    picture = _plot_errors(table, texts, "nested\nminus this", "The price of an honest number")
    said = [f"{name} {mae:.2f} years" for name, mae in table["MicroMAE"].items()]
    return Picture(picture.figure, picture.title, f"Mean absolute error by way of scoring: {'; '.join(said)}.")


def scoring_name(scoring: str, model: str) -> str:
    """A row of the optimism table, in words."""
    return f"{'HeteroAge' if model == 'HeteroAge' else 'Anchor'}: {SCORINGS.get(scoring, scoring)}"


def plot_ablation(ablation: pd.DataFrame) -> Picture:
    """MAE (years) of the clock and of its parts, nested, and their paired difference to the anchor over groups."""
    table = ablation.set_axis(pd.Index([MODELS.get(name, name) for name in ablation["model"]]))
    differences = zip(table["Minus_Anchor"], table["Minus_Anchor_SE"], strict=True)
    texts = [f"{change:+.2f} ± {error:.2f}" if change else "" for change, error in differences]
    picture = _plot_errors(table, texts, "minus anchor\n± std. error", "What each part adds (nested)")
    said = [f"{name} {mae:.2f} years" for name, mae in table["MicroMAE"].items()]
    return Picture(picture.figure, picture.title, f"Nested mean absolute error: {', '.join(said)}.")


def _plot_errors(table: pd.DataFrame, texts: list[str], head: str, title: str) -> Picture:
    figure, axis = new_axes(1.5 + 0.36 * len(table))
    rows = np.arange(len(table))
    axis.plot(table["MicroMAE"], rows - 0.13, "o", color=BLUE, markersize=8, label="over all samples")
    axis.plot(
        table["MacroMAE"],
        rows + 0.13,
        "s",
        markerfacecolor="white",
        markeredgecolor=ORANGE,
        markersize=7,
        label="mean over projects",
    )
    for row, text in enumerate(texts):
        axis.text(1.02, row, text, transform=axis.get_yaxis_transform(), va="center")
    axis.text(1.02, -0.62, head, transform=axis.get_yaxis_transform(), va="bottom", color=GREY, fontsize=8)
    label_rows(axis, list(table.index))
    values = table[["MicroMAE", "MacroMAE"]].to_numpy()
    room = max(0.2 * np.ptp(values), 0.05 * values.max())
    axis.set_xlim(values.min() - room, values.max() + room)
    axis.set_xlabel("Mean absolute error (years); the axis does not start at 0")
    figure.legend(loc="outside lower center", ncols=2)
    return Picture(figure, title, "")


def plot_coverage(coverage: pd.DataFrame, nominal: float | None) -> Picture:
    """Share of held-out samples within their interval, by stratum, with its binomial 95% range; nominal as a line.

    Parameters
    ----------
    coverage : stratum, level, n, coverage (share), median_width (years)
    nominal : the share that the intervals are meant to hold; None where they were not calibrated
    """
    title = "Coverage of the prediction intervals"
    if coverage.empty or nominal is None:
        return empty_picture(title, "No intervals were calibrated.")
    order = {stratum: k for k, stratum in enumerate(STRATA)}
    table = coverage.assign(order=coverage["stratum"].map(order)).sort_values("order", kind="stable").head(MOST_ROWS)
    figure, axis = new_axes(1.2 + 0.24 * len(table))
    axis.axvline(100 * nominal, color=GREY, linewidth=1, linestyle="--")
    for row, (stratum, share, n) in enumerate(zip(table["stratum"], table["coverage"], table["n"], strict=True)):
        low, high = wilson(share, n)
        colour = BLUE if stratum == "all" else GREY
        axis.plot([100 * low, 100 * high], [row, row], color=colour, linewidth=1.5)
        axis.plot(100 * share, row, "o", color=colour, markersize=7 if stratum == "all" else 5)
    for row, width in enumerate(table["median_width"]):
        axis.text(1.02, row, f"{width:.1f}", transform=axis.get_yaxis_transform(), va="center")
    axis.text(
        1.02,
        -1.0,
        "width (years)",
        transform=axis.get_yaxis_transform(),
        va="center",
        ha="center",
        color=GREY,
        fontsize=8,
    )
    labels = [
        f"all samples (n = {n})" if stratum == "all" else f"{STRATA.get(stratum, stratum)}: {level} (n = {n})"
        for stratum, level, n in zip(table["stratum"], table["level"], table["n"], strict=True)
    ]
    label_rows(axis, labels)
    axis.set_xlim(right=101)
    axis.set_xlabel(f"Samples inside their interval (%); dashed: {100 * nominal:g}%")
    overall = table[table["stratum"] == "all"]
    alt = f"Share of held-out samples within their {100 * nominal:g}% interval, by stratum."
    if len(overall):
        alt += f" All samples: {100 * overall['coverage'].iloc[0]:.1f}%."
    return Picture(figure, title, alt)


def wilson(share: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95% range of a share of n (Wilson, JASA 22:209, 1927), as if samples were independent."""
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return float(centre - half), float(centre + half)
