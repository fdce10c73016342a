"""Applying a clock: from a sealed artifact folder and a master table to ages.

Nothing is unpickled: Stages 1 and 2 are computed from the weights CSVs, Stage 3 from LightGBM's text model. The table
is read in blocks. No step combines samples, so the age of a sample does not depend on the other samples.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heteroage.age import inverse_transform_age, transform_age
from heteroage.clock.artifacts import ANCHOR, OFFSET
from heteroage.clock.check import MOST_MISSING_WEIGHT, check_columns, missing_from, stage_costs
from heteroage.clock.cohort import CohortSummary, Offset
from heteroage.clock.master_table import MasterTable, open_tables
from heteroage.clock.model import ClockModel
from heteroage.clock.sums import Rows, SampleBlock
from heteroage.clock.trees import booster_of, contributions_of
from heteroage.errors import HeteroAgeError, listed
from heteroage.labels import UNKNOWN
from heteroage.probes import is_pc
from heteroage.tables.opening import from_frame

if TYPE_CHECKING:
    import pandas as pd

    from heteroage.clock.published import Beside

    Samples = pd.DataFrame | pd.Series | str | Path | Sequence[str | Path]

# Warnings about the predicted age of a sample. Flagged samples are predicted, not dropped.
MEANINGS = {
    "no_cpg_measured": "the sample has none of the clock's CpGs: no age is predicted",
    "tissue_unknown": "no tissue was given",
    "tissue_not_in_training": "the training samples do not include this tissue",
    "sex_unknown": "sex is not given, or is not F or M",
    "sex_not_in_training": "the training samples do not include this sex",
    "age_outside_training": "Age is outside the age range of the training samples",
    "prediction_outside_training": "HeteroAge is outside the age range of the training samples",
    "far_from_training": "the anchor's CpGs deviate more from the training mean than in 99 of 100 training samples",
    "mostly_imputed": "more than half of the anchor's weight, or of the RF_PCs' CpGs (by squared loading), was imputed",
    "values_outside_0_1": "at least one CpG is below 0 or above 1",
}


class Clock(ClockModel):
    """A trained clock, loaded from a sealed folder by `load_clock`."""

    def predict(self, table: Samples, allow_missing: bool = False) -> pd.DataFrame:
        """Run all three stages; returns one row per sample, with the columns listed in config/README.md.

        table : master table (sample_id, Tissue, Sex, Age if known, and CpGs) as a frame with samples in rows, or CpGs
            in rows and a column per sample; a Series of one sample; a path, or several that are joined on sample_id
        allow_missing : predict even where most of the clock's weight is missing
        Raises HeteroAgeError: the table cannot be predicted. The message says what is wrong, how many, the first five,
        and what to do.
        """
        return self._frame("predict", table, allow_missing)

    def predict_stage1(self, table: Samples, allow_missing: bool = False) -> pd.DataFrame:
        """Predict the anchor's age; the result also has the metadata and RF_PCs that later stages need."""
        return self._frame("predict_stage1", table, allow_missing)

    def predict_stage2(self, table: Samples, allow_missing: bool = False) -> pd.DataFrame:
        """Predict each hallmark's correction in years; also returns metadata, RF_PCs, and the anchor if it is given."""
        return self._frame("predict_stage2", table, allow_missing)

    def predict_stage3(self, table: Samples) -> pd.DataFrame:
        """Run Stage 3 on a table with Stage1_Pred_Age and all corrections.

        Raises HeteroAgeError: columns of Stage 1 or 2 are missing. The message lists them and the command that computes
        them.
        """
        return self._frame("predict_stage3", table, True)

    def contributions(self, table: Samples, allow_missing: bool = False) -> pd.DataFrame:
        """Return each Stage 3 feature's contribution in years: Stage1_Pred_Age + contributions = HeteroAge."""
        booster, parts = booster_of(self), self.stream("predict", self._open(table), allow_missing)
        return _concatenated([contributions_of(self, booster, rows, features) for rows, features in parts])

    def calibrate(self, table: Samples, allow_missing: bool = False) -> Offset:
        """Estimate an offset from samples of known age of one cohort, for `with_offset`.

        Raises HeteroAgeError: as in `predict`; no sample has a known age; the clock contains no errors of held-out
        studies.
        """
        opened, cohort = self._open(table), CohortSummary()
        for rows, _ in replace(self, offset=None).stream("predict", opened, allow_missing):
            cohort.add(rows)
        if self.studies is None:
            raise HeteroAgeError(
                "the clock contains no errors of held-out studies, which calibration needs. It was made by an earlier "
                "version, or was trained on fewer than three groups of studies. Train it again with this version, on "
                "three groups or more."
            )
        if not (found := cohort.accuracy()):
            raise HeteroAgeError(
                f"no sample of {opened.where} has both an Age and a predicted age ({cohort.samples} samples). Give a "
                "table with samples of known age."
            )
        n, shrinkage = int(found["n"]), self.studies.shrinkage(int(found["n"]))
        return Offset(-shrinkage * found["bias"], n, found["bias"], shrinkage, self.digest)

    def check(self, table: Samples) -> pd.DataFrame:
        """Return the table's missing CpGs per stage, and their cost in years (see `heteroage check`)."""
        return _concatenated([stage_costs(*missing_from(self, self._open(table).names))])

    def stream(
        self, step: str, table: MasterTable, allow_missing: bool = False, beside: Beside | None = None
    ) -> Iterator[tuple[Rows, Rows]]:
        """Predict a table in blocks; yields each block's output and the input features of the fusion.

        `beside` adds the columns of published clocks.

        Raises HeteroAgeError: as in `predict`. Also after the last block, if every sample is missing most of the
        clock's weight.
        """
        needed = names = table.names
        clock = self.for_table(names)
        columns_of = clock.wanted.columns_of(names)
        check_columns(clock, table, columns_of, allow_missing, needs_cpgs=step != "predict_stage3")
        if step == "predict_stage3" and not table.others and set(clock.pc_names) <= set(names):
            cpgs = {column for own in columns_of.values() for column in own}  # read only to compute RF_PCs
            needed = [name for name in names if name not in cpgs]
        usable = False
        for part in table.parts(needed):
            block = SampleBlock(clock, part, columns_of)
            rows, features = clock._rows(step, block)
            usable = usable or block.usable
            yield rows | (beside.rows(part) if beside else {}), features
        if not usable and not allow_missing:
            raise HeteroAgeError(
                f"every sample has more than {MOST_MISSING_WEIGHT:.0%} of the weight missing: the columns exist "
                "but are empty. `heteroage check` lists the missing CpGs; --allow-missing predicts anyway."
            )

    def _open(self, table: Samples) -> MasterTable:
        """Open a frame, a Series of one sample's values, a path, or several paths."""
        paths = [table] if isinstance(table, (str, Path)) else table
        if isinstance(paths, (list, tuple)) and paths and all(isinstance(one, (str, Path)) for one in paths):
            return open_tables(paths, self.wanted, self.conventions)
        pandas = sys.modules.get("pandas")  # already imported if the caller has a frame
        if pandas is not None and isinstance(table, pandas.Series):
            row = table.to_frame().T
            row.index = [str(row.index[0] if table.name is not None else "sample")]
            table = row if "sample_id" in row else row.rename_axis("sample_id")
        if pandas is None or not isinstance(table, pandas.DataFrame):
            raise HeteroAgeError(
                f"cannot predict a {type(table).__name__}. Give a pandas DataFrame (samples or CpGs in rows), a Series "
                "of one sample's values by CpG, the path of a table, or a list of paths."
            )
        return MasterTable.of(from_frame(table, self.wanted.is_cpg, self.conventions), self.wanted)

    def _frame(self, step: str, table: Samples, allow_missing: bool) -> pd.DataFrame:
        return _concatenated([rows for rows, _ in self.stream(step, self._open(table), allow_missing)])

    def __repr__(self) -> str:
        """Describe the clock in one line."""
        experts = f"{len(self.corrections)} expert{'s' * (len(self.corrections) != 1)}"
        pcs = f", {len(self.pc_names)} RF_PCs" if self.pc_names else ""
        trees = f"{len(self.fusion.trees)} trees"
        return f"Clock({len(self.cpgs_read)} CpGs{pcs}, {experts}, {trees}, format version {self.version})"

    def _rows(self, step: str, block: SampleBlock) -> tuple[Rows, Rows]:
        output = block.identity()  # first, because its errors need no pass over the CpGs
        if step == "predict_stage3":
            output |= self._earlier_stages(block)
        else:
            block.sum_features()
        if step in ("predict_stage1", "predict_stage2"):
            output |= block.context()
        if step in ("predict", "predict_stage1"):
            output[ANCHOR] = inverse_transform_age(block.totals[ANCHOR])
        if step in ("predict", "predict_stage2"):
            output |= {name: block.totals[name] for name in self.corrections}
        if step in ("predict_stage1", "predict_stage2"):
            return output, {}
        features = self._fuse(output, block)
        if step == "predict":
            output["Imputed_Fraction"] = block.missing / max(len(self.counted), 1)
            output["Imputed_Years"] = block.imputed_years()
            output["Flags"] = flags_of(self, output, block)
        return output, features

    def _earlier_stages(self, block: SampleBlock) -> Rows:
        """Return the table's columns of Stages 1 and 2."""
        if ANCHOR not in block.part.names:
            raise HeteroAgeError(f"the table has no column {ANCHOR}. `heteroage stage1-predict` makes it.")
        if absent := [name for name in self.corrections if name not in block.part.names]:
            raise HeteroAgeError(
                f"the table is missing columns ({listed(absent)}). `heteroage stage2-predict` makes them: join its "
                "output with Stage 1's by sample_id, or give both files to --input."
            )
        numbers = {name: block.numbers(name) for name in self.models}
        # Samples without any CpG have no anchor and no corrections, and get no age.
        without = np.isnan(list(numbers.values())).all(axis=0)
        for name, values in numbers.items():
            if empty := [block.part.ids[k] for k in np.flatnonzero(np.isnan(values) & ~without)]:
                raise HeteroAgeError(
                    f"column {name} is empty for samples ({listed(empty)}). Run the earlier stages on them."
                )
        return numbers

    def _fuse(self, output: Rows, block: SampleBlock) -> Rows:
        """Add HeteroAge and the columns derived from it; returns the input features of the fusion."""
        features: Rows = {}
        for name in self.meta["feature_order"]:
            if is_pc(name):
                values = block.pc(name)
                features[name] = np.where(np.isnan(values), self.meta["pc_medians"][name], values)
            else:
                features[name] = self.encoded(name, output[name])
        age = output[ANCHOR] + self.fusion.predict(list(features.values()))
        if self.offset is not None:
            output[OFFSET] = np.full(len(age), self.offset.years)
            age = age + output[OFFSET]
        output["HeteroAge"] = age
        if stored := self.meta.get("intervals"):
            output |= interval(stored, age, output["Tissue"])
        if "Age" in output:
            line = self.meta["acceleration_reference"]
            output["Age_Acceleration"] = age - output["Age"]
            output["Age_Acceleration_Residual"] = age - (line["intercept"] + line["slope"] * output["Age"])
        return features


