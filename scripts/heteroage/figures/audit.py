"""Pictures of the audit."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from heteroage.figures.style import COLOURS, MARKERS

NAMED = 12  # points of a picture that are named at most


def plot_overlap(overlap: pd.DataFrame) -> Figure:
    """Draw the numbers of samples and CpGs by the exact set of modalities that have them."""
    height = 1.2 + 0.35 * len(overlap)
    figure, axes = plt.subplots(1, 2, figsize=(9, height), sharey=True, layout="constrained")
    for axis, column, name in zip(axes, ("n_samples", "n_cpgs"), ("Samples", "CpGs"), strict=True):
        bars = axis.barh(overlap["modalities"], overlap[column], color=COLOURS[0])
        axis.bar_label(bars, [f"{count:,}" for count in overlap[column]], padding=3, fontsize=9)
        axis.set(title=name, xlim=(0, 1.18 * max(1, overlap[column].max())), xticks=[])
    axes[0].invert_yaxis()
    return figure


def plot_missingness(by_sample: pd.DataFrame, by_cpg: pd.DataFrame) -> Figure:
    """Draw the number of samples and features by fraction of missing values, per modality."""
    modalities = list(by_cpg["modality"].unique())
    size = (9, 1 + 2.4 * len(modalities))
    figure, axes = plt.subplots(len(modalities), 2, figsize=size, squeeze=False, layout="constrained")
    for (left, right), modality in zip(axes, modalities, strict=True):
        fraction = by_sample.loc[by_sample["modality"] == modality, "missing_fraction"]
        left.hist(100 * fraction, bins=np.linspace(0, max(1.0, 100 * fraction.max()), 16), color=COLOURS[0])
        left.set(title=f"{modality}: {len(fraction):,} samples", xlabel="Features missing (%)", ylabel="Samples")
        counts = by_cpg[by_cpg["modality"] == modality]
        bars = right.bar(counts["missing_fraction"], counts["n_features"], color=COLOURS[1])
        labels = [f"{count:,}" if count else "" for count in counts["n_features"]]
        right.bar_label(bars, labels, fontsize=8)
        right.set(title=f"{modality}: {counts['n_features'].sum():,} features", ylabel="Features")
        right.set_xlabel("Share of samples in which it is missing")
        right.tick_params(axis="x", rotation=35, labelsize=8)
        right.margins(y=0.15)
    return figure


def plot_confounding(samples: pd.DataFrame, measures: pd.DataFrame) -> Figure:
    """Draw a table of projects and tissues with the number of samples, coloured by median age."""
    cells = samples.groupby(["project_id", "Tissue"])["Age"].agg(["size", "median"])
    count, age = cells["size"].unstack(), cells["median"].unstack()
    order = age.mean(axis=1).sort_values(na_position="first").index
    count, age = count.loc[order], age.loc[order]
    width, height = 3.6 + 0.75 * count.shape[1], 2.4 + 0.26 * count.shape[0]
    figure, axis = plt.subplots(figsize=(max(6.5, width), height), layout="constrained")
    shades = plt.get_cmap("viridis").with_extremes(bad="0.85")
    values = age.to_numpy(float)
    mesh = axis.pcolormesh(values, cmap=shades, edgecolors="w", linewidth=1)
    known = not np.isnan(values).all()
    middle = np.mean(mesh.get_clim()) if known else 0
    for (row, column), n in np.ndenumerate(count.to_numpy(float)):
        if np.isnan(n):
            axis.fill_between([column, column + 1], row, row + 1, color="w", linewidth=0)
        else:
            colour = "w" if values[row, column] < middle else "k"
            axis.text(column + 0.5, row + 0.5, f"{n:.0f}", ha="center", va="center", fontsize=8, color=colour)
    axis.set_xticks(np.arange(count.shape[1]) + 0.5, count.columns, rotation=35, ha="right", rotation_mode="anchor")
    axis.set_yticks(np.arange(count.shape[0]) + 0.5, count.index, fontsize=8)
    if known:
        figure.colorbar(mesh, ax=axis, label="Median age (years)", fraction=0.04)
    value = measures.set_index(["first", "second"])["value"]
    together = value["project_id", "Tissue"]
    axis.set_title(
        f"Training samples: study explains {_share(value['project_id', 'Age'])} of the variance of age,\n"
        f"tissue {_share(value['Tissue', 'Age'])}"
        + ("" if np.isnan(together) else f"; study and tissue: Cramér's V {together:.2f}"),
        fontsize=10,
    )
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    return figure


def plot_ages(samples: pd.DataFrame, by_project: pd.DataFrame) -> Figure:
    """Draw each project's ages and quartiles, sorted by median age. Samples that do not train are grey."""
    shown = by_project[by_project["n_with_age"] > 0]
    figure, axis = plt.subplots(figsize=(9, 1.6 + 0.3 * len(shown)), layout="constrained")
    rng = np.random.default_rng(0)
    for row, project in enumerate(shown["project_id"]):
        own = samples[(samples["project_id"] == project) & samples["Age"].notna()]
        height = row + rng.uniform(-0.28, 0.28, len(own))
        colour = np.where(own["trains"], COLOURS[0], "0.55")
        axis.scatter(own["Age"], height, s=9, c=colour, alpha=0.5, linewidths=0)
        ends = own["Age"].quantile([0.25, 0.5, 0.75])
        axis.plot(ends.iloc[[0, 2]], [row, row], color="k", linewidth=1.2)
        axis.plot(ends.iloc[1], row, "|", color="k", markersize=11, markeredgewidth=2)
    labels = [f"{p} ({n})" for p, n in zip(shown["project_id"], shown["n_with_age"], strict=True)]
    axis.set_yticks(range(len(shown)), labels, fontsize=8)
    axis.set(xlabel="Age (years)", ylim=(-0.7, len(shown) - 0.3))
    axis.set_title("Ages by study: median and quartiles; blue samples train, grey ones do not", fontsize=10)
    axis.invert_yaxis()
    return figure


