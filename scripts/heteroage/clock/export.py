"""The anchor as a plain table of coefficients, for other tools' linear clocks.

    transformed = intercept + sum over rows of CoefficientTraining × beta
    age in years = 21 × exp(transformed) - 1   where transformed < 0
                   21 × transformed + 20       elsewhere

This is the inverse of Horvath's transform, which clock packages provide. biolearn's linear models (index_col=0) and
methylclock's tables have exactly the columns CpGmarker and CoefficientTraining. They differ in the name of the
intercept.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from heteroage.clock.columns import ANCHOR
from heteroage.clock.output import writing
from heteroage.errors import HeteroAgeError, listed
from heteroage.probes import is_pc, split_modality

if TYPE_CHECKING:
    from heteroage.clock.model import ClockModel

INTERCEPT = {"biolearn": "intercept", "methylclock": "(Intercept)"}


def coefficients(clock: ClockModel) -> tuple[float, dict[str, float]]:
    """Return the anchor's intercept, and its coefficients on the beta scale by feature.

    Computed RF_PCs are linear in the CpGs, so their weights are added to the coefficients of the CpGs.

    Raises
    ------
    HeteroAgeError
        The anchor uses RF_PCs from a file, which cannot be converted to coefficients of CpGs.
    """
    model = clock.anchor
    intercept = float(model.intercept - (model.raw * model.mean).sum())
    weight = dict(zip(model.features, model.raw.tolist(), strict=True))
    pcs = [name for name in model.features if is_pc(name)]
    if pcs and clock.loadings is None:
        raise HeteroAgeError(
            f"the anchor uses RF_PCs from a file ({listed(pcs)}), which cannot be converted to coefficients of CpGs. "
            "Train with stage1.context_pcs: false."
        )
    for name in pcs:
        share = weight.pop(name)
        column = clock.loadings.weight[:, clock.loadings.names.index(name)]
        intercept -= share * float((column * clock.loadings.mean).sum())
        for feature, row in clock.loadings.row.items():
            weight[feature] = weight.get(feature, 0.0) + share * float(column[row])
    return intercept, weight


def export_coefficients(clock: ClockModel, out: Path, style: str) -> str:
    """Write CpGmarker and CoefficientTraining with the intercept first; returns a line to print.

    The suffix `_beta` is removed from CpG names; suffixes of other modalities are kept.
    """
    intercept, weight = coefficients(clock)
    order = sorted(weight, key=lambda name: (-abs(weight[name]), name))
    names = [name.removesuffix("_beta") for name in order]
    with writing([out]) as (writer,):
        writer.write(
            {
                "CpGmarker": [INTERCEPT[style], *names],
                "CoefficientTraining": np.array([intercept, *(weight[name] for name in order)]),
            }
        )
    others = sorted({split_modality(name)[1] or "" for name in order} - {"beta"})
    note = f" {', '.join(others)} keep their suffix; other tools will not recognise them." if others else ""
    return f"{out}: {len(order)} coefficients of {ANCHOR}, on Horvath's transformed age (see docs/apply.md).{note}"
