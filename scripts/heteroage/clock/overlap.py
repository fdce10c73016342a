"""Check that a table contains enough of the clock's CpGs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import fsum
from typing import TYPE_CHECKING

from heteroage.clock.master_table import Table
from heteroage.errors import HeteroAgeError, listed

if TYPE_CHECKING:
    from heteroage.clock.model import ClockModel

# A table that shares fewer of the clock's CpGs is of another platform, or its columns are misnamed.
MINIMUM_SHARE = 0.1
# A sample with more than this fraction of the weight missing is predicted from little.
MOST_MISSING_WEIGHT = 0.5


def missing_weight(clock: ClockModel, absent: Collection[str]) -> float:
    """Return the fraction of the anchor's absolute standardised weight on the absent CpGs."""
    return fsum(clock.anchor_weight.get(name, 0.0) for name in absent)


def missing_context(clock: ClockModel, absent: Collection[str]) -> float:
    """Return the fraction of the computed RF_PCs' squared loadings on the absent CpGs."""
    return fsum(clock.context_weight.get(name, 0.0) for name in absent)


def too_much_is_missing(clock: ClockModel, absent: Collection[str]) -> bool:
    """Tell whether a table without these CpGs is rejected (unless --allow-missing is given)."""
    weight = max(missing_weight(clock, absent), missing_context(clock, absent))
    return _few(clock, absent) or weight > MOST_MISSING_WEIGHT


def check_cpgs(clock: ClockModel, columns_of: Mapping[str, list[str]], where: str, allow_missing: bool) -> None:
    """Reject a table with too few of the clock's CpGs. With `allow_missing`, reject it only if it has none.

    Parameters
    ----------
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


def check_pcs(clock: ClockModel, table: Table, columns_of: Mapping[str, list[str]], allow_missing: bool) -> None:
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


def _few(clock: ClockModel, absent: Collection[str]) -> bool:
    return len(clock.cpgs_read) - len(absent) < MINIMUM_SHARE * len(clock.cpgs_read)
