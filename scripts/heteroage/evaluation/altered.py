"""Test that a run does not use its held-out outer fold: the fold is altered in a copy of the store.

A run reads only the columns of its own samples. Its training files (samples and folds, RF_PCs, hallmark assignment) and
its anchor, which uses every feature, are computed again from the altered store. They are compared byte by byte with the
run's files. Later stages read no other files.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.evaluation.falsification import Verdict, verdict_of
from heteroage.labels import OLDEST, UNKNOWN
from heteroage.matrix import BLOCK

MISSING_SHARE = 0.1


def alter_labels(samples: pd.DataFrame, outer_fold: int, seed: int) -> pd.DataFrame:
    """Change Age, Tissue, Sex and Is_Healthy of every sample of an outer fold."""
    held_out = (samples["outer_fold"] == outer_fold).to_numpy()
    rng = np.random.default_rng(seed)
    altered = samples.copy()
    altered["Is_Healthy"] = altered["Is_Healthy"].astype(str) == "True"
    altered.loc[held_out, "Age"] = np.round(rng.uniform(0, OLDEST, held_out.sum()), 1)
    altered.loc[held_out, "Tissue"] = rng.permutation([*samples["Tissue"].unique(), UNKNOWN])[
        rng.integers(0, samples["Tissue"].nunique() + 1, held_out.sum())
    ]
    altered.loc[held_out, "Sex"] = rng.choice(["F", "M", UNKNOWN], held_out.sum())
    altered.loc[held_out, "Is_Healthy"] = ~altered.loc[held_out, "Is_Healthy"]
    return altered


def alter_methylation(store: Path, altered: Path, columns: NDArray[np.int64], seed: int) -> None:
    """Copy a store (features x samples) with random values, a tenth of them missing, in `columns`."""
    shutil.copyfile(store, altered)
    matrix = np.load(altered, mmap_mode="r+")
    for start in range(0, len(matrix), BLOCK):
        block = matrix[start : start + BLOCK]
        rng = np.random.default_rng([seed, start])
        values = rng.uniform(0, 1, (len(block), len(columns)))
        values[rng.random(values.shape) < MISSING_SHARE] = np.nan
        block[:, columns] = values
    matrix.flush()


def compare_files(own: Mapping[str, str | Path], again: Mapping[str, str | Path]) -> pd.DataFrame:
    """Compare files byte by byte; returns a frame with `file` and `same`, one row per name in `own`."""
    same = [Path(path).read_bytes() == Path(again[name]).read_bytes() for name, path in own.items()]
    return pd.DataFrame({"file": list(own), "same": same})


def judge_altered_fold(compared: pd.DataFrame) -> Verdict:
    """Count the files that changed."""
    changed = compared.loc[compared["same"].astype(str) != "True", "file"].tolist()
    meaning = (
        f"of {len(compared)} files of the run that leaves outer fold 0 out (samples and folds, RF_PCs, hallmark "
        "assignment, anchor), those that change a byte when that fold's methylation, ages, tissues, sexes and health "
        "are altered" + (f" ({', '.join(changed[:5])})" if changed else "")
    )
    return verdict_of("altered_fold", len(changed), 0, meaning)
