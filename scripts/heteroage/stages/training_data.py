"""What every stage trains on: the run's samples, its feature matrix, and the folds to hold out.

A *view* is what someone knows who has never seen one fold. Cross-fitted values carry a column per view:

    out_of_fold       sample i is predicted without its own fold
    without_fold_<k>  sample i is predicted without its own fold and without fold k

Whatever is trained to predict fold k learns from column `without_fold_<k>` alone, so that no later stage
sees fold k through the eyes of an earlier one. For the samples of fold k both columns agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.engine.training_set import TrainingSet
from heteroage.errors import HeteroAgeError
from heteroage.files import read_table, rows_of
from heteroage.matrix import open_matrix
from heteroage.probes import is_pc
from heteroage.stages.sampling import balancing_weights

OUT_OF_FOLD = "out_of_fold"
TRAINING_COLUMNS = ["sample_id", "project_id", "donor_id", "group", "Tissue", "Sex", "Age", "fold"]
EXTENSION = 3  # alphas that are tried at a time beyond an end of the grid
MOST_ALPHAS = 30  # of a grid that may still be extended
SAMPLE_COLUMNS = ["sample_id", "project_id", "Tissue", "Sex", "Age", "fold"]


@dataclass(frozen=True)
class TrainingData:
    """One run's training samples and their features.

    samples : frame with sample_id, project_id, group, Tissue, Sex, Age, fold; sorted by sample_id
    X : (features, samples) float32, memory-mapped; the RF_PCs are its last rows
    """

    samples: pd.DataFrame
    X: NDArray[np.float32]
    feature_names: list[str]

    @classmethod
    def open(cls, samples: str | Path, features: str | Path, names: str | Path) -> TrainingData:
        """Read the samples and map the matrix."""
        matrix, feature_names = open_matrix(features, names)
        table = read_table(samples)
        if matrix.shape[1] != len(table):
            raise HeteroAgeError(
                f"{features} has {matrix.shape[1]} samples and {samples} {len(table)}: they are of different runs. "
                "Remove both and run again."
            )
        return cls(table, matrix, feature_names)

    def with_pcs(self, wanted: bool) -> TrainingData:
        """Keep the RF_PCs among the features, or leave them out."""
        cpgs = [name for name in self.feature_names if wanted or not is_pc(name)]
        return TrainingData(self.samples, self.X[: len(cpgs)], cpgs)

    def restrict(self, feature_names: Sequence[str]) -> TrainingData:
        """Keep only these features, in this order, in memory."""
        row_of = {name: row for row, name in enumerate(self.feature_names)}
        rows = np.array([row_of[name] for name in feature_names], dtype=np.int64)
        return TrainingData(self.samples, self.X[rows], list(feature_names))

    @property
    def fold(self) -> NDArray[np.int64]:
        """The fold of each sample."""
        return self.samples["fold"].to_numpy(np.int64)

    @property
    def folds(self) -> list[int]:
        """The folds there are."""
        return sorted(self.samples["fold"].unique().tolist())

    @property
    def noisy(self) -> NDArray[np.bool_]:
        """Which features bear technical noise: all but the RF_PCs."""
        return np.array([not is_pc(name) for name in self.feature_names])

    def training_set(
        self, excluded: Sequence[int], balancing: Mapping[str, float], target: NDArray[np.float64]
    ) -> TrainingSet:
        """What trains without the `excluded` folds: samples, their targets (of all samples, in order) and weights."""
        rows = np.flatnonzero(~np.isin(self.fold, excluded))
        rows, weight = balancing_weights(self.samples, rows, balancing)
        return TrainingSet(rows, target[rows], weight)


def views(folds: Sequence[int]) -> Iterator[tuple[str, int | None]]:
    """Name each view, and the fold that it has never seen."""
    yield OUT_OF_FOLD, None
    for fold in folds:
        yield f"without_fold_{fold}", fold


def read_views(path: str | Path, samples: pd.DataFrame) -> pd.DataFrame:
    """Read a table of views; its rows are those of `samples`."""
    table = read_table(path)
    return table.iloc[rows_of(samples["sample_id"], table, path)].set_index("sample_id")


def best_row(report: pd.DataFrame) -> int:
    """Position of the best Score; of equals, the sparser, then the earlier row."""
    order = report.reset_index(drop=True).sort_values(["Score", "n_features"], ascending=[False, True], kind="stable")
    return int(order.index[0])


def log_grid(highest: float, lowest: float, steps: int) -> NDArray[np.float64]:
    """A falling logarithmic grid, rounded to 6 digits so that it reads well in reports."""
    return _rounded(np.geomspace(highest, lowest, steps))


def beyond(alphas: NDArray[np.float64], best: float, empty: bool) -> NDArray[np.float64]:
    """The alphas to try next, where the best one lies at an end of a falling grid: on by the grid's own ratio.

    Parameters
    ----------
    alphas : the grid so far
    best : the alpha of the best Score
    empty : whether the best model uses no feature; a higher alpha would be the same model

    Returns
    -------
    at most `EXTENSION` alphas, falling; none where the best alpha lies inside, or the grid has a single alpha or more
    than `MOST_ALPHAS`
    """
    if len(alphas) < 2 or len(alphas) > MOST_ALPHAS:
        return np.empty(0)
    ratio = (alphas[-1] / alphas[0]) ** (1 / (len(alphas) - 1))
    steps = np.arange(1, EXTENSION + 1)
    if best == alphas[-1]:
        return _rounded(alphas[-1] * ratio**steps)
    if best == alphas[0] and not empty:
        return _rounded(alphas[0] / ratio ** steps[::-1])
    return np.empty(0)


def _rounded(alphas: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([float(f"{alpha:.6g}") for alpha in alphas])
