"""Tables that the clock is going to predict, looked at before hours are spent on training it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from heteroage.clock.columns import Wanted
from heteroage.errors import HeteroAgeError, listed
from heteroage.labels import UNKNOWN, spelling_key
from heteroage.probes import split_modality
from heteroage.tables.conventions import Conventions
from heteroage.tables.metadata import ages, check_sexes, tissues
from heteroage.tables.opening import open_table
from heteroage.tables.table import Table
from heteroage.tables.values import ValueCheck

WELL_COVERED = 0.9  # share of the training data's CpGs from which nothing is said of the rest


def check_predicted_table(
    name: str, path: str, features: Sequence[str], known: Collection[str], conventions: Conventions
) -> dict[str, object]:
    """Read a table under `predict:` as far as it can be read without a clock.

    Parameters
    ----------
    name, path : the key and the file in the config
    features : of the training data
    known : tissues of the training samples

    Returns
    -------
    `table`, `file`, `n_samples`, `n_cpgs` (of the training data's), `share_of_cpgs`, `remark` (what is worth a look)

    Raises
    ------
    HeteroAgeError
        What prediction would refuse: a file that is no table, no CpG in common, values that are no beta values,
        unexplained codes of Sex, impossible ages.
    """
    wanted = Wanted(features)
    table = open_table(path, wanted.is_cpg, conventions, where=f"predict.{name} ({path})")
    columns = wanted.columns_of(table.names)
    ids = table.ids
    if not columns:
        raise HeteroAgeError(
            f"{table.where} shares no CpG with the training data. It has {listed(table.names)}; the training data have "
            f"{listed(features)}. Are CpGs named alike?"
        )
    _check_metadata(table, ids, conventions)
    _check_values(table, ids, columns)
    share = len(columns) / len(features)
    remarks = [f"has {share:.0%} of the training data's CpGs"] if share < WELL_COVERED else []
    remarks += _metadata_remarks(table, known, conventions)
    return {
        "table": name,
        "file": path,
        "n_samples": len(ids),
        "n_cpgs": len(columns),
        "share_of_cpgs": round(share, 4),
        "remark": "; ".join(remarks),
    }


def check_predicted_tables(
    tables: Mapping[str, str],
    features: Sequence[str],
    known: Collection[str],
    conventions: Conventions,
    own: Mapping[str, Conventions] | None = None,
) -> list[dict[str, object]]:
    """Check all of them, and say in one error what is wrong with each that prediction would refuse.

    Parameters
    ----------
    conventions, own : how the lab's tables are written, and what is different in some of them
    """
    rows, problems = [], []
    for name, path in tables.items():
        try:
            written = conventions.updated((own or {}).get(name, Conventions()))
            rows.append(check_predicted_table(name, path, features, known, written))
        except HeteroAgeError as problem:
            problems.append(str(problem))
    if problems:
        raise HeteroAgeError(
            f"{len(problems)} of {len(tables)} tables under predict: cannot be predicted:\n"
            + "\n".join(problems)
            + "\nCorrect them, or take them out of predict:; nothing was trained yet."
        )
    return rows


def _check_values(table: Table, ids: Sequence[str], columns: Mapping[str, Sequence[str]]) -> None:
    """Go through the values once, and refuse those that are no beta values, modality by modality."""
    modality_of = {name: split_modality(feature)[1] for feature, own in columns.items() for name in own}
    places = [k for k, name in enumerate(table.names) if name in modality_of]
    names = np.array([table.names[k] for k in places], dtype=object)
    modality = np.array([modality_of[name] for name in names], dtype=object)
    checks = {m: ValueCheck(table.where) for m in sorted(set(modality))}
    samples = np.array(ids, dtype=object)
    for block in table.blocks(places):
        for m, check in checks.items():
            own = modality[block.features] == m
            check.convert(block.values[own], names[block.features[own]], samples[block.samples])
    for m, check in checks.items():
        check.verdict(len(ids), int((modality == m).sum()))


def _check_metadata(table: Table, ids: Sequence[str], conventions: Conventions) -> None:
    """Refuse codes of Sex and ages that prediction cannot read, by the functions that it reads them with."""
    if "Sex" in table.metadata:
        check_sexes(table.texts([table.metadata["Sex"]])[0], table.where, conventions)
    if "Age" in table.metadata:
        place = table.metadata["Age"]
        ages(table.texts([place])[0], table.names[place], ids, table.where, conventions)


def _metadata_remarks(table: Table, known: Collection[str], conventions: Conventions) -> list[str]:
    """What is missing of the metadata that the fusion looks at."""
    remarks = [
        f"has no column {name}: it is taken for unknown" for name in ("Tissue", "Sex") if name not in table.metadata
    ]
    if "Tissue" in table.metadata:
        found = set(tissues(table.texts([table.metadata["Tissue"]])[0], conventions))
        spellings = {spelling_key(tissue) for tissue in known}
        new = sorted(tissue for tissue in found - {UNKNOWN} if spelling_key(tissue) not in spellings)
        if new:
            remarks.append(f"has tissues that no training sample has ({listed(new)})")
    return remarks
