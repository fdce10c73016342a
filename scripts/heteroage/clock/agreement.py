"""Columns that several joined tables have: they must agree, and the most exact age counts."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from heteroage.clock.artifacts import ANCHOR, CORRECTION
from heteroage.errors import HeteroAgeError, listed
from heteroage.labels import is_missing, same_word, tissue_of
from heteroage.tables.ages import Reading, most_exact, roundings, unit_in
from heteroage.tables.metadata import Conventions, ages, sexes

log = logging.getLogger(__name__)
Cells = Sequence[str | None]


def agreed(
    name: str, several: Sequence[tuple[str, Sequence]], ids: Sequence[str], conventions: Conventions
) -> Sequence:
    """Return one of several tables' columns, which must agree (45 equals 45.0, female equals F) where text is given.

    several : name of the table in messages, and its column
    """
    first, cells = several[0]
    meant = {"Tissue": tissue_of, "Sex": cache(lambda cell: sexes([cell], conventions)[0][0])}
    same = meant.get(name, lambda cell: cell)
    for where, others in several[1:]:
        if name in meant:
            cells, others = (
                [None if is_missing(cell, conventions.missing_values) else cell for cell in own]
                for own in (cells, others)
            )
            cells = [b if a is None else a for a, b in zip(cells, others, strict=True)]
        if differ := [
            f"{one}: {a} and {b}"
            for one, a, b in zip(ids, cells, others, strict=True)
            if b is not None
            and same(a) != same(b)
            and not (a != a and b != b)
            and not (a and same_word(str(a), str(b)))
        ]:
            raise _differing(name, where, first, differ)
    return cells


def agreed_ages(
    several: Sequence[tuple[str, Cells, str, Collection[str]]], ids: Sequence[str], conventions: Conventions
) -> list[str | None]:
    """Return each sample's most exact age with its unit. Each table may have its own unit.

    several : name of the table in messages, its ages, the name of their column, and the names of its columns
    """
    readings: list[list[Reading]] = [[] for _ in ids]
    for where, cells, label, names in several:
        how = conventions_of_ages(conventions, label, names)
        years = ages(cells, label, ids, where, how)
        for own, age, rounding in zip(readings, years, roundings(cells, label, how.age_unit), strict=True):
            own += [] if age is None else [Reading(age, rounding, where)]
    chosen = {one: (*most_exact(own), own) for one, own in zip(ids, readings, strict=True) if own}
    if differ := {one: found for one, found in chosen.items() if found[1] is not None}:
        kept, other, own = next(iter(differ.values()))
        first, later = sorted((kept, other), key=own.index)
        pairs = [f"{one}: {a.age} and {b.age}" for one, (a, b, _) in differ.items()]
        raise _differing("Age", later.where, first.where, pairs)
    rounded = [one for one, (kept, _, own) in chosen.items() if {kept.age} < {reading.age for reading in own}]
    if rounded:
        log.warning("ages are taken from the table that gives more digits (%s)", listed(rounded))
    return [
        f"{np.format_float_positional(chosen[one][0].age, trim='-')} years" if one in chosen else None for one in ids
    ]


def conventions_of_ages(conventions: Conventions, label: str, names: Iterable[str]) -> Conventions:
    """Return the conventions of a table's ages: the output of an earlier stage (by its columns' `names`) has years."""
    staged = any(name == ANCHOR or name.endswith(CORRECTION) for name in names)
    return replace(conventions, age_unit="years") if staged and unit_in(label) is None else conventions


def _differing(name: str, where: str, first: str, differ: Sequence[str]) -> HeteroAgeError:
    return HeteroAgeError(
        f"samples whose {name} in {where} differs from that in {first} ({listed(differ)}). Correct one of the tables."
    )
