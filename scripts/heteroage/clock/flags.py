"""Flags: what to know of a sample before believing its age. Flagged samples are predicted, not dropped."""

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
    "tissue_not_in_training": "the clock has not seen this tissue",
    "sex_unknown": "no sex was given, or none that is F or M",
    "sex_not_in_training": "the clock has not seen this sex",
    "age_outside_training": "Age is below or above all training samples'",
    "prediction_outside_training": "HeteroAge is below or above all training samples' ages",
    "far_from_training": "the anchor's CpGs deviate more from the training mean than in 99 of 100 training samples",
    "mostly_imputed": "more than half of the anchor's weight, or of what the RF_PCs are computed from, was imputed",
    "values_outside_0_1": "some CpG is below 0 or above 1",
}


def flags_of(clock: ClockModel, output: Rows, sums: Sums) -> list[str]:
    """Each sample's flags in the order of MEANINGS, joined by semicolons; empty where there is nothing to say."""
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
