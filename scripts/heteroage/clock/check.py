"""Missing CpGs of a table: whether prediction accepts it, and what they cost in years."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import fsum
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from heteroage.age import ADULT_AGE
from heteroage.clock.artifacts import ANCHOR, stage_column
from heteroage.clock.master_table import MasterTable, open_tables
from heteroage.errors import HeteroAgeError, listed
from heteroage.probes import is_pc

if TYPE_CHECKING:
    from heteroage.clock.model import ClockModel, LinearModel

# A table that shares fewer of the clock's CpGs is of another platform, or its columns are misnamed.
MINIMUM_SHARE = 0.1
# A sample with more than this fraction of the weight missing is predicted from little.
MOST_MISSING_WEIGHT = 0.5
COMPUTED = "RF_PCs"  # name of the row for RF_PCs that are computed from CpGs


def missing_weight(clock: ClockModel, absent: Collection[str]) -> float:
    """Return the fraction of the anchor's absolute standardised weight on the absent CpGs."""
    return fsum(clock.anchor_weight.get(name, 0.0) for name in absent)


def missing_context(clock: ClockModel, absent: Collection[str]) -> float:
    """Return the fraction of the computed RF_PCs' squared loadings on the absent CpGs."""
    return fsum(clock.context_weight.get(name, 0.0) for name in absent)


def too_much_is_missing(clock: ClockModel, absent: Collection[str]) -> bool:
    """Tell whether a table without these CpGs is rejected (unless --allow-missing is given)."""
    few = len(clock.cpgs_read) - len(absent) < MINIMUM_SHARE * len(clock.cpgs_read)
    return few or max(missing_weight(clock, absent), missing_context(clock, absent)) > MOST_MISSING_WEIGHT


def check_cpgs(clock: ClockModel, columns_of: Mapping[str, list[str]], where: str, allow_missing: bool) -> None:
    """Reject a table with too few of the clock's CpGs. With `allow_missing`, reject it only if it has none.

    clock : the clock for this table (`ClockModel.for_table`)
    columns_of : the table's columns of each CpG
    """
    absent = [name for name in clock.cpgs_read if name not in columns_of]
    shared = len(clock.cpgs_read) - len(absent)
    if absent and (shared == 0 or (too_much_is_missing(clock, absent) and not allow_missing)):
        context = missing_context(clock, absent)
        raise HeteroAgeError(
            f"{where} shares {shared} of the clock's {len(clock.cpgs_read)} CpGs. Missing are "
            f"{missing_weight(clock, absent):.0%} of the anchor's weight"
            + (f" and {context:.0%} of what the RF_PCs are computed from" if context else "")
            + f" ({listed(absent)}). Columns are named <cpg>_<modality>, as cg00000029_beta; check names and platform. "
            "`heteroage check` lists the missing CpGs" + ("." if shared == 0 else "; --allow-missing predicts anyway.")
        )


def check_pcs(clock: ClockModel, table: MasterTable, columns_of: Mapping[str, list[str]], allow_missing: bool) -> None:
    """Reject a table whose RF_PCs can neither be read nor computed; `clock` is as in `check_cpgs`."""
    absent = [name for name in clock.pc_names if name not in table.names]
    if clock.loadings is None:
        # If only some RF_PCs are missing, they are imputed by training medians, like other columns.
        if absent and len(absent) == len(clock.pc_names):
            raise HeteroAgeError(
                f"{table.where} has no RF_PC columns, and the clock needs them ({listed(absent)}). They came from a "
                "file in training: project your samples with the same loadings and add the columns."
            )
        return
    gone = [name for name in clock.loadings.row if name not in columns_of]
    known = len(clock.loadings.row) - len(gone)
    if known == 0 or (missing_context(clock, gone) > MOST_MISSING_WEIGHT and not allow_missing):
        raise HeteroAgeError(
            f"{table.where} has neither the columns ({listed(absent)}) nor the CpGs to compute them from: {known} of "
            f"{len(clock.loadings.row)}, with {missing_context(clock, gone):.0%} of their weight missing "
            f"({listed(gone)}). Add either."
        )


def check(clock: ClockModel, inputs: Sequence[Path], platform: Path | None) -> tuple[str, dict[str, Sequence], bool]:
    """Return a report on missing CpGs to print, the CpGs as columns, and whether prediction accepts the table."""
    from heteroage.probes import read_probes

    if platform is not None:
        names, what = read_probes(platform, clock.wanted.modality), f"{platform} names"
    else:
        table = open_tables(inputs, clock.wanted, clock.conventions)
        names, what = table.names, f"{table.where} holds"
    clock = clock.for_table(names)
    costs, missing = stage_costs(clock, names), missing_features(clock, names)
    lines = [
        f"{what} {len(clock.cpgs_read) - len(missing['feature'])} of the clock's {len(clock.cpgs_read)} CpGs.",
        "",
        f"{'stage':40} {'CpGs':>7} {'missing':>8} {'of weight':>10} {'cost, years':>12}",
    ]
    for stage, cpgs, absent, weight, years in zip(*costs.values(), strict=True):
        cost = "unknown" if years != years else f"{years:.2f}"
        lines.append(f"{stage:40} {cpgs:>7} {absent:>8} {weight:>10.1%} {cost:>12}")
    if missing["feature"]:
        lines += ["", f"Missing, by weight: {listed(missing['feature'])}."]
    computed = clock.loadings.names if clock.loadings else []
    needed = [name for name in ("Tissue", "Sex", *clock.pc_names) if name not in [*names, *computed]]
    if needed and platform is None and ANCHOR not in names:
        lines.append(f"It has no column {', '.join(needed)}.")
    accepted = not too_much_is_missing(clock, missing["feature"])
    verdict = "can be predicted" if accepted else "would be rejected (--allow-missing predicts anyway)"
    return "\n".join([*lines, "", f"Samples with these CpGs {verdict}."]), missing, accepted


