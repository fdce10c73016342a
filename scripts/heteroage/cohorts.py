"""Who the samples are: metadata of every table and sample sheet, normalised, checked and brought together.

Metadata may stand in any of the tables, or in sample sheets; where it stands in several they must agree.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_float_dtype, is_numeric_dtype

from heteroage.errors import HeteroAgeError, listed
from heteroage.intake import Intake
from heteroage.labels import OLDEST, SEXES, UNKNOWN
from heteroage.probes import is_pc, pc_number

log = logging.getLogger(__name__)

METADATA = ("project_id", "donor_id", "Tissue", "Sex", "Age", "Is_Healthy")
REQUIRED_METADATA = ("project_id", "Tissue", "Sex", "Age", "Is_Healthy")
UNITS = {"years": 1.0, "months": 12.0, "days": 365.25}  # of an age, in a year
HEALTH = {
    "true": True,
    "1": True,
    "1.0": True,
    "yes": True,
    "false": False,
    "0": False,
    "0.0": False,
    "no": False,
}


def pc_columns(columns: pd.Index) -> list[str]:
    """Return the RF_PC columns, in the order of their numbers."""
    return sorted((c for c in map(str, columns) if is_pc(c)), key=pc_number)


def normalise_sex(values: pd.Series) -> pd.Series:
    """Map the usual spellings to F and M; anything else, missing included, is unknown, never a default."""
    return values.astype("string").str.strip().str.lower().map(SEXES).fillna(UNKNOWN).astype(object)


def normalise_tissue(values: pd.Series) -> pd.Series:
    """Return tissues as text, stripped; missing or empty is unknown."""
    text = values.astype("string").str.strip()
    return text.where(text.notna() & (text != ""), UNKNOWN).astype(object)


def check_sample_ids(table: pd.DataFrame, where: str) -> pd.Series:
    """Return the table's sample_id as text, or say what is wrong with it."""
    if "sample_id" not in table.columns:
        raise HeteroAgeError(
            f"{where} has no column sample_id (it has {listed(table.columns)}). "
            "Name the column that identifies samples sample_id."
        )
    ids = as_text(table["sample_id"])
    if ids.isna().any() or (ids == "").any():
        raise HeteroAgeError(
            f"{where} has rows without a sample_id ({int((ids.isna() | (ids == '')).sum())}). Give each sample one."
        )
    duplicated = ids[ids.duplicated()].unique()
    if len(duplicated):
        raise HeteroAgeError(
            f"{where} has duplicate sample_ids ({listed(sorted(duplicated))}). Keep one row per sample."
        )
    return ids.astype(object)


def numeric_column(values: pd.Series, where: str) -> pd.Series:
    """Return a column as float64, or name the first values that are no numbers."""
    if is_numeric_dtype(values) and not is_bool_dtype(values):
        return values.astype(np.float64)
    numbers = pd.to_numeric(values, errors="coerce")
    text = values[numbers.isna() & values.notna()]
    if len(text):
        cells = [f"{str(value)!r} at {sample}" for sample, value in text.items()]
        raise HeteroAgeError(f"{where} holds text where numbers belong ({listed(cells)}). Leave unknown values empty.")
    return numbers.astype(np.float64)


def as_text(values: pd.Series) -> pd.Series:
    """Return names as text, stripped: a whole number without the decimals that it has beside missing values."""
    if is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    return values.astype("string").str.strip()


