"""Checks whether tables can be predicted: before training, before prediction, and by `heteroage check`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import fsum
from pathlib import Path

import numpy as np

from heteroage.age import ADULT_AGE
from heteroage.clock.artifacts import ANCHOR
from heteroage.clock.master_table import MasterTable, Wanted, open_each, open_tables
from heteroage.clock.model import COMPUTED, ClockModel
from heteroage.errors import HeteroAgeError, listed
from heteroage.labels import UNKNOWN, spelling_key
from heteroage.probes import is_pc, read_probes, split_modality
from heteroage.tables.metadata import Conventions, known_values, tissues
from heteroage.tables.table import Sheet, Table
from heteroage.tables.values import ValueCheck

# A table that shares fewer of the clock's CpGs is of another platform, or its columns are misnamed.
MINIMUM_SHARE = 0.1
# A sample with more than this fraction of the weight missing is predicted from little.
MOST_MISSING_WEIGHT = 0.5
WELL_COVERED = 0.9  # tables with a smaller fraction of the training data's CpGs get a remark


def share_of(weight: Mapping[str, float], names: Iterable[str]) -> float:
    """Return the fraction of a weight (`anchor_weight` or `context_weight` of a clock) that is on these CpGs."""
    return fsum(weight.get(name, 0.0) for name in names)


def missing_from(clock: ClockModel, names: Collection[str]) -> tuple[ClockModel, list[str]]:
    """Return the clock for a table with these columns, and the CpGs that it reads and the table does not have."""
    clock, columns_of = clock.for_table(names), clock.wanted.columns_of(names)
    return clock, [name for name in clock.cpgs_read if name not in columns_of]


def too_much_is_missing(clock: ClockModel, absent: Collection[str]) -> bool:
    """Tell whether a table without these CpGs is rejected (unless --allow-missing is given)."""
    few = len(clock.cpgs_read) - len(absent) < MINIMUM_SHARE * len(clock.cpgs_read)
    weights = (clock.anchor_weight, clock.context_weight)
    return few or any(share_of(own, absent) > MOST_MISSING_WEIGHT for own in weights)


def check_columns(
    clock: ClockModel, table: MasterTable, columns_of: Mapping[str, list[str]], allow_missing: bool, needs_cpgs: bool
) -> None:
    """Reject a table with too few of the clock's CpGs, or whose RF_PCs can neither be read nor computed.

    clock : the clock for this table (`ClockModel.for_table`)
    columns_of : the table's columns of each CpG
    allow_missing : accept a table that has at least one of the CpGs
    needs_cpgs : CpGs are needed for more than the RF_PCs
    """
    absent, where = [name for name in clock.cpgs_read if name not in columns_of], table.where
    shared, context = len(clock.cpgs_read) - len(absent), share_of(clock.context_weight, absent)
    too_few = shared == 0 or (too_much_is_missing(clock, absent) and not allow_missing)
    if needs_cpgs and absent and too_few:
        raise HeteroAgeError(
            f"{where} shares {shared} of the clock's {len(clock.cpgs_read)} CpGs. Missing are "
            f"{share_of(clock.anchor_weight, absent):.0%} of the anchor's weight"
            + (f" and {context:.0%} of the weight of the computed RF_PCs" if context else "")
            + f" ({listed(absent)}). Columns are named <cpg>_<modality>, as cg00000029_beta; check names and platform. "
            "`heteroage check` lists the missing CpGs" + ("." if shared == 0 else "; --allow-missing predicts anyway.")
        )
    pcs = [name for name in clock.pc_names if name not in table.names]
    # If only some RF_PCs from a file are missing, they are imputed by training medians, like other columns.
    if clock.loadings is None and pcs and len(pcs) == len(clock.pc_names):
        raise HeteroAgeError(
            f"{where} has no RF_PC columns, and the clock needs them ({listed(pcs)}). Training read the "
            "RF_PCs from a file, so the clock has no loadings. Compute your samples' RF_PCs with the loadings of that "
            "file, and add the columns."
        )
    used = clock.loadings.features if clock.loadings else []
    gone = [name for name in used if name not in columns_of]
    if used and (len(gone) == len(used) or (context > MOST_MISSING_WEIGHT and not allow_missing)):
        raise HeteroAgeError(
            f"RF_PCs are missing in {where} ({listed(pcs)}) and cannot be computed: only {len(used) - len(gone)} of "
            f"{len(used)} CpGs are present, and {context:.0%} of their weight is missing ({listed(gone)}). Add the "
            "RF_PC columns or these CpGs."
        )


def check(clock: ClockModel, inputs: Sequence[Path], platform: Path | None) -> tuple[str, dict[str, Sequence], bool]:
    """Return a report on missing CpGs to print, the CpGs as columns, and whether prediction accepts the table."""
    if platform is not None:
        names, what = read_probes(platform, clock.wanted.modality), f"{platform} names"
    else:
        table = open_tables(inputs, clock.wanted, clock.conventions)
        names, what = table.names, f"{table.where} holds"
    clock, absent = missing_from(clock, names)
    costs, missing = stage_costs(clock, absent), missing_features(clock, absent)
    lines = [
        f"{what} {len(clock.cpgs_read) - len(absent)} of the clock's {len(clock.cpgs_read)} CpGs.",
        "",
        f"{'stage':40} {'CpGs':>7} {'missing':>8} {'of weight':>10} {'cost, years':>12}",
    ]
    for stage, cpgs, gone, weight, years in zip(*costs.values(), strict=True):
        cost = "unknown" if years != years else f"{years:.2f}"
        lines.append(f"{stage:40} {cpgs:>7} {gone:>8} {weight:>10.1%} {cost:>12}")
    if absent:
        lines += ["", f"Missing, by weight: {listed(missing['feature'])}."]
    needed = [name for name in ("Tissue", "Sex", *clock.pc_names) if name not in [*names, *clock.computed]]
    if needed and platform is None and ANCHOR not in names:
        lines.append(f"It has no column {', '.join(needed)}.")
    accepted = not too_much_is_missing(clock, absent)
    verdict = "can be predicted" if accepted else "would be rejected (--allow-missing predicts anyway)"
    return "\n".join([*lines, "", f"Samples with these CpGs {verdict}."]), missing, accepted


def stage_costs(clock: ClockModel, absent: Collection[str]) -> dict[str, list]:
    """Count the missing CpGs of each linear model, and compute their cost in years.

    clock, absent : as `missing_from` returns
    Returns columns stage, CpGs, missing, missing_weight (fraction of the absolute standardised weight) and cost_years
    (standard deviation of the missing CpGs' contribution, for an adult; NaN if unknown). The rows are the anchor, each
    expert, the computed RF_PCs, and HeteroAge (linear approximation of the fusion). The CpGs of a model include those
    of the computed RF_PCs that it uses.
    """
    lacking, rows, total, covariance = set(absent), [], {}, clock.covariance
    measured = [name for name in clock.cpgs_read if name not in lacking]
    if covariance is not None:  # years per unit of each feature, through all stages
        by_row = (ADULT_AGE + 1) * covariance.a + covariance.b
        total = {name: float(by_row[row]) for name, row in covariance.features.items()}

    def add(stage: str, n_cpgs: int, share: float, years: dict[str, float]) -> None:
        """Add a row; the cost is the standard deviation of sum over CpGs of years × value, given the measured CpGs."""
        cost = np.nan if years else 0.0
        if covariance is not None and all(name in covariance.features for name in years):
            cost = covariance.deviation(years, measured)
        rows.append((stage, n_cpgs, len(years), share, cost))

    for key, model in clock.models.items():
        shares = clock.weight_shares(model)
        own = [name for name in shares if name in lacking]
        raw, slope = clock.raw_weights(model), ADULT_AGE + 1 if key == ANCHOR else 1.0
        years = {name: slope * raw[name] for name in own}
        add(key, len(shares), sum(shares[name] for name in own), years)
    if clock.loadings is not None:
        own = [name for name in clock.loadings.features if name in lacking]
        years = dict.fromkeys(own, np.nan)  # format version 1 has no slopes of RF_PCs
        if total and clock.version > 1:
            years = {name: sum(total[pc] * x for pc, x in clock.loadings_of(name).items()) for name in own}
        add(COMPUTED, len(clock.loadings.features), share_of(clock.context_weight, own), years)
    years = {name: total.get(name, np.nan) for name in absent}
    add("HeteroAge", len(clock.cpgs_read), share_of(clock.anchor_weight, absent), years)
    titles = ("stage", "CpGs", "missing", "missing_weight", "cost_years")
    return {title: list(cells) for title, cells in zip(titles, zip(*rows, strict=True), strict=True)}


def missing_features(clock: ClockModel, absent: Collection[str]) -> dict[str, Sequence]:
    """Return the missing CpGs by weight, with their models and fraction of the weight; arguments as `stage_costs`."""
    absent = sorted(absent, key=lambda name: (-clock.anchor_weight.get(name, 0.0), name))
    stages = [";".join(key for key, _ in clock.terms.get(name, [])) for name in absent]
    share = np.array([clock.anchor_weight.get(name, 0.0) for name in absent], dtype=np.float64)
    return {"feature": absent, "stages": stages, "anchor_weight_share": share}


def check_predicted_tables(
    tables: Mapping[str, Sequence[str]],
    features: Sequence[str],
    known: Collection[str],
    conventions: Conventions,
    own: Mapping[str, Conventions] | None = None,
    needs_pcs: bool = False,
) -> list[dict[str, object]]:
    """Check the tables under `predict:`, as far as possible without a clock.

    tables : the files of each entry in the config
    features : feature names of the training data
    known : tissues of the training samples
    conventions, own : conventions of the lab's tables, and deviations of single entries
    needs_pcs : the training RF_PCs come from a file, so prediction cannot compute them

    Returns of each entry `table`, `file`, `n_samples`, `n_cpgs` (in common with the training data), `share_of_cpgs`,
    `remark`.
    Raises one HeteroAgeError that lists all entries that prediction would reject: unreadable file, no CpG in common,
    values that are not beta values, unknown codes of Sex, impossible ages, no RF_PCs.
    """
    rows, problems, wanted = [], [], Wanted(features)
    for name, paths in tables.items():
        how = conventions.updated((own or {}).get(name, Conventions()))
        try:
            valued, sheets = open_each(paths, wanted, how, f"predict.{name} ({{}})")
            found = [one.table for one in valued]
            n_cpgs = _check_features(found, wanted, features, needs_pcs)
            remarks = _check_metadata([*found, *sheets], known, how)
            for table in found:
                _check_values(table, wanted)
        except HeteroAgeError as problem:
            problems.append(str(problem))
            continue
        share = n_cpgs / len(features)
        if share < WELL_COVERED:
            remarks.insert(0, f"has {share:.0%} of the training data's CpGs")
        row = {"table": name, "file": ", ".join(paths), "n_samples": len(found[0].ids), "n_cpgs": n_cpgs}
        rows.append(row | {"share_of_cpgs": round(share, 4), "remark": "; ".join(remarks)})
    if problems:
        raise HeteroAgeError(
            f"{len(problems)} of {len(tables)} tables under predict: cannot be predicted:\n"
            + "\n".join(problems)
            + "\nCorrect them, or remove them from predict:. Nothing was trained yet."
        )
    return rows


def _check_features(tables: Sequence[Table], wanted: Wanted, features: Sequence[str], needs_pcs: bool) -> int:
    """Return the number of features in common with the training data."""
    first, names = tables[0], [name for one in tables for name in one.names]
    if not (columns := wanted.columns_of(names)):
        raise HeteroAgeError(
            f"{first.where} shares no CpG with the training data. It has {listed(first.names)}; the training data have "
            f"{listed(features)}. Check the names of the CpGs."
        )
    if needs_pcs and not any(map(is_pc, names)):
        raise HeteroAgeError(
            f"{first.where} has no RF_PC columns. Training reads the RF_PCs from a file, so the clock has no loadings. "
            "Compute these samples' RF_PCs with the loadings of that file, and add the columns, or set "
            "inputs.context_pcs: compute."
        )
    return len(columns)


def _check_metadata(found: Sequence[Table | Sheet], known: Collection[str], conventions: Conventions) -> list[str]:
    """Read Sex and Age with the functions of prediction; returns remarks on missing metadata that the fusion uses."""
    for one in found:
        for column in [name for name in ("Sex", "Age") if name in one.columns]:
            label, cells = one.columns[column]
            known_values(column, cells, label, one.ids, one.where, conventions)
    given = {name: cells for one in found for name, (_, cells) in one.columns.items()}
    remarks = [f"has no column {name}: it is taken for unknown" for name in ("Tissue", "Sex") if name not in given]
    if "Tissue" in given:
        spellings = {spelling_key(tissue) for tissue in (*known, UNKNOWN)}
        named = set(tissues(given["Tissue"], conventions))
        if new := sorted(tissue for tissue in named if spelling_key(tissue) not in spellings):
            remarks.append(f"has tissues that no training sample has ({listed(new)})")
    return remarks


def _check_values(table: Table, wanted: Wanted) -> None:
    """Check in one pass that all values are beta values, per modality: a small one may be on another scale."""
    features = {name: feature for name in table.names if (feature := wanted.feature(name))}
    places = [k for k, name in enumerate(table.names) if name in features]
    names, samples = np.array(table.names, dtype=object)[places], np.array(table.ids, dtype=object)
    modality = np.array([split_modality(features[name])[1] for name in names], dtype=object)
    checks = {m: ValueCheck(table.where) for m in sorted(set(modality))}
    for block in table.blocks(places):
        for m, check in checks.items():
            own = modality[block.features] == m
            check.convert(block.values[own], names[block.features[own]], samples[block.samples])
    for m, check in checks.items():
        check.verdict(len(samples), int((modality == m).sum()))
