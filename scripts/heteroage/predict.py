"""Applying a clock: from a sealed artifact folder and a master table to ages.

Nothing is unpickled: Stage 1 and 2 are computed from the weights CSVs, Stage 3 from LightGBM's text model.
No step looks across samples, so that one sample's age never depends on its batch-mates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from heteroage import artifacts
from heteroage.age import inverse_transform_age
from heteroage.cohorts import check_sample_ids, normalise_sex, normalise_tissue, numeric_column, pc_columns
from heteroage.context import project
from heteroage.errors import HeteroAgeError, listed
from heteroage.files import read_json, read_table
from heteroage.weights import LinearModel

ANCHOR = "Stage1_Pred_Age"
NORMALISED = {"Tissue": normalise_tissue, "Sex": normalise_sex}
# A table with less than this share of the clock's CpGs is of another platform, or its columns are misnamed.
MINIMUM_SHARE = 0.1


@dataclass(frozen=True)
class Clock:
    """A trained clock, read from a sealed folder by `load_clock`."""

    anchor: LinearModel
    experts: dict[str, LinearModel]
    fusion: str
    meta: dict
    loadings: pd.DataFrame | None

    @property
    def pc_names(self) -> list[str]:
        """The RF_PCs that the clock looks at."""
        return pc_columns(pd.Index(self.meta["feature_order"]))

    @property
    def cpgs(self) -> list[str]:
        """All CpG features that have weight in Stage 1 or 2, sorted."""
        models = [self.anchor, *self.experts.values()]
        return sorted({name for model in models for name in model.features} - set(self.pc_names))

    def predict(self, table: pd.DataFrame) -> pd.DataFrame:
        """Run all three stages; returns the columns that config/README.md lists, a row per sample."""
        samples = self.prepare(table)
        output = samples.identity()
        output[ANCHOR] = self._anchor_age(samples)
        for name, values in self._corrections(samples).items():
            output[name] = values
        self._fuse(output, samples)
        output["Imputed_Fraction"] = samples.imputed_fraction(self.cpgs)
        return output

    def predict_stage1(self, table: pd.DataFrame) -> pd.DataFrame:
        """The anchor's age, beside the columns of context that later stages need."""
        samples = self.prepare(table)
        output = samples.context()
        output[ANCHOR] = self._anchor_age(samples)
        return output

    def predict_stage2(self, table: pd.DataFrame) -> pd.DataFrame:
        """Each hallmark's correction in years, beside the columns of context (and the anchor, if the table has it)."""
        samples = self.prepare(table)
        output = samples.context()
        for name, values in self._corrections(samples).items():
            output[name] = values
        return output

    def predict_stage3(self, table: pd.DataFrame) -> pd.DataFrame:
        """Fuse a table that has Stage1_Pred_Age and every correction.

        Raises
        ------
        HeteroAgeError
            Columns of Stage 1 or 2 are missing: names them and the step that makes them.
        """
        names = [f"{hallmark}_Correction" for hallmark in self.experts]
        absent = [name for name in names if name not in table.columns]
        if ANCHOR not in table.columns:
            raise HeteroAgeError(f"the table has no column {ANCHOR}. `heteroage stage1-predict` makes it.")
        if absent:
            raise HeteroAgeError(
                f"the table lacks columns ({listed(absent)}). `heteroage stage2-predict` makes them: join its "
                "output with Stage 1's by sample_id, or give both files to --input."
            )
        samples = Samples(table, self, need_cpgs=False)
        output = samples.identity()
        for name in [ANCHOR, *names]:
            output[name] = samples.values(name)
            if output[name].isna().any():
                unknown = output.loc[output[name].isna(), "sample_id"]
                raise HeteroAgeError(
                    f"column {name} is empty for samples ({listed(unknown)}). Run the earlier stages on them."
                )
        self._fuse(output, samples)
        return output

    def prepare(self, table: pd.DataFrame) -> Samples:
        """Check a master table, and compute its RF_PCs where the clock has loadings and the table no PCs."""
        return Samples(table, self, need_cpgs=True)

    def _anchor_age(self, samples: Samples) -> NDArray[np.float64]:
        return inverse_transform_age(self.anchor.predict(samples.values, samples.n))

    def _corrections(self, samples: Samples) -> dict[str, NDArray[np.float64]]:
        return {f"{name}_Correction": model.predict(samples.values, samples.n) for name, model in self.experts.items()}

    def _fuse(self, output: pd.DataFrame, samples: Samples) -> None:
        import lightgbm as lgb  # takes a second to import; earlier stages do without

        from heteroage.stage3 import fuse

        frame = output[[c for c in self.meta["feature_order"] if c in output.columns]].copy()
        for name in self.pc_names:
            values = samples.values(name)
            values = np.full(samples.n, np.nan) if values is None else values
            frame[name] = np.where(np.isnan(values), self.meta["pc_medians"][name], values)
        frame = frame[self.meta["feature_order"]]
        output["HeteroAge"] = fuse(lgb.Booster(model_str=self.fusion), frame, self.meta["categories"])
        if "Age" in output.columns:
            line = self.meta["acceleration_reference"]
            output["Age_Acceleration"] = output["HeteroAge"] - output["Age"]
            output["Age_Acceleration_Residual"] = output["HeteroAge"] - (
                line["intercept"] + line["slope"] * output["Age"]
            )