def stage_costs(clock: ClockModel, names: Iterable[str]) -> dict[str, list]:
    """Count the missing CpGs of each linear model, and compute their cost in years; `names` are a table's columns.

    Returns columns stage, CpGs, missing, missing_weight (fraction of the absolute standardised weight) and cost_years
    (standard deviation of the missing CpGs' contribution, for an adult; NaN if unknown). The rows are the anchor, each
    expert, the computed RF_PCs, and HeteroAge (linear approximation of the fusion). The CpGs of a model include those
    of the computed RF_PCs that it uses.
    """
    clock, absent = _missing(clock, names)
    lacking, rows, total = set(absent), [], {}
    if clock.covariance is not None:  # years per unit of each feature, through all stages
        by_row = (ADULT_AGE + 1) * clock.covariance.a + clock.covariance.b
        total = {name: float(by_row[row]) for name, row in clock.covariance.features.items()}

    def add(stage: str, n_cpgs: int, share: float, years: dict[str, float]) -> None:
        rows.append((stage, n_cpgs, len(years), share, _cost(clock, years, lacking)))

    for key, model in clock.models.items():
        shares = clock.weight_shares(model)
        own = [name for name in shares if name in lacking]
        raw = _raw_weights(clock, model, ADULT_AGE + 1 if key is None else 1.0)
        add(stage_column(key), len(shares), sum(shares[name] for name in own), {name: raw[name] for name in own})
    if clock.loadings is not None:
        own = [name for name in clock.loadings.row if name in lacking]
        years = dict.fromkeys(own, np.nan)  # format version 1 has no slopes of RF_PCs
        if total and clock.version > 1:
            years = {name: sum(total[pc] * x for pc, x in clock.loadings_of(name).items()) for name in own}
        add(COMPUTED, len(clock.loadings.row), missing_context(clock, own), years)
    years = {name: total.get(name, np.nan) for name in absent}
    add("HeteroAge", len(clock.cpgs_read), missing_weight(clock, absent), years)
    titles = ("stage", "CpGs", "missing", "missing_weight", "cost_years")
    return {title: list(cells) for title, cells in zip(titles, zip(*rows, strict=True), strict=True)}


def missing_features(clock: ClockModel, names: Iterable[str]) -> dict[str, Sequence]:
    """Return the clock's CpGs that are not among the names, by weight, with their models and fraction of the weight."""
    clock, absent = _missing(clock, names)
    absent.sort(key=lambda name: (-clock.anchor_weight.get(name, 0.0), name))
    stages = [
        [stage_column(key) for key, _ in clock.terms.get(name, [])] + [COMPUTED] * (name in clock.context_weight)
        for name in absent
    ]
    share = np.array([clock.anchor_weight.get(name, 0.0) for name in absent], dtype=np.float64)
    return {"feature": absent, "stages": [";".join(own) for own in stages], "anchor_weight_share": share}


def _missing(clock: ClockModel, names: Iterable[str]) -> tuple[ClockModel, list[str]]:
    """Return the clock for a table with these columns, and the CpGs that it reads and the table does not have."""
    names = list(names)
    clock = clock.for_table(names)
    columns_of = clock.wanted.columns_of(names)
    return clock, [name for name in clock.cpgs_read if name not in columns_of]


def _raw_weights(clock: ClockModel, model: LinearModel, scale: float) -> dict[str, float]:
    """Return a model's weights per CpG on the beta scale; weights of computed RF_PCs are added to their CpGs."""
    own = dict(zip(model.features, (scale * model.raw).tolist(), strict=True))
    raw = {name: value for name, value in own.items() if not is_pc(name)}
    if clock.loadings is not None and set(own) & set(clock.loadings.names):
        for name in clock.loadings.row:
            through = sum(own.get(pc, 0.0) * x for pc, x in clock.loadings_of(name).items())
            raw[name] = raw.get(name, 0.0) + through
    return raw


def _cost(clock: ClockModel, years: dict[str, float], lacking: Collection[str]) -> float:
    """Return the standard deviation of sum over features of years × value, given the other CpGs; NaN if unknown."""
    covariance = clock.covariance
    if covariance is None or not all(name in covariance.features for name in years):
        return 0.0 if not years else float("nan")
    return covariance.deviation(years, [name for name in clock.cpgs_read if name not in lacking])
