"""Whether a table holds enough of what a clock looks at."""

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
# What lacks more than this share of the anchor's absolute weight is predicted from little.
MOST_MISSING_WEIGHT = 0.5


def missing_weight(clock: ClockModel, absent: Collection[str]) -> float:
    """The share of the anchor's absolute standardised weight that absent CpGs have."""
    return fsum(clock.anchor_weight.get(name, 0.0) for name in absent)


def too_much_is_missing(clock: ClockModel, absent: Collection[str]) -> bool:
    """Whether a table without these of the clock's CpGs is refused, unless somebody insists."""
    shared = len(clock.cpgs) - len(absent)
    return shared < MINIMUM_SHARE * len(clock.cpgs) or missing_weight(clock, absent) > MOST_MISSING_WEIGHT


def check_cpgs(clock: ClockModel, columns_of: Mapping[str, list[str]], where: str, allow_missing: bool) -> None:
    """Refuse a table with too few of the clock's CpGs; one with none of them always."""
    absent = [name for name in clock.cpgs if name not in columns_of]
    shared = len(clock.cpgs) - len(absent)
    if absent and (shared == 0 or (too_much_is_missing(clock, absent) and not allow_missing)):
        raise HeteroAgeError(
            f"{where} shares {shared} of the clock's {len(clock.cpgs)} CpGs, and lacks "
            f"{missing_weight(clock, absent):.0%} of the anchor's weight; it lacks {listed(absent)}. Columns are named "
            "<cpg>_<modality>, as cg00000029_beta; check names and platform. `heteroage check` says what is missing"
            + ("." if shared == 0 else "; --allow-missing predicts all the same.")
        )


def check_pcs(clock: ClockModel, table: Table, columns_of: Mapping[str, list[str]]) -> None:
    """Refuse a table whose RF_PCs can neither be read nor computed."""
    absent = [name for name in clock.pc_names if name not in table.names]
    if clock.loadings is None:
        # Some but not all: the rest takes its training median, as any other missing column does.
        if absent and len(absent) == len(clock.pc_names):
            raise HeteroAgeError(
                f"the clock needs RF_PC columns that {table.where} lacks ({listed(absent)}). They came from a file "
                "in training: project your samples with the same loadings and add the columns."
            )
    elif absent:
        known = [name for name in clock.loadings.row if name in columns_of]
        if len(known) < MINIMUM_SHARE * len(clock.loadings.row):
            raise HeteroAgeError(
                f"{table.where} has neither the columns ({listed(absent)}) nor the CpGs to compute them from: "
                f"{len(known)} of {len(clock.loadings.row)}. Add either."
            )
