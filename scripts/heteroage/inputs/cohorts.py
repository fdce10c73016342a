"""Metadata of all tables and sample sheets: normalised, checked and merged.

Metadata may be in any table or sample sheet. If a value is given several times, the values must agree.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_float_dtype, is_numeric_dtype

from heteroage.errors import HeteroAgeError, listed
from heteroage.inputs.intake import Intake
from heteroage.labels import UNKNOWN, nearly_alike, same_word, spelling_key
from heteroage.probes import is_pc, pc_number
from heteroage.tables import metadata
from heteroage.tables.ages import unit_in
from heteroage.tables.metadata import METADATA, Conventions

log = logging.getLogger(__name__)

REQUIRED_METADATA = ("project_id", "Tissue", "Sex", "Age", "Is_Healthy")


def pc_columns(columns: pd.Index) -> list[str]:
    """Return the RF_PC columns, in the order of their numbers."""
    return sorted((c for c in map(str, columns) if is_pc(c)), key=pc_number)


def numeric_column(values: pd.Series, where: str) -> pd.Series:
    """Convert a column to float64; raises an error that lists the first values that are not numbers."""
    if is_numeric_dtype(values) and not is_bool_dtype(values):
        return values.astype(np.float64)
    numbers = pd.to_numeric(values, errors="coerce")
    text = values[numbers.isna() & values.notna()]
    if len(text):
        cells = [f"{str(value)!r} at {sample}" for sample, value in text.items()]
        raise HeteroAgeError(f"{where} holds text where numbers belong ({listed(cells)}). Leave unknown values empty.")
    return numbers.astype(np.float64)


def as_text(values: pd.Series) -> list[str | None]:
    """Convert cells to text, None if missing. Integers that pandas stored as floats lose their decimals."""
    if is_float_dtype(values) and (values.dropna() % 1 == 0).all() and np.isfinite(values.dropna()).all():
        values = values.astype("Int64")
    return [None if cell is None or cell is pd.NA or cell != cell else str(cell) for cell in values.astype(object)]


def is_number(text: str | None) -> bool:
    """Tell whether a name looks like a number."""
    return re.fullmatch(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?", text or "") is not None


def normalise_metadata(table: pd.DataFrame, where: str, conventions: Conventions, intake: Intake) -> pd.DataFrame:
    """Normalise a table's metadata: text, F and M, years, true and false; None if unknown.

    Parameters
    ----------
    table : frame by sample_id, with the table's own column names

    Raises
    ------
    HeteroAgeError
        An unreadable or impossible `Age`, an unreadable `Is_Healthy`, or undefined codes of `Sex`.
    """
    found = pd.DataFrame(index=table.index)
    header = list(map(str, table.columns))
    for ours, position in metadata.find_columns(header, conventions, where).items():
        label, cells, values = header[position], as_text(table.iloc[:, position]), []
        if ours == "Sex":
            values = [sex if sex != UNKNOWN else None for sex in metadata.check_sexes(cells, where, conventions)]
        elif ours == "Tissue":
            values = [tissue if tissue != UNKNOWN else None for tissue in metadata.tissues(cells, conventions)]
        elif ours == "Age":
            values = metadata.ages(cells, label, list(table.index), where, conventions)
            known = [(cell, age) for cell, age in zip(cells, values, strict=True) if age is not None]
            other = [cell for cell, age in known if not same_word(str(cell), repr(age))]
            before = [cell for cell, age in known if age < 0]
            unit = conventions.age_unit or unit_in(label) or "other units"
            intake.note("convert_ages", where, len(other), f"from {unit}", other)
            intake.note("prenatal_ages", where, len(before), "kept, as allow_prenatal says", before)
        elif ours == "Is_Healthy":
            values = metadata.healthy(cells, where, conventions)
        else:
            values = metadata.names(cells)
        found[ours] = pd.Series(values, index=table.index, dtype=np.float64 if ours == "Age" else object)
    return found


def one_spelling(frames: Mapping[str, pd.DataFrame], intake: Intake) -> dict[str, pd.DataFrame]:
    """Replace tissue names that differ only in case or blanks by their most common spelling; report similar names."""
    own = [frame["Tissue"] for frame in frames.values() if "Tissue" in frame.columns]
    spelling = common_spellings(tissue for column in own for tissue in column if tissue is not None)
    changed = sorted(f"{other} is {name}" for other, name in spelling.items() if other != name)
    names = sorted(set(spelling.values()))
    alike = [f"{one} and {other}" for one, other in nearly_alike(names)]
    intake.note("tissue_spellings", "all samples", len(changed), "differ in case or blanks: one tissue", changed)
    intake.note("similar_tissues", "all samples", len(alike), "kept as different tissues", alike)
    if alike:
        log.warning("tissues whose names are nearly alike are kept as different tissues (%s)", listed(alike))
    return {
        where: frame.assign(Tissue=[None if t is None else spelling[t] for t in frame["Tissue"]])
        if "Tissue" in frame.columns
        else frame
        for where, frame in frames.items()
    }


def common_spellings(found: Iterable[str]) -> dict[str, str]:
    """Return {tissue: the most common spelling} for tissues that differ in case or blanks only; ties by name."""
    counts = Counter(found)
    best: dict[str, str] = {}
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        best.setdefault(spelling_key(name), name)
    return {name: best[spelling_key(name)] for name in counts}


def agreed_metadata(frames: Mapping[str, pd.DataFrame], sample_ids: Sequence[str], intake: Intake) -> pd.DataFrame:
    """Merge the metadata of all tables and sheets.

    Parameters
    ----------
    frames : {name of the table in messages: its normalised metadata, by sample_id}
    sample_ids : the samples that have data, sorted

    Returns
    -------
    frame of sample_id and METADATA (Platform only if a table has it), in the order of `sample_ids`

    Raises
    ------
    HeteroAgeError
        A column is in no table; two tables disagree on a sample; a sample has no project_id.
    """
    absent = [c for c in REQUIRED_METADATA if not any(c in frame.columns for frame in frames.values())]
    if absent:
        raise HeteroAgeError(
            f"no table has the metadata columns ({listed(absent)}). Add them to one of the tables or to a sample "
            "sheet (inputs.sample_sheet), or say in inputs.columns what they are called (config/README.md)."
        )
    frames = one_spelling(frames, intake)
    samples = pd.DataFrame(index=pd.Index(sample_ids, name="sample_id"))
    with_platform = any("Platform" in frame.columns for frame in frames.values())
    for column in METADATA if with_platform else [name for name in METADATA if name != "Platform"]:
        merged = pd.Series(None, index=samples.index, dtype=object)
        for where, frame in frames.items():
            if column not in frame.columns:
                continue
            new = frame[column].dropna().astype(object)
            new = new[new.index.isin(samples.index)]
            known = merged.loc[new.index]
            differ = known.notna() & (known != new)
            if differ.any():
                pairs = [f"{s}: {known[s]} and {new[s]}" for s in differ.index[differ]]
                raise HeteroAgeError(
                    f"samples whose {column} in {where} differs from an earlier table's ({listed(pairs)}). "
                    "Correct one of the tables."
                )
            merged.loc[new.index] = new
        samples[column] = merged
    homeless = samples.index[samples["project_id"].isna()]
    if len(homeless):
        raise HeteroAgeError(
            f"samples without a project_id ({listed(homeless)}). Give each its study: studies are held out whole. "
            "If it stands in a sample sheet, check that sample_ids are spelt alike. Delete columns that are no samples."
        )
    for column in ("Tissue", "Sex", *["Platform"] * with_platform):
        samples[column] = samples[column].where(samples[column].notna(), UNKNOWN)
    samples["Age"] = samples["Age"].astype(np.float64)
    for step, unknown in (
        ("unknown_sex", samples["Sex"] == UNKNOWN),
        ("unknown_tissue", samples["Tissue"] == UNKNOWN),
        ("unknown_age", samples["Age"].isna()),
    ):
        intake.note(step, "all samples", int(unknown.sum()), "kept as unknown", samples.index[unknown])
    return samples.reset_index()
