"""Flags: warnings about the predicted age of a sample. Flagged samples are predicted, not dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heteroage.labels import UNKNOWN

if TYPE_CHECKING:
    from heteroage.clock.model import ClockModel
    from heteroage.clock.source import Rows
    from heteroage.clock.sums import Sums

MEANINGS = {
    "no_cpg_measured": "the sample has none of the clock's CpGs: no age is predicted",
    "tissue_unknown": "no tissue was given",
    "tissue_not_in_training": "the training samples do not include this tissue",
    "sex_unknown": "sex is not given, or is not F or M",
    "sex_not_in_training": "the training samples do not include this sex",
    "age_outside_training": "Age is outside the age range of the training samples",
    "prediction_outside_training": "HeteroAge is outside the age range of the training samples ages",
    "far_from_training": "the anchor's CpGs deviate more from the training mean than in 99 of 100 training samples",
    "mostly_imputed": "more than half of the anchor's weight, or of the RF_PCs' CpGs (by squared loading), was imputed",
    "values_outside_0_1": "at least one CpG is below 0 or above 1",
}


def flags_of(clock: ClockModel, output: Rows, sums: Sums) -> list[str]:
    """Return the flags of each sample in the order of MEANINGS, joined by semicolons; empty if there are none."""
    raised: dict[str, NDArray[np.bool_]] = {}
    for name in ("Tissue", "Sex"):
        label = np.array(output[name], dtype=object)
        known = np.isin(label, clock.meta["categories"].get(name, []))
        raised[f"{name.lower()}_unknown"] = label == UNKNOWN
        raised[f"{name.lower()}_not_in_training"] = ~known & (label != UNKNOWN)
    limits = clock.applicability
    if limits is not None:
        with np.errstate(invalid="ignore"):
            for flag, name in (("age_outside_training", "Age"), ("prediction_outside_training", "HeteroAge")):
                if name in output:
                    raised[flag] = (output[name] < limits.youngest) | (output[name] > limits.oldest)
            distance = np.sqrt(sums.distance / np.maximum(sums.measured, 1))
            raised["far_from_training"] = distance > limits.distance_limit
    raised["no_cpg_measured"] = sums.empty
    raised["mostly_imputed"] = sums.mostly_imputed
    raised["values_outside_0_1"] = sums.outside
    found: list[list[str]] = [[] for _ in sums.part.ids]
    for flag in MEANINGS:
        for k in np.flatnonzero(raised.get(flag, False)):
            found[k].append(flag)
    return [";".join(own) for own in found]
