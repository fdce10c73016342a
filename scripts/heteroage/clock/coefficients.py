"""Coefficient tables of published clocks: two columns, a CpG and its coefficient, with the intercept as a row."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heteroage.age import inverse_transform_age
from heteroage.errors import HeteroAgeError, listed
from heteroage.probes import feature_name, is_probe
from heteroage.tables.cells import number_of
from heteroage.tables.opening import open_source

INTERCEPTS = {"(intercept)", "intercept", "(const)", "const"}
# Names of the coefficient column (case is ignored). Without a match, the only column of numbers is used.
COEFFICIENTS = ["coefficienttraining", "coefficient", "coef", "weight", "beta"]
# Names of the column of typical beta values (case is ignored), which replace missing values.
REFERENCES = ["medianbycpg", "median", "mean"]
# Transforms from the weighted sum to years.
TRANSFORMS: dict[str, Callable[[ArrayLike], NDArray[np.float64]]] = {
    "horvath": inverse_transform_age,
    "identity": lambda score: np.asarray(score, np.float64),
    "log": lambda score: np.exp(np.asarray(score, np.float64)),
}


@dataclass(frozen=True)
class PublishedClock:
    """A published linear clock.

    features : feature names with suffix, such as `cg00000029_beta`
    coefficient : (features,), per unit of beta value
    intercept : on the scale of the weighted sum; 0 if the table has none
    sha256 : digest of the file
    reference : (features,), typical beta values; None if the table has no such column
    """

    features: list[str]
    coefficient: NDArray[np.float64]
    intercept: float
    sha256: str
    reference: NDArray[np.float64] | None = None


def transform_named(name: str, where: str = "") -> Callable[[ArrayLike], NDArray[np.float64]]:
    """Return the transform with this name; `where` is what messages call its place.

    Raises
    ------
    HeteroAgeError
        Unknown name.
    """
    if name not in TRANSFORMS:
        place = f"{where}: " if where else ""
        raise HeteroAgeError(f"{place}unknown transform {name!r}. Known are {', '.join(TRANSFORMS)}.")
    return TRANSFORMS[name]


def read_coefficients(path: str | Path, where: str = "", intercept: float | None = None) -> PublishedClock:
    """Read a coefficient table. All table formats are supported; in text files the header is optional.

    Parameters
    ----------
    path : path of the table
    where : name of the table in messages; default: its path
    intercept : the intercept, if the table has no row for it

    Raises
    ------
    HeteroAgeError
        No column of probe names or of coefficients; coefficients that are not finite numbers; a repeated CpG; two
        intercepts.
    """
    where = where or str(path)
    source, _keep = open_source(path, where)
    columns = source.texts(range(len(source.header)))
    header = source.header
    if any(is_probe(name) or name.lower() in INTERCEPTS for name in header):  # no header: the first row is data
        columns = [[name, *cells] for name, cells in zip(header, columns, strict=True)]
        header = [f"column {k + 1}" for k in range(len(header))]
    names, values = _columns(header, columns, where)
    typical = next(
        (columns[k] for wanted in REFERENCES for k, name in enumerate(header) if name.lower() == wanted), None
    )
    typical_of = {} if typical is None else {name: _number(cell) for name, cell in zip(names, typical, strict=True)}
    rows = [(name or "", text) for name, text in zip(names, values, strict=True) if name or text]
    bad = [f"{name} {text or '(empty)'}" for name, text in rows if not np.isfinite(_number(text))]
    if bad:
        raise HeteroAgeError(
            f"{where} has coefficients that are not finite numbers ({listed(bad)}). Correct them, or remove their rows."
        )
    own = [(name, _number(text)) for name, text in rows if name.lower() in INTERCEPTS]
    if len(own) + (intercept is not None) > 1:
        raise HeteroAgeError(f"{where} has more than one intercept. Give it once, as a row or as the key `intercept`.")
    rows = [row for row in rows if row[0].lower() not in INTERCEPTS]
    unknown = [name for name, _ in rows if not is_probe(name)]
    if unknown:
        raise HeteroAgeError(
            f"{where} has rows that are neither a CpG nor the intercept ({listed(unknown)}). Remove them."
        )
    features = [feature_name(name, "beta") or name for name, _ in rows]
    twice = [name for name, count in Counter(features).items() if count > 1]
    if twice:
        raise HeteroAgeError(f"{where} has repeated CpGs ({listed(twice)}). Keep one row of each.")
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    coefficient = np.array([_number(text) for _, text in rows])
    reference = None if typical is None else np.array([typical_of[name] for name, _ in rows])
    return PublishedClock(features, coefficient, own[0][1] if own else float(intercept or 0.0), digest, reference)


def _columns(
    header: list[str], columns: list[list[str | None]], where: str
) -> tuple[list[str | None], list[str | None]]:
    """Find the columns of probe names and of coefficients."""
    probes = [
        k
        for k, cells in enumerate(columns)
        if _share(cells, lambda name: is_probe(name) or name.lower() in INTERCEPTS) > 0.5
    ]
    if not probes:
        raise HeteroAgeError(
            f"{where} has no column of probe names such as cg00075967 (its columns are {listed(header)}). "
            "Give a table of two columns, for example CpGmarker,CoefficientTraining."
        )
    others = [k for k in range(len(columns)) if k != probes[0] and header[k].lower() not in REFERENCES]
    named = [k for name in COEFFICIENTS for k in others if header[k].lower() == name]
    numeric = [k for k in others if _share(columns[k], lambda text: np.isfinite(_number(text))) > 0.5]
    if not named and len(numeric) != 1 and len(others) != 1:
        raise HeteroAgeError(
            f"{where} has {len(numeric)} columns of numbers beside the probes (its columns are {listed(header)}). "
            "Name the one of coefficients `coefficient`."
        )
    return columns[probes[0]], columns[(named or numeric or others)[0]]


def _share(cells: list[str | None], holds: Callable[[str], bool]) -> float:
    return float(np.mean([text is not None and holds(text) for text in cells])) if cells else 0.0


def _number(text: str | None) -> float:
    """Convert a cell to a number; NaN if that is not possible."""
    number = None if text is None else number_of(text)
    return np.nan if number is None else number
