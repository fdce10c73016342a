"""What the benchmark found, as Markdown tables and a plot."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def peer_table(section: dict) -> str:
    """Each solver's time for the whole sweep, as a ratio to ours; and how far its objective is from the best."""
    us = section["runs"][0]
    best: dict[str, float] = {}
    for run in section["runs"]:
        for key, value in run.get("objectives", {}).items():
            best[key] = min(value, best.get(key, np.inf))
    rows = []
    for run in section["runs"]:
        whole = run.get("whole", run["seconds"])
        excess = [value / best[key] - 1 for key, value in run.get("objectives", {}).items()]
        how = "timed" if run.get("timed", run["paths"]) == run["paths"] else f"{run['timed']} timed, x {run['paths']}"
        rows.append(
            [
                run["solver"],
                f"{whole:.1f}",
                how,
                f"{whole / us['seconds']:.1f}",
                f"{max(excess):.0e}" if excess else "",
                f"{run['resident_gib']:.1f}" if "resident_gib" in run else "",
            ]
        )
    head = ["solver", "seconds", "paths", "times ours", "objective above the best, at most", "resident GiB"]
    own = (
        f"Ours: {us['passes']} passes, {us['pass_seconds']:.1f} s of the {us['seconds']:.1f} s "
        f"(the whole is {us['seconds'] / us['pass_seconds']:.2f} times its passes), {us['cpu']:.1f} CPU s, "
        f"{us['anonymous_gib']:.2f} GiB beside the mapped file."
    )
    return f"**{section['title']}**\n\n{_table(head, rows)}\n\n{own}"


def scaling_table(runs: list[dict]) -> str:
    """Seconds by samples and CpGs, and seconds per million values."""
    rows = [
        [
            f"{run['samples']:,}",
            f"{run['cpgs']:,}",
            f"{run['seconds']:.1f}",
            f"{run['pass_seconds']:.1f}",
            f"{1e9 * run['seconds'] / run['samples'] / run['cpgs']:.1f}",
            f"{run['anonymous_gib']:.2f}",
        ]
        for run in runs
    ]
    head = ["samples", "CpGs", "seconds", "of these, passes", "ns per value", "GiB beside the file"]
    return "**5 folds x 5 l1_ratios x 30 alphas, by size**\n\n" + _table(head, rows)


def balancing_table(runs: list[dict]) -> str:
    """Several balancings against one."""
    rows = [
        [f"{run['paths'] // 25}", f"{run['seconds']:.1f}", f"{run['seconds'] / runs[0]['seconds']:.2f}",
         f"{run['pass_seconds']:.1f}", f"{run['anonymous_gib']:.2f}"]
        for run in runs
    ]  # fmt: skip
    head = ["balancings", "seconds", "times one", "of these, passes", "GiB beside the file"]
    title = f"**{runs[0]['samples']:,} x {runs[0]['cpgs']:,}, 5 folds x 5 l1_ratios x 30 alphas, by balancings**"
    return f"{title}\n\n{_table(head, rows)}"


def larger_table(run: dict) -> str:
    """The store that is larger than memory."""
    throughput = run["size"] * run["passes"] / run["pass_seconds"]
    size = f"{run['samples']:,} x {run['cpgs']:,} ({run['size'] / 1e9:.0f} GB)"
    return (
        f"**{size}, limited to 8 GiB, {run['paths']} paths x 12 alphas**\n\n"
        f"{run['seconds']:.0f} s, {run['passes']} passes at {throughput / 1e9:.2f} GB/s; reading the file in order: "
        f"{run['disk'] / 1e9:.2f} GB/s. Anonymous memory {run['anonymous_gib']:.2f} GiB at most."
    )


def plot_scaling(runs: list[dict], path: Path) -> None:
    """Seconds over CpGs, a line per number of samples, with a line of slope one beside them."""
    figure, axes = plt.subplots(figsize=(6, 4.2), layout="constrained")
    sizes = sorted({run["samples"] for run in runs})
    for samples, colour, marker in zip(sizes, ("#0072B2", "#E69F00", "#009E73"), "osD", strict=False):
        own = [run for run in runs if run["samples"] == samples]
        axes.loglog(
            [run["cpgs"] for run in own],
            [run["seconds"] for run in own],
            marker=marker,
            color=colour,
            label=f"{samples:,} samples",
        )
    last = [run for run in runs if run["samples"] == sizes[-1]]
    cpgs = np.array([run["cpgs"] for run in last])
    axes.loglog(cpgs, last[-1]["seconds"] * cpgs / cpgs[-1], ":", color="0.5", label="linear in CpGs")
    axes.set_xticks(cpgs, [f"{p:,}" for p in cpgs])
    axes.minorticks_off()
    ticks = [t for t in (1, 2, 5, 10, 20, 50, 100) if axes.get_ylim()[0] <= t <= axes.get_ylim()[1]]
    axes.set_yticks(ticks, [str(t) for t in ticks])
    axes.set_xlabel("CpGs")
    axes.set_ylabel("Wall time of the sweep (s)")
    axes.set_title("5 folds x 5 l1_ratios x 30 alphas, two cores, simulated data", fontsize=10)
    axes.grid(True, color="0.9")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)