def plot_pc_space(table: pd.DataFrame) -> Figure:
    """Draw the first two components of each modality, coloured by tissue.

    Outliers are ringed. The farthest are named, with the component on which they are outliers."""
    modalities = list(table["modality"].unique())
    size = (1.5 + 4.2 * len(modalities), 5)
    figure, axes = plt.subplots(1, len(modalities), figsize=size, squeeze=False, layout="constrained")
    tissues = sorted(table["Tissue"].unique())
    for axis, modality in zip(axes[0], modalities, strict=True):
        own = table[table["modality"] == modality].assign(PC2=lambda t: t.get("PC2", 0.0))
        for k, tissue in enumerate(tissues):
            part = own[own["Tissue"] == tissue]
            style = {"color": COLOURS[k % len(COLOURS)], "marker": MARKERS[k // len(COLOURS) % len(MARKERS)]}
            axis.scatter(part["PC1"], part["PC2"], s=13, alpha=0.6, linewidths=0, label=tissue, **style)
        far = own[own["Outlier"]]
        _ring(axis, far["PC1"], far["PC2"], far["sample_id"] + " (" + far["Farthest_PC"] + ")")
        axis.set(xlabel="PC1", ylabel="PC2")
        axis.set_title(f"{modality}: {len(far)} outliers in {len(own):,} samples", fontsize=10)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(6, len(labels)), fontsize=9)
    return figure


def plot_hallmarks(table: pd.DataFrame) -> Figure:
    """Draw the number of each hallmark's CpGs before and after matching to the data."""
    figure, axis = plt.subplots(figsize=(9, 1.4 + 0.36 * len(table)), layout="constrained")
    axis.barh(table["hallmark"], table["cpgs"], color="0.85", label="in the dictionary")
    axis.barh(table["hallmark"], table["cpgs_in_data"], color=COLOURS[2], height=0.5, label="in the data")
    for row, (cpgs, found) in enumerate(zip(table["cpgs"], table["cpgs_in_data"], strict=True)):
        look = {"textcoords": "offset points", "va": "center", "fontsize": 8}
        axis.annotate(f"{found:,} of {cpgs:,}", (cpgs, row), (4, 0), **look)
    axis.set(xlabel="CpGs", xlim=(0, 1.2 * max(1, table["cpgs"].max())))
    axis.invert_yaxis()
    axis.legend(fontsize=9, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
    return figure


def plot_sex(table: pd.DataFrame) -> Figure:
    """Draw the X against the Y signal, coloured by sex label. Mismatches are ringed and named."""
    figure, axis = plt.subplots(figsize=(6.4, 5.4), layout="constrained")
    signals = [name for name in ("X_Signal", "Y_Signal") if table[name].notna().any()]
    place = table[signals].copy() if signals else pd.DataFrame({"X_Signal": np.nan}, index=table.index)
    if place.shape[1] == 1:  # one chromosome alone is spread out by the samples' order
        place["Samples, by signal"] = place.iloc[:, 0].rank(method="first")
    x, y = place.columns
    for label, colour in (("F", COLOURS[1]), ("M", COLOURS[0]), ("unknown", "0.5")):
        own = place[table["Sex"] == label]
        look = {"s": 15, "alpha": 0.6, "linewidths": 0, "color": colour}
        axis.scatter(own[x], own[y], label=f"labelled {label} ({len(own)})", **look)
    wrong = table["Mismatch"].astype(bool)
    _ring(axis, place.loc[wrong, x], place.loc[wrong, y], table.loc[wrong, "sample_id"])
    told = int((table["Predicted_Sex"] != "unknown").sum())
    axis.set_title(f"{int(wrong.sum())} labels disagree; {told:,} of {len(table):,} samples could be told", fontsize=10)
    axis.set(xlabel=_signal_name(x), ylabel=_signal_name(y))
    axis.legend(fontsize=9)
    return figure


def _ring(axis: Axes, x: pd.Series, y: pd.Series, names: pd.Series) -> None:
    axis.scatter(x, y, s=70, facecolors="none", edgecolors="k", linewidths=1)
    for name, a, b in list(zip(names, x, y, strict=True))[:NAMED]:
        axis.annotate(name, (a, b), (5, 4), textcoords="offset points", fontsize=7)


def _share(value: float) -> str:
    return "an unknown share" if np.isnan(value) else f"{100 * value:.0f}%"


def _signal_name(column: str) -> str:
    return column if "_" not in column else f"{column[0]} signal: mean |beta - 0.5| x 2 (higher in men)"
