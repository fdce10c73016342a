"""Check of the tables to predict, before training starts."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from heteroage.clock.master_table import Wanted, open_each
from heteroage.errors import HeteroAgeError, listed
from heteroage.labels import UNKNOWN, spelling_key
from heteroage.probes import is_pc, split_modality
from heteroage.tables.metadata import Conventions, ages, check_sexes, tissues
from heteroage.tables.opening import Sheet
from heteroage.tables.table import Table
from heteroage.tables.values import ValueCheck

WELL_COVERED = 0.9  # tables with a smaller fraction of the training data's CpGs get a remark


def check_predicted_table(
    name: str,
    paths: Sequence[str],
    features: Sequence[str],
    known: Collection[str],
    conventions: Conventions,
    needs_pcs: bool = False,
) -> dict[str, object]:
    """Check the tables of one entry under `predict:`, as far as possible without a clock.

    name, paths : the key and the files in the config
    features : feature names of the training data
    known : tissues of the training samples
    needs_pcs : the training RF_PCs come from a file, so prediction cannot compute them

    Returns `table`, `file`, `n_samples`, `n_cpgs` (in common with the training data), `share_of_cpgs`, `remark`.
    Raises HeteroAgeError if prediction would reject the table: unreadable file, no CpG in common, values that are not
    beta values, unknown codes of Sex, impossible ages, no RF_PCs.
    """
    wanted = Wanted(features)
    tables, sheets = open_each(paths, wanted, conventions, f"predict.{name} ({{}})")
    columns = wanted.columns_of(column for one in tables for column in one.table.names)
    first = tables[0].table
    if not columns:
        raise HeteroAgeError(
            f"{first.where} shares no CpG with the training data. It has {listed(first.names)}; the training data have "
            f"{listed(features)}. Check the names of the CpGs."
        )
    if needs_pcs and not any(is_pc(column) for one in tables for column in one.table.names):
        raise HeteroAgeError(
            f"{first.where} has no RF_PC columns. The RF_PCs of the training samples come from a file: project these "
            "samples with the same loadings and add the columns, or set inputs.context_pcs: compute."
        )
    found = [*(one.table for one in tables), *sheets]
    for one in found:  # Sex and Age are read by the functions of prediction
        where, ids, own = one.where, one.ids, one.columns
        if "Sex" in own:
            check_sexes(own["Sex"][1], where, conventions)
        if "Age" in own:
            ages(own["Age"][1], own["Age"][0], ids, where, conventions)
    for one in tables:
        _check_values(one.table, wanted.columns_of(one.table.names))
    share = len(columns) / len(features)
    remarks = [f"has {share:.0%} of the training data's CpGs"] if share < WELL_COVERED else []
    remarks += _metadata_remarks(found, known, conventions)
    return {
        "table": name,
        "file": ", ".join(paths),
        "n_samples": len(first.ids),
        "n_cpgs": len(columns),
        "share_of_cpgs": round(share, 4),
        "remark": "; ".join(remarks),
    }


def check_predicted_tables(
    tables: Mapping[str, Sequence[str]],
    features: Sequence[str],
    known: Collection[str],
    conventions: Conventions,
    own: Mapping[str, Conventions] | None = None,
    needs_pcs: bool = False,
) -> list[dict[str, object]]:
    """Check all tables to predict; raises one error that lists all rejected tables with the reasons.

    conventions, own : conventions of the lab's tables, and deviations of single tables
    """
    rows, problems = [], []
    for name, paths in tables.items():
        try:
            written = conventions.updated((own or {}).get(name, Conventions()))
            rows.append(check_predicted_table(name, paths, features, known, written, needs_pcs))
        except HeteroAgeError as problem:
            problems.append(str(problem))
    if problems:
        raise HeteroAgeError(
            f"{len(problems)} of {len(tables)} tables under predict: cannot be predicted:\n"
            + "\n".join(problems)
            + "\nCorrect them, or remove them from predict:. Nothing was trained yet."
        )
    return rows


def _check_values(table: Table, columns: Mapping[str, Sequence[str]]) -> None:
    """Check in one pass that all values are beta values, per modality."""
    modality_of = {name: split_modality(feature)[1] for feature, own in columns.items() for name in own}
    places = [k for k, name in enumerate(table.names) if name in modality_of]
    names = np.array([table.names[k] for k in places], dtype=object)
    modality = np.array([modality_of[name] for name in names], dtype=object)
    checks = {m: ValueCheck(table.where) for m in sorted(set(modality))}
    samples = np.array(table.ids, dtype=object)
    for block in table.blocks(places):
        for m, check in checks.items():
            own = modality[block.features] == m
            check.convert(block.values[own], names[block.features[own]], samples[block.samples])
    for m, check in checks.items():
        check.verdict(len(samples), int((modality == m).sum()))


def _metadata_remarks(found: Sequence[Table | Sheet], known: Collection[str], conventions: Conventions) -> list[str]:
    """Describe missing metadata that the fusion uses."""
    cells = {name: cells for one in found for name, (_, cells) in one.columns.items()}
    remarks = [f"has no column {name}: it is taken for unknown" for name in ("Tissue", "Sex") if name not in cells]
    if "Tissue" in cells:
        spellings = {spelling_key(tissue) for tissue in known}
        given = set(tissues(cells["Tissue"], conventions)) - {UNKNOWN}
        new = sorted(tissue for tissue in given if spelling_key(tissue) not in spellings)
        if new:
            remarks.append(f"has tissues that no training sample has ({listed(new)})")
    return remarks
