"""The workflow itself: which rule feeds which, and how long each ran."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from heteroage.figures.style import BLUE, GREY, WIDTH, Picture, empty_picture, label_rows, new_axes

Edge = tuple[str, str]
MOST_BESIDE = 4
BOX_WIDTH, BOX_HEIGHT = 0.21, 0.56  # of the width, of the distance between lines
MOST_ROWS = 30


def plot_rules(edges: Iterable[Edge]) -> Picture:
    """Rules as boxes, from the inputs down; an arrow leads from a rule to one that uses what it makes."""
    edges = without_shortcuts(edges)
    title = "The workflow's rules"
    if not edges:
        return empty_picture(title, "No rule uses what another makes.")
    lines = arrange(edges)
    place = {
        rule: ((k + 0.5) / len(line) if len(line) > 1 else 0.5, -row)
        for row, line in enumerate(lines)
        for k, rule in enumerate(line)
    }
    figure = Figure(figsize=(WIDTH, 0.3 + 0.62 * len(lines)), layout="constrained")
    axis = figure.add_subplot()
    axis.axis("off")
    for start, end in edges:
        (x0, y0), (x1, y1) = place[start], place[end]
        arrow = {"arrowstyle": "-|>", "color": GREY, "linewidth": 0.8, "mutation_scale": 8, "shrinkA": 0, "shrinkB": 0}
        arrow["connectionstyle"] = f"arc3,rad={0.0 if y0 - y1 <= 1 or x0 != x1 else 0.25}"
        axis.annotate("", (x1, y1 + BOX_HEIGHT / 2), (x0, y0 - BOX_HEIGHT / 2), arrowprops=arrow, zorder=1)
    look = {"facecolor": "#eaf3fa", "edgecolor": BLUE, "linewidth": 0.8, "zorder": 2}
    for rule, (x, y) in place.items():
        axis.add_patch(Rectangle((x - BOX_WIDTH / 2, y - BOX_HEIGHT / 2), BOX_WIDTH, BOX_HEIGHT, **look))
        axis.text(x, y, _two_lines(rule), ha="center", va="center", fontsize=7, zorder=3)
    axis.set(xlim=(0, 1), ylim=(-len(lines) + 0.5, 0.5))
    said = "; ".join(f"{start} feeds {end}" for start, end in edges)
    return Picture(figure, title, f"Graph of {len(place)} rules. {said}.")


def without_shortcuts(edges: Iterable[Edge]) -> list[Edge]:
    """Leave out each edge that a longer way implies (transitive reduction of an acyclic graph)."""
    after: dict[str, set[str]] = {}
    for start, end in edges:
        after.setdefault(start, set()).add(end)
        after.setdefault(end, set())

    reached: dict[str, set[str]] = {}
    for rule in TopologicalSorter(after).static_order():  # those without successors first
        reached[rule] = set().union(*({end} | reached[end] for end in after[rule]))
    return sorted(
        (start, end)
        for start, ends in after.items()
        for end in ends
        if not any(end in reached[other] for other in ends - {end})
    )


def arrange(edges: Iterable[Edge]) -> list[list[str]]:
    """Put rules on lines: each below all that it needs, near them, at most four beside each other."""
    before: dict[str, set[str]] = {}
    for start, end in edges:
        before.setdefault(end, set()).add(start)
        before.setdefault(start, set())
    depth: dict[str, int] = {}
    for rule in TopologicalSorter(before).static_order():
        depth[rule] = 1 + max((depth[other] for other in before[rule]), default=-1)
    # What starts the graph but is used late stands just above its first use.
    for rule in sorted(before):
        users = [depth[end] for end, starts in before.items() if rule in starts]
        if not before[rule] and users:
            depth[rule] = min(users) - 1
    lines: list[list[str]] = []
    where: dict[str, float] = {}
    for level in sorted(set(depth.values())):
        level_rules = [rule for rule in sorted(depth) if depth[rule] == level]
        level_rules.sort(
            key=lambda rule: float(np.mean([where[o] for o in sorted(before[rule]) if o in where] or [0.5]))
        )
        parts = -(-len(level_rules) // MOST_BESIDE)
        for part in np.array_split(np.array(level_rules, object), parts):
            lines.append(list(part))
            where |= {rule: (k + 0.5) / len(part) for k, rule in enumerate(part)}
    return lines


def _two_lines(rule: str) -> str:
    words = rule.split("_")
    if len(rule) <= 14 or len(words) == 1:
        return rule
    cut = min(range(1, len(words)), key=lambda k: abs(len("_".join(words[:k])) - len(rule) / 2))
    return "_".join(words[:cut]) + "_\n" + "_".join(words[cut:])


def plot_run_times(times: pd.DataFrame) -> Picture:
    """Seconds of each rule, over all its jobs, and the most memory a job of it took.

    Parameters
    ----------
    times : rule, jobs, seconds, most_memory_mb
    """
    title = "Run times"
    if times.empty:
        return empty_picture(title, "No rule was timed.")
    table = times.sort_values(["seconds", "rule"], ascending=[False, True]).head(MOST_ROWS)
    figure, axis = new_axes(1.0 + 0.24 * len(table))
    rows = np.arange(len(table))
    axis.barh(rows, table["seconds"], height=0.6, color=BLUE)
    for row, (seconds, memory) in enumerate(zip(table["seconds"], table["most_memory_mb"], strict=True)):
        text = f"{seconds:,.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
        text += f", {memory:,.0f} MB" if memory > 0 else ""
        axis.text(1.02, row, text, transform=axis.get_yaxis_transform(), va="center", fontsize=8)
    label_rows(
        axis,
        [f"{rule} ({jobs})" if jobs > 1 else rule for rule, jobs in zip(table["rule"], table["jobs"], strict=True)],
    )
    axis.set_xlabel("Time over all jobs of the rule (seconds)")
    total = times["seconds"].sum()
    slowest = table.iloc[0]
    alt = f"{times['jobs'].sum()} jobs took {total:.0f} seconds in all, "
    alt += f"{slowest['rule']} {slowest['seconds']:.0f} of them."
    return Picture(figure, title, alt)


def sum_run_times(benchmarks: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Sum benchmark tables (one a job, named by rule) to one row per rule.

    Snakemake writes `-` where a job ended before its memory could be read.
    """
    rows = [
        {
            "rule": rule,
            "jobs": len(table),
            "seconds": float(table["s"].sum()),
            "most_memory_mb": float(pd.to_numeric(table["max_rss"], errors="coerce").max()),
        }
        for rule, table in benchmarks.items()
    ]
    return pd.DataFrame(rows, columns=["rule", "jobs", "seconds", "most_memory_mb"])
