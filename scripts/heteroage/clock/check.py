"""Missing features of a table or a platform, and their cost in years, before prediction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from heteroage.age import ADULT_AGE
from heteroage.clock.columns import ANCHOR, CORRECTION
from heteroage.clock.overlap import missing_context, missing_weight
from heteroage.probes import is_pc

if TYPE_CHECKING:
    from heteroage.clock.model import ClockModel
    from heteroage.clock.weights import LinearModel

COMPUTED = "RF_PCs"  # name of the row for RF_PCs that are computed from CpGs


def stage_costs(clock: ClockModel, names: Iterable[str]) -> dict[str, list]:
    """Count the missing CpGs of each linear model, and compute their cost in years.

    Parameters
    ----------
    names : columns of the table

    Returns
    -------
    columns stage, CpGs, missing, missing_weight (fraction of the absolute standardised weight) and cost_years
    (standard deviation of the missing CpGs' contribution, for an adult; NaN if unknown). The rows are the anchor, each
    expert, the computed RF_PCs, and HeteroAge (linear approximation of the fusion). The CpGs of a model include those
    of the computed RF_PCs that it uses.
    """
    names = list(names)
    clock = clock.for_table(names)
    columns_of = clock.wanted.columns_of(names)
    lacking = {name for name in clock.cpgs_read if name not in columns_of}
    rows = []
    for key, model in clock.models.items():
        shares = clock.weight_shares(model)
        raw = _raw_weights(clock, model, ADULT_AGE + 1 if key is None else 1.0)
        absent = [name for name in shares if name in lacking]
        share = sum(shares[name] for name in absent)
        cost = _cost(clock, {name: raw[name] for name in absent}, lacking)
        rows.append((ANCHOR if key is None else f"{key}{CORRECTION}", len(shares), len(absent), share, cost))
    if clock.loadings is not None:
        absent = [name for name in clock.loadings.row if name in lacking]
        share = missing_context(clock, absent)
        rows.append(
            (COMPUTED, len(clock.loadings.row), len(absent), share, _cost(clock, _through_pcs(clock, absent), lacking))
        )
    share = missing_weight(clock, lacking)
    rows.append(("HeteroAge", len(clock.cpgs_read), len(lacking), share, _cost(clock, _whole(clock, lacking), lacking)))
    titles = ("stage", "CpGs", "missing", "missing_weight", "cost_years")
    return {title: list(cells) for title, cells in zip(titles, zip(*rows, strict=True), strict=True)}


def missing_features(clock: ClockModel, names: Iterable[str]) -> dict[str, Sequence]:
    """Return the clock's CpGs that are not among the names, with their models and fraction of the anchor's weight.

    The CpGs are sorted by weight.
    """
    names = list(names)
    clock = clock.for_table(names)
    columns_of = clock.wanted.columns_of(names)
    lacking = [name for name in clock.cpgs_read if name not in columns_of]
    lacking.sort(key=lambda name: (-clock.anchor_weight.get(name, 0.0), name))
    stages = {
        name: [ANCHOR if key is None else f"{key}{CORRECTION}" for key, _ in clock.terms.get(name, [])]
        for name in lacking
    }
    for name in lacking:
        stages[name] += [COMPUTED] * (name in clock.context_weight)
    return {
        "feature": lacking,
        "stages": [";".join(stages[name]) for name in lacking],
        "anchor_weight_share": np.array([clock.anchor_weight.get(name, 0.0) for name in lacking], dtype=np.float64),
    }


def _raw_weights(clock: ClockModel, model: LinearModel, scale: float) -> dict[str, float]:
    """Return a model's weights per CpG on the beta scale; weights of computed RF_PCs are added to their CpGs."""
    own = dict(zip(model.features, (scale * model.raw).tolist(), strict=True))
    raw = {name: value for name, value in own.items() if not is_pc(name)}
    if clock.loadings is not None and set(own) & set(clock.loadings.names):
        for name in clock.loadings.row:
            through = sum(own.get(pc, 0.0) * x for pc, x in clock.loadings_of(name).items())
            raw[name] = raw.get(name, 0.0) + through
    return raw


def _through_pcs(clock: ClockModel, lacking: Iterable[str]) -> dict[str, float]:
    """Return years per unit of each CpG through the RF_PCs only; NaN in format version 1, which has no such slopes."""
    if clock.covariance is None or clock.version == 1:
        return dict.fromkeys(lacking, np.nan)
    place, a, b = clock.covariance.features, clock.covariance.a, clock.covariance.b
    years = {pc: (ADULT_AGE + 1) * a[place[pc]] + b[place[pc]] for pc in clock.pc_names}
    return {name: sum(years[pc] * x for pc, x in clock.loadings_of(name).items()) for name in lacking}


def _whole(clock: ClockModel, lacking: Iterable[str]) -> dict[str, float]:
    """Return years per unit of each CpG through all stages."""
    if clock.covariance is None:
        return dict.fromkeys(lacking, np.nan)
    place, a, b = clock.covariance.features, clock.covariance.a, clock.covariance.b
    return {
        name: (ADULT_AGE + 1) * a[place[name]] + b[place[name]] if name in place else float("nan") for name in lacking
    }


def _cost(clock: ClockModel, years: dict[str, float], lacking: Collection[str]) -> float:
    """Return the standard deviation of sum over features of years × value, given the other CpGs; NaN if unknown."""
    covariance = clock.covariance
    if covariance is None or not all(name in covariance.features for name in years):
        return 0.0 if not years else float("nan")
    return covariance.deviation(years, [name for name in clock.cpgs_read if name not in lacking])