class Samples:
    """A master table, checked against the clock it is for."""

    def __init__(self, table: pd.DataFrame, clock: Clock, need_cpgs: bool) -> None:
        if table.empty:
            raise HeteroAgeError("the table has no rows. Give at least one sample.")
        if not table.columns.is_unique:
            raise HeteroAgeError(
                f"columns stand twice in the table ({listed(table.columns[table.columns.duplicated()])})."
            )
        self.ids = check_sample_ids(table, "the table")
        self.table = table.set_axis(pd.Index(self.ids))
        self.n = len(table)
        self._computed: dict[str, NDArray[np.float64]] = {}
        if need_cpgs:
            self._check_overlap(clock)
        self._add_pcs(clock)

    def values(self, name: str) -> NDArray[np.float64] | None:
        """A column as float64, or None where there is no such column."""
        if name in self._computed:
            return self._computed[name]
        if name not in self.table.columns:
            return None
        values = numeric_column(self.table[name], f"column {name}").to_numpy()
        if np.isinf(values).any():
            raise HeteroAgeError(
                f"column {name} holds infinite values ({listed(self.ids[np.isinf(values)])}). Correct them."
            )
        return values

    def identity(self) -> pd.DataFrame:
        """sample_id, Tissue and Sex (unknown where absent), and Age where the table has it."""
        frame = pd.DataFrame({"sample_id": self.ids.to_numpy()})
        for name, normalise in NORMALISED.items():
            given = self.table[name] if name in self.table.columns else pd.Series([None] * self.n, dtype=object)
            frame[name] = normalise(given).to_numpy()
        if "Age" in self.table.columns:
            frame["Age"] = self.values("Age")
        return frame

    def context(self) -> pd.DataFrame:
        """Identity, RF_PCs and what earlier stages have added: all that a later stage needs beside CpGs."""
        frame = self.identity()
        kept = [c for c in self.table.columns if c == ANCHOR or str(c).endswith("_Correction")]
        for name in [*pc_columns(self.table.columns), *self._computed, *kept]:
            frame[name] = self.values(name)
        return frame

    def imputed_fraction(self, cpgs: Sequence[str]) -> NDArray[np.float64]:
        """The share of the clock's CpGs that each sample lacks and that were imputed."""
        missing = np.zeros(self.n)
        for name in cpgs:
            values = self.values(name)
            missing += 1.0 if values is None else np.isnan(values)
        return missing / max(len(cpgs), 1)

    def _check_overlap(self, clock: Clock) -> None:
        cpgs = clock.cpgs
        absent = [name for name in cpgs if name not in self.table.columns]
        if cpgs and len(cpgs) - len(absent) < MINIMUM_SHARE * len(cpgs):
            raise HeteroAgeError(
                f"the table shares {len(cpgs) - len(absent)} of the clock's {len(cpgs)} CpGs; it lacks "
                f"{listed(absent)}. Columns are named <cpg>_<modality>, as cg00000029_beta; check names and platform."
            )

    def _add_pcs(self, clock: Clock) -> None:
        """Compute the RF_PCs that the table lacks, where the clock has loadings."""
        absent = [name for name in clock.pc_names if name not in self.table.columns]
        if clock.loadings is None:
            # Some but not all: the rest takes its training median, as any other missing column does.
            if absent and len(absent) == len(clock.pc_names):
                raise HeteroAgeError(
                    f"the clock needs RF_PC columns that the table lacks ({listed(absent)}). They came from a file in "
                    "training: project your samples with the same loadings and add the columns."
                )
        elif absent:
            features = clock.loadings["feature"].tolist()
            known = {name: self.values(name) for name in features if name in self.table.columns}
            if len(known) < MINIMUM_SHARE * len(features):
                raise HeteroAgeError(
                    f"the table has neither the columns ({listed(absent)}) nor the CpGs to compute them from: "
                    f"{len(known)} of {len(features)}. Add either."
                )
            pcs = project(clock.loadings, pd.DataFrame(known, index=self.table.index))
            self._computed = {name: pcs[name].to_numpy() for name in absent}


