"""Conversion of GEO characteristics (`age: 67`, `gender: F`) to metadata."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from heteroage.errors import HeteroAgeError, listed
from heteroage.inputs.geo import ACCESSION
from heteroage.labels import is_missing
from heteroage.tables.ages import is_age, is_prenatal, read_ages
from heteroage.tables.metadata import words_of

log = logging.getLogger(__name__)

METADATA = ("Age", "Sex", "Tissue", "Is_Healthy", "donor_id")


@dataclass(frozen=True)
class Mapped:
    """Options for the conversion of a series' characteristics to metadata.

    characteristics : {our column: names of characteristics}; the first that a sample has is used
    healthy : values of the Is_Healthy characteristic that mean true; all others mean false
    given : {our column: one value for all samples}, for columns that the series does not contain
    age_unit : unit of ages without a unit; takes precedence over the unit in the characteristic's name
    missing_values, allow_prenatal : as in the config's `inputs`
    """

    characteristics: Mapping[str, Sequence[str]]
    healthy: Sequence[str]
    given: Mapping[str, object] = field(default_factory=dict)
    age_unit: str | None = None
    missing_values: Sequence[str] = ()
    allow_prenatal: bool = False


def map_samples(lines: Mapping[str, Sequence[str]], series: str, how: Mapped) -> pd.DataFrame:
    """Convert characteristics (`age: 67`, `gender: F`) to a sample sheet.

    Without a characteristic, Tissue is the sample's source name. Ages in other units (`3 months`, or in a
    characteristic `age_months`) are converted to years. Codes for missing values become empty.

    Returns
    -------
    frame of `sample_id`, `project_id` (the series, without the platform), and the known METADATA columns

    Raises
    ------
    HeteroAgeError
        No characteristic for Age or Is_Healthy, and no value given for all; ages of which most cannot be read;
        gestational ages that the config does not allow.
    """
    ids = lines["geo_accession"]
    cells: list[dict[str, tuple[str, str]]] = [{} for _ in ids]
    for name, values in lines.items():
        if name.split(" ")[0] == "characteristics_ch1":
            for cell, value in zip(cells, values, strict=True):
                label, colon, text = value.partition(":")
                if colon:
                    cell.setdefault(_key(label), (label.strip(), text.strip()))
    known = list(dict.fromkeys(label for cell in cells for label, _ in cell.values()))
    sheet = pd.DataFrame({"sample_id": ids, "project_id": ACCESSION.fullmatch(series)[1]})
    for ours in METADATA:
        wanted = how.characteristics.get(ours, ())
        found = [_first(cell, ours, wanted) for cell in cells]
        if ours in how.given:
            sheet[ours] = how.given[ours]
        elif any(label for label, _ in found):
            sheet[ours] = _converted(ours, found, ids, series, how)
        elif ours == "Tissue":
            sheet[ours] = list(lines.get("source_name_ch1", [""] * len(ids)))
        elif ours in ("Age", "Is_Healthy"):
            raise HeteroAgeError(
                f"{series} has no characteristic for {ours} (it has {listed(known)}; looked for {listed(wanted)}). Add "
                f"its name to geo.characteristics.{ours}, or one value for all samples to geo.series.{series}.{ours}."
            )
    return sheet


def _first(cell: Mapping[str, tuple[str, str]], ours: str, wanted: Sequence[str]) -> tuple[str, str]:
    """Return a sample's characteristic (label, text): the first of the wanted names; for Age also names with a unit."""
    for name in wanted:
        if _key(name) in cell:
            return cell[_key(name)]
    if ours == "Age" and any(is_age(name) for name in wanted):
        return next((found for found in cell.values() if is_age(found[0])), ("", ""))
    return "", ""


def _converted(
    ours: str, found: Sequence[tuple[str, str]], ids: Sequence[str], series: str, how: Mapped
) -> list[object]:
    if ours == "Age":
        return _ages(found, ids, series, how)
    texts = ["" if is_missing(text, how.missing_values) else text for _, text in found]
    if ours == "Is_Healthy":
        means_true = {_key(word) for value in how.healthy for word in words_of(value)}
        # The config's words take precedence over codes for missing values, because a disease may be `none`.
        return [
            True if label and _key(raw) in means_true else None if not text else False
            for (label, raw), text in zip(found, texts, strict=True)
        ]
    return texts


def _ages(found: Sequence[tuple[str, str]], ids: Sequence[str], series: str, how: Mapped) -> list[object]:
    """Convert ages to years. A small number of unreadable ages is set to missing and listed in the log."""
    ages: list[object] = [None] * len(ids)
    problems: dict[str, list[str]] = {"unreadable": [], "prenatal": [], "outside": []}
    labels = list(dict.fromkeys(label for label, _ in found if label))
    for label in labels:
        rows = [k for k, (own, _) in enumerate(found) if own == label]
        unit = None if is_prenatal(label) else how.age_unit
        read = read_ages([found[k][1] for k in rows], label, unit, how.allow_prenatal, how.missing_values)
        for k, age in zip(rows, read.years, strict=True):
            ages[k] = age
        for problem, cells in problems.items():
            cells += [f"{found[rows[at]][1]!r} of {ids[rows[at]]}" for at in getattr(read, problem)]
    n = sum(not is_missing(text, how.missing_values) for _, text in found)
    if (any(map(is_prenatal, labels)) and problems["prenatal"]) or len(problems["prenatal"]) > n / 2:
        raise HeteroAgeError(
            f"{series} has ages from before birth, under {listed(labels)} ({listed(problems['prenatal'])}). Set "
            "inputs.allow_prenatal: true to take them as ages below 0, or name another characteristic in "
            "geo.characteristics.Age."
        )
    strange = [cell for cells in problems.values() for cell in cells]
    if len(strange) > n / 2:
        raise HeteroAgeError(
            f"{series} has ages that cannot be read, under {listed(labels)} ({listed(strange)}). Name another "
            f"characteristic in geo.characteristics.Age, or the unit in geo.series.{series}.age_unit."
        )
    if strange:
        log.warning("%s: ages that cannot be used are left empty (%s)", series, listed(strange))
    return ages


def _key(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+|[^\w\s]", text.casefold())).strip(". ")
