"""Frames made into tables, merged, and read back from the store: what the workflow does with files."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from heteroage.inputs.cohorts import Cohorts, InputOptions, merge_cohorts
from heteroage.inputs.store import Intake, ModalityTable, TableEntry, of_table, write_store
from heteroage.matrix import open_matrix
from heteroage.probes import feature_name
from heteroage.tables.opening import from_frame

CPGS = ["cg00000001", "cg00000002", "cg00000003"]


def table(n=6, cpgs=CPGS, seed=1, metadata=True, **columns):
    """A modality's table as a frame, samples in rows; its values are float32 numbers, as the store keeps them."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"sample_id": [f"s{k}" for k in range(n)]})
    if metadata:
        frame["project_id"] = [f"p{k % 3}" for k in range(n)]
        frame["Tissue"] = ["Blood", "Skin"] * (n // 2)
        frame["Sex"] = ["F", "M"] * (n // 2)
        frame["Age"] = np.arange(n) * 10.0
        frame["Is_Healthy"] = True
    for name, values in columns.items():
        frame[name] = values
    for cpg in cpgs:
        frame[cpg] = rng.random(n).astype(np.float32).astype(float)
    return frame


@dataclass(frozen=True)
class Merged:
    """What was merged, by sample_id, and each modality's values in the store (its samples x its features)."""

    samples: pd.DataFrame
    feature_names: list[str]
    betas: dict[str, pd.DataFrame]
    intake: Intake


def opened(modality: str, frame: pd.DataFrame, intake: Intake, **entry) -> ModalityTable:
    table = from_frame(frame, lambda name: bool(feature_name(name, modality)), where=f"the {modality} table x")
    return of_table(table, TableEntry("x", **entry), modality, intake)


def cohorts_of(tables: Mapping[str, pd.DataFrame], intake: Intake | None = None, **options) -> Cohorts:
    intake = intake or Intake()
    made = [opened(modality, frame, intake) for modality, frame in tables.items()]
    return merge_cohorts(made, [], InputOptions(**options), intake)


def merged(tables: Mapping[str, pd.DataFrame], **options) -> Merged:
    intake = Intake()
    return stored(cohorts_of(tables, intake, **options), intake)


def stored(cohorts: Cohorts, intake: Intake) -> Merged:
    with tempfile.TemporaryDirectory() as folder:
        paths = Path(folder) / "features.npy", Path(folder) / "feature_names.txt"
        write_store(cohorts, *paths, intake)
        matrix, names = open_matrix(*paths)
        whole = pd.DataFrame(np.array(matrix).T, columns=names, index=pd.Index(cohorts.samples["sample_id"]))
    betas = {}
    for modality, features in cohorts.features.items():
        own = sorted(set().union(*(t.table.ids for t in cohorts.tables if t.modality == modality)))
        betas[modality] = whole.loc[own, features]
    by_id = cohorts.samples.sort_values("sample_id", ignore_index=True)
    return Merged(by_id, names, betas, intake)


def assert_equal_cohorts(one: Merged, two: Merged):
    """Two merged cohorts are the same."""
    pd.testing.assert_frame_equal(one.samples, two.samples)
    assert one.feature_names == two.feature_names
    assert set(one.betas) == set(two.betas)
    for modality in one.betas:
        pd.testing.assert_frame_equal(one.betas[modality], two.betas[modality])
