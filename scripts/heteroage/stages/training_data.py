"""Training data of all stages: the run's samples and folds, and its feature matrix.

A *view* contains only results that were computed without one fold. Cross-fitted values have one column per view:

    out_of_fold       sample i is predicted without its own fold
    without_fold_<k>  sample i is predicted without its own fold and without fold k

Models that predict fold k are trained only on the column `without_fold_<k>`. So no later stage uses fold k indirectly,
through the predictions of an earlier stage. For the samples of fold k both columns agree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.engine.training_set import TrainingSet
from heteroage.errors import HeteroAgeError
from heteroage.files import read_table, rows_of
from heteroage.grouping.folds import assign_folds, training_samples
from heteroage.matrix import FEATURES_PER_BLOCK, StackedRows, open_matrix
from heteroage.probes import is_pc, pc_columns

if TYPE_CHECKING:
    from heteroage.engine.elastic_net import Paths

OUT_OF_FOLD = "out_of_fold"
TRAINING_COLUMNS = ["sample_id", "project_id", "donor_id", "group", "Tissue", "Sex", "Age", "fold", "store_column"]
MINIMUM_TRAINING_SET = 10
EXTENSION = 3  # number of alphas that are added at a time beyond an end of the grid
MOST_ALPHAS = 30  # grids with more alphas are not extended
SAMPLE_COLUMNS = ["sample_id", "project_id", "Tissue", "Sex", "Age", "fold"]


@dataclass(frozen=True)
class TrainingData:
    """Training samples of one run and their features. The stages read the feature store only through this class.

    samples : frame with sample_id, project_id, group, Tissue, Sex, Age, fold
    X : (features, samples of the store) float32, memory-mapped; the last rows are the RF_PCs. X also has columns of
        other samples, so only `training_set` and `predict` use it, with `columns`
    columns : column of each of the run's samples in X; if not given, X contains only these samples, in their order
    """

    samples: pd.DataFrame
    X: NDArray[np.float32] | StackedRows
    feature_names: list[str]
    columns: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    # Results of `balanced`, which `restrict` shares. Not a parameter, so that other samples never take them over.
    _weights: dict[tuple, tuple[NDArray[np.int64], NDArray[np.float64]]] = field(
        default_factory=dict, init=False, repr=False
    )

    def __post_init__(self) -> None:
        if not len(self.columns):
            object.__setattr__(self, "columns", np.arange(len(self.samples)))

    @classmethod
    def open(cls, files: Mapping[str, str | Path]) -> TrainingData:
        """Read the run's `samples` and their RF_PCs (`pcs`), and map the store (`features` and their `names`)."""
        table, context = read_table(files["samples"]), read_table(files["pcs"])
        store, feature_names = open_matrix(files["features"], files["names"])
        columns, pc_names = table["store_column"].to_numpy(np.int64), pc_columns(context.columns)
        below = np.full((len(pc_names), store.shape[1]), np.nan, np.float32)
        below[:, columns] = context[pc_names].to_numpy()[rows_of(table["sample_id"], context, files["pcs"])].T
        return cls(table, StackedRows(store, below), [*feature_names, *pc_names], columns)

    def with_pcs(self, wanted: bool) -> TrainingData:
        """Return the data with or without the RF_PCs as features."""
        cpgs = [name for name in self.feature_names if wanted or not is_pc(name)]
        return replace(self, X=self.X[: len(cpgs)], feature_names=cpgs) if len(cpgs) < len(self.X) else self

    def values(self, feature_names: Sequence[str]) -> NDArray[np.float32]:
        """Read some features of the run's samples: (features, samples), in memory."""
        return self._values(self.row_of(feature_names), feature_names)

    def row_of(self, feature_names: Iterable[str]) -> dict[str, int]:
        """Find the rows of some features in X."""
        wanted = set(feature_names)  # a dictionary of all names would take longer than most callers' work
        return {name: row for row, name in enumerate(self.feature_names) if name in wanted}

    def _values(self, row_of: Mapping[str, int], feature_names: Sequence[str]) -> NDArray[np.float32]:
        rows = np.array([row_of[name] for name in feature_names], dtype=np.int64)
        return np.ascontiguousarray(self.X[rows].take(self.columns, axis=1))

    def restrict(self, feature_names: Sequence[str], row_of: Mapping[str, int] | None = None) -> TrainingData:
        """Keep only these features, in this order, in memory.

        row_of : rows of features in X, for callers that restrict the data several times
        """
        row_of = self.row_of(feature_names) if row_of is None else row_of
        restricted = TrainingData(self.samples, self._values(row_of, feature_names), list(feature_names))
        object.__setattr__(restricted, "_weights", self._weights)
        return restricted

    def predict(self, paths: Paths, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Predict some of the run's samples; returns what `Paths.predict` does."""
        return paths.predict(self.X, self.columns[rows])

    def digest(self) -> str:
        """SHA-256 of all values of the run's samples, read in blocks."""
        sha = hashlib.sha256()
        for start in range(0, len(self.X), FEATURES_PER_BLOCK):
            sha.update(np.ascontiguousarray(self.X[start : start + FEATURES_PER_BLOCK].take(self.columns, axis=1)).data)
        return sha.hexdigest()

    @cached_property
    def fold(self) -> NDArray[np.int64]:
        """The fold of each sample."""
        return self.samples["fold"].to_numpy(np.int64)

    @property
    def folds(self) -> list[int]:
        """Return the sorted folds."""
        return sorted(self.samples["fold"].unique().tolist())

    @property
    def noisy(self) -> NDArray[np.bool_]:
        """Return which features have technical noise: all except the RF_PCs."""
        return np.array([not is_pc(name) for name in self.feature_names])

    def balanced(
        self, excluded: Sequence[int], balancing: Mapping[str, float]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the rows of the training samples outside the `excluded` folds, and their weights."""
        key = (tuple(sorted(set(excluded))), tuple(sorted(balancing.items())))
        if key not in self._weights:
            rows = np.flatnonzero(~np.isin(self.fold, excluded))
            self._weights[key] = balancing_weights(self.samples, rows, balancing)
        return self._weights[key]

    def training_set(
        self, excluded: Sequence[int], balancing: Mapping[str, float], target: NDArray[np.float64]
    ) -> TrainingSet:
        """Return the training set without the `excluded` folds; `target` has one value per sample of the run."""
        rows, weight = self.balanced(excluded, balancing)
        return TrainingSet(self.columns[rows], target[rows], weight)


def balancing_weights(
    samples: pd.DataFrame, rows: NDArray[np.int64], balancing: Mapping[str, float]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Compute sample weights that limit the influence of large tissues.

    Tissues in fewer than `min_cohorts` projects are left out. If a tissue has more samples than
    cap = clip(median tissue count × `median_mult`, `min_cap`, `max_cap`), each of its samples has the weight
    cap / count. All other samples have weight 1.

    samples : frame of `Tissue`, `project_id`
    rows : positions of the samples that may train
    Returns the rows that train, sorted, and their weights.
    Raises HeteroAgeError: fewer than 10 samples are left.
    """
    table = samples.iloc[np.sort(rows)].assign(row=np.sort(rows))
    cohorts = table.groupby("Tissue")["project_id"].nunique()
    kept = table[table["Tissue"].isin(cohorts.index[cohorts >= balancing["min_cohorts"]])]
    if len(kept) < MINIMUM_TRAINING_SET:
        raise HeteroAgeError(
            f"the balancing {dict(balancing)} leaves {len(kept)} of {len(rows)} samples to train on "
            f"(at least {MINIMUM_TRAINING_SET} are needed; tissues by number of projects: {cohorts.to_dict()}). "
            "Lower min_cohorts in stage1.balancing."
        )
    counts = kept["Tissue"].value_counts()
    cap = np.clip(counts.median() * balancing["median_mult"], balancing["min_cap"], balancing["max_cap"])
    return kept["row"].to_numpy(np.int64), np.minimum(1.0, cap / kept["Tissue"].map(counts).to_numpy(np.float64))


def select(table: pd.DataFrame, run: str, folds: int, seed: int, allow_leave_one_group_out: bool) -> pd.DataFrame:
    """Return a run's training samples with their fold, and their column in the store.

    table : all samples of the store, in its order, with `group` and `outer_fold`
    run : `full`, or `nested-<k>` (without outer fold k). If the remaining groups are then fewer than `folds`, each
        group is a fold
    Raises HeteroAgeError: there is no such outer fold, or there are too few groups.
    """
    table = table.assign(store_column=range(len(table)))
    if run != "full":
        held_out = int(run.rpartition("-")[2])
        if held_out not in set(table["outer_fold"]):
            raise HeteroAgeError(f"there is no {run}: the outer folds are {sorted(set(table['outer_fold']))}.")
        table = table[table["outer_fold"] != held_out]
    table = training_samples(table)
    try:
        table["fold"] = assign_folds(table, folds, seed, allow_leave_one_group_out or run != "full")
    except HeteroAgeError as error:
        raise HeteroAgeError(str(error) if run == "full" else f"{run}: {error}") from error
    return table


def views(folds: Sequence[int]) -> Iterator[tuple[str, int | None]]:
    """Yield the name of each view, and the fold that it excludes."""
    yield OUT_OF_FOLD, None
    for fold in folds:
        yield f"without_fold_{fold}", fold


def read_views(path: str | Path, samples: pd.DataFrame) -> pd.DataFrame:
    """Read a table of views; its rows are those of `samples`."""
    table = read_table(path)
    return table.iloc[rows_of(samples["sample_id"], table, path)].set_index("sample_id")


def best_row(report: pd.DataFrame) -> int:
    """Return the position of the best Score. Ties go to the sparser, then to the earlier row."""
    order = report.reset_index(drop=True).sort_values(["Score", "n_features"], ascending=[False, True], kind="stable")
    return int(order.index[0])


def log_grid(highest: float, lowest: float, steps: int) -> NDArray[np.float64]:
    """Return a decreasing logarithmic grid, rounded to 6 significant digits for readable reports."""
    return _rounded(np.geomspace(highest, lowest, steps))


def beyond(alphas: NDArray[np.float64], best: float, empty: bool) -> NDArray[np.float64]:
    """Extend a decreasing grid by its own ratio, if the best alpha is at an end.

    alphas : the grid so far
    best : the alpha of the best Score
    empty : whether the best model uses no feature; a higher alpha would be the same model
    Returns at most `EXTENSION` new alphas, decreasing; none if the best alpha is inside the grid, or if the grid has a
    single alpha or more than `MOST_ALPHAS`.
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
