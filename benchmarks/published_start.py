"""Few studies: an anchor that starts from a published clock beside one that does not (a part of real_data.py).

Some projects of the blood table are drawn at random. The anchor is swept and trained on them by the package's own
functions, with folds of whole groups, and predicts the other projects. A project that shares donors or arrays with a
training one is not scored. Draws with fewer than three groups, or with nothing to score, are drawn again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from heteroage.clock.published import read_coefficients
from heteroage.grouping.folds import MINIMUM_FOLDS, assign_folds
from heteroage.stages import stage1
from heteroage.stages.deployable import open_start
from heteroage.stages.training_data import TrainingData

if TYPE_CHECKING:
    from real_data import Study

SIZES = (3, 4, 5, 8)
DRAWS, SEEDS = 15, 1000
WAYS = {"without": [0.0], "tuned": [0.0, 0.5, 1.0], "strength 1": [1.0]}


def published_start(study: Study, config: Mapping, coefficients: Path, threads: int) -> None:
    """Print the error on other projects by number of training projects: mean over draws and projects, years."""
    print(f"\nstart_from {coefficients.name}: {len(read_coefficients(coefficients).features)} CpGs")
    print(f"| training projects | {' | '.join(WAYS)} | tuned - without | strengths chosen |\n|---|{'---|' * 5}")
    for size in SIZES:
        errors = pd.DataFrame([one_draw(study, config, coefficients, rows, threads) for rows in drawn(study, size)])
        gain = errors["tuned"] - errors["without"]
        cells = [f"{errors[way].mean():.2f}" for way in WAYS]
        cells.append(f"{gain.mean():+.2f} ± {gain.std(ddof=1) / np.sqrt(len(gain)):.2f}")
        cells.append(", ".join(f"{s:g}: {n}" for s, n in errors["strength"].value_counts().sort_index().items()))
        print(f"| {size} (n = {len(errors)}) | {' | '.join(cells)} |", flush=True)


def drawn(study: Study, size: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The samples to train on and those to score, for each draw: different choices, so fewer where there are few."""
    project, group = (study.samples[name].to_numpy(str) for name in ("project_id", "group"))
    found = {}
    for seed in range(SEEDS):
        chosen = np.random.default_rng([size, seed]).choice(np.unique(project), size, replace=False)
        training = np.isin(project, chosen)
        others = ~np.isin(group, group[training])
        if others.any() and len(np.unique(group[training])) >= MINIMUM_FOLDS:
            found[tuple(sorted(chosen))] = np.flatnonzero(training), np.flatnonzero(others)
        if len(found) == DRAWS:
            break
    return list(found.values())


def one_draw(
    study: Study, config: Mapping, coefficients: Path, rows: tuple[np.ndarray, np.ndarray], threads: int
) -> dict[str, float]:
    """Mean over the other projects of their MAE for each way, and the strength that the folds chose."""
    training, others = (study.of(one) for one in rows)
    validation, stage = config["cross_validation"], config["stage1"]
    samples = training.samples.copy()
    samples["fold"] = assign_folds(
        samples, min(validation["folds"], samples["group"].nunique()), validation["seed"], True
    )
    data = TrainingData(samples, training.X, training.features)
    start = open_start({"coefficients": str(coefficients), "transform": "horvath"}, data)
    row = {}
    for way, strengths in WAYS.items():
        grid = stage1.Grid.of(stage | {"start_from": {"strengths": strengths}})
        chosen = stage1.selected_row(stage1.sweep(data, grid, threads, start), "the sweep")
        model = stage1.train(data, chosen, threads, start)
        ages = model.predict(others.frame[list(model.feature_names_in_)].astype(np.float64))
        error = (others.samples["Age"] - ages).abs()
        row[way] = float(error.groupby(others.samples["project_id"]).mean().mean())
        if way == "tuned":
            row["strength"] = chosen[stage1.STRENGTH]
    return row
