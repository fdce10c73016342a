"""From modality tables to one set of samples and one set of features.

A modality table holds samples in rows: `sample_id`, metadata, and CpGs. Metadata may stand in any of the
tables; where it stands in several they must agree. Only columns named as probes become features.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from heteroage.errors import HeteroAgeError, listed
from heteroage.labels import OLDEST, SEXES, UNKNOWN
from heteroage.probes import MODALITIES as MODALITIES
from heteroage.probes import RF_PC, feature_name, pc_number

log = logging.getLogger(__name__)

METADATA = ("project_id", "donor_id", "Tissue", "Sex", "Age", "Is_Healthy")
REQUIRED_METADATA = ("project_id", "Tissue", "Sex", "Age", "Is_Healthy")
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


@dataclass(frozen=True)
class Cohorts:
    """All samples, sorted by sample_id, and each modality's betas over the samples it has.

    `betas[modality]` is a frame (its samples x its features, feature names with the modality's suffix).
    """

    samples: pd.DataFrame
    betas: dict[str, pd.DataFrame]

    @property
    def feature_names(self) -> list[str]:
        """All feature names, sorted."""
        return sorted(name for frame in self.betas.values() for name in frame.columns)


def merge_cohorts(tables: Mapping[str, pd.DataFrame]) -> Cohorts:
    """Check and merge the modality tables.

    Parameters
    ----------
    tables : {modality: table with samples in rows}

    Returns
    -------
    Cohorts, which does not depend on the order of rows or columns of any table.

    Raises
    ------
    HeteroAgeError
        No or duplicate `sample_id`; a metadata column that no table has; one sample with different metadata
        in two tables; an unreadable `Age` or `Is_Healthy`; no CpG column; text or infinity in a CpG column.
    """
    metadata, betas = {}, {}
    for modality, table in tables.items():
        table = _indexed(table, modality)
        metadata[modality] = _metadata_of(table, modality)
        betas[modality] = _features_of(table, modality)
    return Cohorts(_agreed_metadata(metadata), betas)


def feature_columns(columns: pd.Index, modality: str) -> dict[str, str]:
    """Map each CpG column of a modality's table to its feature name, `<cpg>_<modality>`.

    A bare probe name gets the modality's suffix and one that has it keeps it; anything else (metadata, other
    numbers, another modality's features) is not a feature of this modality.
    """
    names = {column: feature_name(column, modality) for column in map(str, columns)}
    return {column: name for column, name in names.items() if name is not None}


def pc_columns(columns: pd.Index) -> list[str]:
    """Return the RF_PC columns, in the order of their numbers."""
    return sorted((c for c in map(str, columns) if RF_PC.fullmatch(c)), key=pc_number)


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
    ids = table["sample_id"].astype("string").str.strip()
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


def _indexed(table: pd.DataFrame, modality: str) -> pd.DataFrame:
    where = f"the {modality} table"
    if not table.columns.is_unique:
        repeated = sorted(set(table.columns[table.columns.duplicated()]))
        raise HeteroAgeError(f"{where} has columns of the same name ({listed(repeated)}). Keep one of each.")
    ids = check_sample_ids(table, where)
    return table.set_axis(pd.Index(ids, name="sample_id")).drop(columns="sample_id").sort_index()


def _metadata_of(table: pd.DataFrame, modality: str) -> pd.DataFrame:
    found = table[[column for column in METADATA if column in table.columns]].copy()
    for column in found.columns:
        if column == "Sex":
            found[column] = normalise_sex(found[column]).replace(UNKNOWN, None)
        elif column == "Tissue":
            found[column] = normalise_tissue(found[column]).replace(UNKNOWN, None)
        elif column == "Age":
            found[column] = _parse_age(found[column], modality)
        elif column == "Is_Healthy":
            found[column] = _parse_health(found[column], modality)
        else:
            text = found[column].astype("string").str.strip()
            found[column] = text.where(text != "").astype(object).where(text.notna(), None)
    return found


def _parse_age(values: pd.Series, modality: str) -> pd.Series:
    ages = numeric_column(values, f"column Age of the {modality} table")
    impossible = ages[ages.notna() & ~ages.between(0, OLDEST)]
    if len(impossible):
        cells = [f"{age:g} at {sample}" for sample, age in impossible.items()]
        raise HeteroAgeError(
            f"column Age of the {modality} table has ages outside 0 to {OLDEST} years ({listed(cells)}). Give years, "
            "and leave unknown ages empty."
        )
    return ages


def _parse_health(values: pd.Series, modality: str) -> pd.Series:
    text = values.astype("string").str.strip().str.lower().replace("", pd.NA)
    parsed = text.map(HEALTH)
    strange = sorted(text[text.notna() & parsed.isna()].unique())
    if strange:
        raise HeteroAgeError(
            f"column Is_Healthy of the {modality} table has values that are neither true nor false "
            f"({listed(strange)}). Use True and False; leave unknown empty."
        )
    return parsed.astype(object)


def _features_of(table: pd.DataFrame, modality: str) -> pd.DataFrame:
    names = feature_columns(table.columns, modality)
    doubled = pd.Series(names).duplicated(keep=False)
    if doubled.any():
        twice = sorted({names[column] for column in doubled.index[doubled]})
        raise HeteroAgeError(
            f"the {modality} table has CpGs both with and without the suffix _{modality} ({listed(twice)}). Keep one."
        )
    if not names:
        raise HeteroAgeError(
            f"the {modality} table has no CpG column (it has {listed(table.columns)}). "
            f"CpGs are columns named like cg00000029 or cg00000029_{modality}; samples are rows."
        )
    left_out = [column for column in table.columns if column not in names and column not in METADATA]
    if left_out:
        log.info("%s table: columns that are no CpG of it are left out (%s)", modality, listed(left_out))
    features = table[list(names)].rename(columns=names)
    features = features[sorted(features.columns)]
    for column in features.columns[[not is_numeric_dtype(t) or is_bool_dtype(t) for t in features.dtypes]]:
        features[column] = numeric_column(features[column], f"CpG {column}")
    infinite = np.isinf(features.to_numpy(np.float32)).any(axis=0)
    if infinite.any():
        raise HeteroAgeError(
            f"CpGs with infinite values ({listed(features.columns[infinite])}). Are these M-values? Give beta values."
        )
    return features


def _agreed_metadata(metadata: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    absent = [c for c in REQUIRED_METADATA if not any(c in frame.columns for frame in metadata.values())]
    if absent:
        raise HeteroAgeError(
            f"no modality table has the metadata columns ({listed(absent)}). "
            "Add them to one of the tables; config/README.md describes each."
        )
    ids = sorted(set().union(*(frame.index for frame in metadata.values())))
    samples = pd.DataFrame(index=pd.Index(ids, name="sample_id"))
    for column in METADATA:
        merged = pd.Series(None, index=samples.index, dtype=object)
        for modality, frame in metadata.items():
            if column not in frame.columns:
                continue
            new = frame[column].dropna().astype(object)
            known = merged.loc[new.index]
            differ = known.notna() & (known != new)
            if differ.any():
                pairs = [f"{s}: {known[s]} and {new[s]}" for s in differ.index[differ]]
                raise HeteroAgeError(
                    f"samples whose {column} in the {modality} table differs from an earlier table's "
                    f"({listed(pairs)}). Correct one of the tables."
                )
            merged.loc[new.index] = new
        samples[column] = merged
    homeless = samples.index[samples["project_id"].isna()]
    if len(homeless):
        raise HeteroAgeError(
            f"samples without a project_id ({listed(homeless)}). Give each its study: studies are held out whole."
        )
    samples["Tissue"] = normalise_tissue(samples["Tissue"])
    samples["Sex"] = normalise_sex(samples["Sex"])
    samples["Age"] = samples["Age"].astype(np.float64)
    return samples.reset_index()