def load_clock(folder: str | Path) -> Clock:
    """Check a sealed artifact folder against its manifest and read the clock in it, unpickling nothing."""
    folder = Path(folder)
    manifest = artifacts.verify(folder)
    needed = [
        artifacts.STAGE1_WEIGHTS,
        artifacts.STAGE2_WEIGHTS,
        artifacts.STAGE3_MODEL,
        artifacts.STAGE3_META,
    ]
    absent = [name for name in needed if name not in manifest["files"]]
    if absent:
        raise HeteroAgeError(f"{folder} is no whole clock: its manifest lacks files ({listed(absent)}).")
    stage2 = read_table(folder / artifacts.STAGE2_WEIGHTS)
    loadings = folder / artifacts.PC_LOADINGS
    meta = read_json(folder / artifacts.STAGE3_META)
    tables = dict(list(stage2.groupby("hallmark", sort=True)))
    return Clock(
        anchor=LinearModel.from_table(read_table(folder / artifacts.STAGE1_WEIGHTS), artifacts.STAGE1_WEIGHTS),
        experts={
            name.removesuffix("_Correction"): LinearModel.from_table(
                tables[name.removesuffix("_Correction")], f"{artifacts.STAGE2_WEIGHTS} ({name})"
            )
            for name in meta["feature_order"]
            if name.endswith("_Correction")
        },
        fusion=(folder / artifacts.STAGE3_MODEL).read_text(encoding="utf-8"),
        meta=meta,
        loadings=read_table(loadings) if loadings.is_file() else None,
    )


def read_master(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Read a master table; several are joined on sample_id, and must hold the same samples.

    A column that stands in several must be equal in all of them.
    """
    tables = []
    for path in paths:
        table = read_table(path)
        tables.append(table.set_axis(pd.Index(check_sample_ids(table, str(path)))).drop(columns="sample_id"))
    joined = tables[0]
    for path, table in zip(paths[1:], tables[1:], strict=True):
        if set(table.index) != set(joined.index):
            differ = sorted(set(table.index) ^ set(joined.index))
            raise HeteroAgeError(f"{path} does not hold the samples of {paths[0]}; they differ in {listed(differ)}.")
        table = table.loc[joined.index]
        shared = [column for column in table.columns if column in joined.columns]
        unequal = [column for column in shared if not _same(column, table[column], joined[column])]
        if unequal:
            raise HeteroAgeError(f"columns of {path} differ from those of {paths[0]} ({listed(unequal)}).")
        joined = pd.concat([joined, table.drop(columns=shared)], axis=1)
    return joined.rename_axis("sample_id").reset_index()


def _same(name: str, one: pd.Series, other: pd.Series) -> bool:
    """Whether two columns say the same: 45 and 45.0, female and F do."""
    if name in NORMALISED:
        return bool((NORMALISED[name](one) == NORMALISED[name](other)).all())
    if is_numeric_dtype(one) and is_numeric_dtype(other):
        one, other = one.astype(np.float64), other.astype(np.float64)
    return one.equals(other)
