"""Pictures of a run."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from heteroage.metrics import score_predictions

# Okabe and Ito's palette, told apart by colour-blind readers; markers take over when it is used up.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000"]
MARKERS = "osD^v"


def plot_predicted_age(predictions: pd.DataFrame) -> Figure:
    """Out-of-fold ages of the anchor and of HeteroAge against actual age (years), by tissue."""
    stages = {"Anchor (Stage 1)": "Stage1_Pred_Age", "HeteroAge (Stage 3)": "HeteroAge"}
    figure, axes = plt.subplots(1, 2, figsize=(9, 5.4), sharex=True, sharey=True, layout="constrained")
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