def is_numbered(values: pd.Series) -> pd.Series:
    """Tell which names look like numbers, whatever the column's type."""
    return as_text(values).str.fullmatch(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?").fillna(False).astype(bool).to_numpy()


def normalise_metadata(
    table: pd.DataFrame, where: str, age_unit: str, sex_codes: Mapping[str, str], intake: Intake
) -> pd.DataFrame:
    """Bring a table's metadata into one form: text, F and M, years, true and false; None where unknown.

    Parameters
    ----------
    table : frame of some columns of METADATA, by sample_id
    age_unit : years, months or days
    sex_codes : {spelling: F or M}, for spellings that nobody could guess, such as 0 and 1

    Raises
    ------
    HeteroAgeError
        An unreadable or impossible `Age`, an unreadable `Is_Healthy`, or a `Sex` coded as numbers without a code.
    """
    found = table.copy()
    for column in found.columns:
        if column == "Sex":
            found[column] = _parse_sex(found[column], where, sex_codes)
        elif column == "Tissue":
            found[column] = normalise_tissue(found[column]).replace(UNKNOWN, None)
        elif column == "Age":
            found[column] = _parse_age(found[column], where, age_unit)
            intake.note(
                "convert_ages", where, int(found[column].notna().sum()) * (age_unit != "years"), f"from {age_unit}"
            )
        elif column == "Is_Healthy":
            found[column] = _parse_health(found[column], where)
        else:
            text = as_text(found[column])
            found[column] = text.where(text != "").astype(object).where(text.notna(), None)
    return found


def agreed_metadata(frames: Mapping[str, pd.DataFrame], sample_ids: Sequence[str], intake: Intake) -> pd.DataFrame:
    """Bring together what all tables and sheets say of the samples.

    Parameters
    ----------
    frames : {the table's name for messages: its normalised metadata, by sample_id}
    sample_ids : the samples that have data, sorted

    Returns
    -------
    frame of sample_id and METADATA, in the order of `sample_ids`

    Raises
    ------
    HeteroAgeError
        A column that nothing has; a sample of which two tables say different things, or without a project_id.
    """
    absent = [c for c in REQUIRED_METADATA if not any(c in frame.columns for frame in frames.values())]
    if absent:
        raise HeteroAgeError(
            f"no table has the metadata columns ({listed(absent)}). Add them to one of the tables or to a sample "
            "sheet (inputs.sample_sheet), or say in inputs.columns what they are called (config/README.md)."
        )
    samples = pd.DataFrame(index=pd.Index(sample_ids, name="sample_id"))
    for column in METADATA:
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
            "If it stands in a sample sheet, check that sample_ids are spelt alike."
        )
    samples["Tissue"] = normalise_tissue(samples["Tissue"])
    samples["Sex"] = normalise_sex(samples["Sex"])
    samples["Age"] = samples["Age"].astype(np.float64)
    for step, unknown in (
        ("unknown_sex", samples["Sex"] == UNKNOWN),
        ("unknown_tissue", samples["Tissue"] == UNKNOWN),
        ("unknown_age", samples["Age"].isna()),
    ):
        intake.note(step, "all samples", int(unknown.sum()), "kept as unknown", samples.index[unknown])
    return samples.reset_index()


def _parse_sex(values: pd.Series, where: str, codes: Mapping[str, str]) -> pd.Series:
    text = as_text(values).str.lower()
    meant = SEXES | {str(code).lower(): sex for code, sex in codes.items()}
    numbers = sorted(set(text[is_numbered(values)]) - set(meant))
    if numbers:
        raise HeteroAgeError(
            f"column Sex of {where} has numbers ({listed(numbers)}), which nobody can guess. Say in inputs.sex_codes "
            'what they mean, for instance {"0": F, "1": M}, or leave unknown sexes empty.'
        )
    known = [None if spelling is pd.NA else meant.get(spelling) for spelling in text]
    return pd.Series(known, index=values.index, dtype=object)


def _parse_age(values: pd.Series, where: str, unit: str) -> pd.Series:
    ages = numeric_column(values, f"column Age of {where}") / UNITS[unit]
    impossible = ages[ages.notna() & ~ages.between(0, OLDEST)]
    if len(impossible):
        cells = [f"{age * UNITS[unit]:g} at {sample}" for sample, age in impossible.items()]
        raise HeteroAgeError(
            f"column Age of {where} has ages outside 0 to {OLDEST} years ({listed(cells)}). {_guessed_unit(ages, unit)}"
            "Give years, and leave unknown ages empty."
        )
    return ages


def _guessed_unit(ages: pd.Series, unit: str) -> str:
    """Name the unit that makes sense of ages that make none in years."""
    ages = ages[ages.notna()]
    if unit != "years" or not len(ages) or ages.min() < 0:
        return ""
    for guess in ("months", "days"):
        if ages.max() / UNITS[guess] <= OLDEST and ages.median() > OLDEST:
            oldest = ages.max() / UNITS[guess]
            return f"They look like {guess} (then the oldest is {oldest:.0f}): set age_unit: {guess} for this table. "
    return ""


def _parse_health(values: pd.Series, where: str) -> pd.Series:
    text = values.astype("string").str.strip().str.lower().replace("", pd.NA)
    parsed = text.map(HEALTH)
    strange = sorted(text[text.notna() & parsed.isna()].unique())
    if strange:
        raise HeteroAgeError(
            f"column Is_Healthy of {where} has values that are neither true nor false ({listed(strange)}). "
            "Use True and False; leave unknown empty."
        )
    return parsed.astype(object)
