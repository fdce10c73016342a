"""Before any prediction: what a table, or a platform, lacks of a clock, and what that costs in years."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from heteroage.age import ADULT_AGE
from heteroage.clock.columns import ANCHOR, CORRECTION
from heteroage.clock.overlap import missing_weight
from heteroage.errors import HeteroAgeError
from heteroage.probes import PROBE, is_pc, plain_name, split_modality

if TYPE_CHECKING:
    from heteroage.clock.model import ClockModel

MOST_LINE = 2**20  # bytes of a probe list's line


def stage_costs(clock: ClockModel, names: Iterable[str]) -> dict[str, list]:
    """What columns of these names lack of each linear model.

    Returns
    -------
    columns stage, CpGs, missing, missing_weight (share of the absolute standardised weight), cost_years (standard
    deviation of what the missing CpGs would have contributed, in an adult; NaN where the clock does not know): a
    row for the anchor, each expert, and HeteroAge (the fusion as a straight line).
    """
    columns_of = clock.wanted.columns_of(names)
    lacking = {name for name in clock.cpgs if name not in columns_of}
    rows = []
    for key, model in clock.models.items():
        own = {name: k for k, name in enumerate(model.features) if not is_pc(name)}
        weight = {name: abs(model.weight[k]) for name, k in own.items()}
        absent = [name for name in own if name in lacking]
        scale = ADULT_AGE + 1 if key is None else 1.0
        raw = {name: scale * model.raw[own[name]] for name in absent}
        share = sum(weight[name] for name in absent) / total if (total := sum(weight.values())) else 0.0
        rows.append((ANCHOR if key is None else f"{key}{CORRECTION}", len(own), len(absent), share, _cost(clock, raw)))
    whole = dict.fromkeys(lacking, np.nan)
    if clock.covariance is not None:
        place = clock.covariance.features
        whole = {n: (ADULT_AGE + 1) * clock.covariance.a[place[n]] + clock.covariance.b[place[n]] for n in lacking}
    share = missing_weight(clock, lacking)
    rows.append(("HeteroAge", len(clock.cpgs), len(lacking), share, _cost(clock, whole)))
    titles = ("stage", "CpGs", "missing", "missing_weight", "cost_years")
    return {title: list(cells) for title, cells in zip(titles, zip(*rows, strict=True), strict=True)}


def missing_features(clock: ClockModel, names: Iterable[str]) -> dict[str, Sequence]:
    """The clock's CpGs that are not among the names: each one's models, and share of the anchor's weight; by weight."""
    columns_of = clock.wanted.columns_of(names)
    lacking = [name for name in clock.cpgs if name not in columns_of]
    lacking.sort(key=lambda name: (-clock.anchor_weight.get(name, 0.0), name))
    stages = {
        name: ";".join(ANCHOR if key is None else f"{key}{CORRECTION}" for key, _ in clock.terms[name])
        for name in lacking
    }
    return {
        "feature": lacking,
        "stages": [stages[name] for name in lacking],
        "anchor_weight_share": np.array([clock.anchor_weight.get(name, 0.0) for name in lacking], dtype=np.float64),
    }


def _cost(clock: ClockModel, years: dict[str, float]) -> float:
    """Standard deviation of sum over features of years × value."""
    covariance = clock.covariance
    if covariance is None:
        return 0.0 if not years else float("nan")
    rows = [covariance.features[name] for name in years]
    weight = np.array(list(years.values()), dtype=np.float64)
    common = weight @ covariance.factors[rows]
    return float(np.sqrt(common @ common + weight**2 @ covariance.own[rows]))


def read_probes(path: Path, modality: str | None) -> list[str]:
    """Read a platform's probe list: a name a line, or a CSV whose first column names probes (Illumina's manifests too).

    Names without a modality's suffix are taken as of the clock's only modality, or beta.
    """
    found = []
    try:
        opened = gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # noqa: SIM115
        with opened as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
            while line := text.readline(MOST_LINE):
                cell = next(csv.reader([line.replace("\t", ",").strip()]), [""])[:1]
                probe, own = split_modality(plain_name(cell[0].strip())) if cell else ("", None)
                if PROBE.fullmatch(probe):
                    found.append(f"{probe}_{own or modality or 'beta'}")
    except (OSError, EOFError, UnicodeError, csv.Error, zlib.error) as error:
        raise HeteroAgeError(f"cannot read {path}: {error}. Give a list of probes, one a line, or a CSV.") from error
    if not found:
        raise HeteroAgeError(f"{path} names no probe in its first column. Give a list of probes, one a line, or a CSV.")
    return found