def interval(stored: Mapping, age: NDArray[np.float64], tissues: Sequence[str]) -> Rows:
    """Compute lower and upper interval limits (years) from `intervals` of Stage3_Artifacts.json.

    The half-width on the transformed scale is that of the tissue, or else the pooled one. It is multiplied by the
    typical error at the predicted age (not in folders before version 0.2).
    """
    own = {tissue: entry["half_width"] for tissue, entry in stored.get("tissues", {}).items()}
    width = np.array([own.get(tissue, stored["half_width"]) for tissue in tissues], dtype=np.float64)
    centre = transform_age(np.maximum(age, 0.0))  # ages below 0 count as 0, as in calibration
    if spread := stored.get("spread"):
        width = width * np.interp(centre, spread["predicted"], spread["error"])
    lower, upper = inverse_transform_age(centre - width), inverse_transform_age(centre + width)
    return {
        "HeteroAge_Lower": np.where(age >= 0, np.maximum(lower, 0.0), np.minimum(lower, age)),
        "HeteroAge_Upper": np.maximum(upper, age),
    }


def flags_of(clock: ClockModel, output: Rows, block: SampleBlock) -> list[str]:
    """Return the flags of each sample in the order of MEANINGS, joined by semicolons; empty if there are none."""
    raised = {
        "no_cpg_measured": block.empty,
        "mostly_imputed": block.mostly_imputed,
        "values_outside_0_1": block.outside,
    }
    for name in ("Tissue", "Sex"):
        label = np.array(output[name], dtype=object)
        known = np.isin(label, [UNKNOWN, *clock.meta["categories"].get(name, [])])
        raised |= {f"{name.lower()}_unknown": label == UNKNOWN, f"{name.lower()}_not_in_training": ~known}
    if (limits := clock.applicability) is not None:
        for flag, name in (("age_outside_training", "Age"), ("prediction_outside_training", "HeteroAge")):
            if name in output:
                raised[flag] = (output[name] < limits.youngest) | (output[name] > limits.oldest)
        distance = np.sqrt(block.distance / np.maximum(block.measured, 1))
        raised["far_from_training"] = distance > limits.distance_limit
    found: list[list[str]] = [[] for _ in block.part.ids]
    for flag in MEANINGS:
        for k in np.flatnonzero(raised.get(flag, False)):
            found[k].append(flag)
    return [";".join(own) for own in found]


def _concatenated(pieces: Sequence[Rows]) -> pd.DataFrame:
    try:
        import pandas as pd
    except ImportError as error:
        raise HeteroAgeError(
            "the result is a pandas DataFrame, and pandas is not installed (pip install pandas). The command "
            "`heteroage` writes files without it."
        ) from error
    return pd.concat([pd.DataFrame(rows) for rows in pieces], ignore_index=True)
