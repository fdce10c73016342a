"""Starting the anchor from a published clock: the anchor is fitted to the residual of that clock.

The anchor fits F(age) - strength x score, where the score is the published weighted sum of CpGs on the scale of F. The
sum of two linear models is linear, so weights, Pipeline and export contain the sum. The intercept is always fitted.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.age import ADULT_AGE
from heteroage.errors import HeteroAgeError, listed
from heteroage.files import sha256_of
from heteroage.stages.training_data import TrainingData

log = logging.getLogger(__name__)

MOST_MISSING_VALUES = 0.1  # largest accepted fraction of missing values of the published CpGs in a study
# Slope of the published sum on the scale of F, by transform.
SLOPES = {"horvath": 1.0, "identity": 1 / (ADULT_AGE + 1)}


@dataclass(frozen=True)
class Start:
    """A published clock on a run's training samples, or a multiple of it; only the CpGs that the data have.

    places : rows of X, one per CpG
    coefficient : of raw values, on the scale of F
    values : (CpGs, the run's samples)
    """

    places: NDArray[np.int64]
    coefficient: NDArray[np.float64]
    values: NDArray[np.float32]

    def times(self, strength: float) -> Start:
        """Multiply the coefficients by the strength."""
        return replace(self, coefficient=strength * self.coefficient)

    def score(self, values: NDArray, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Weighted sum of each sample; missing values at the median of the training samples.

        values : (CpGs, samples), NaN where missing
        rows : positions of the training samples; a CpG that is missing in all of them counts 0
        """
        total = np.zeros(values.shape[1])
        for coefficient, own in zip(self.coefficient, values, strict=True):
            known = own[rows][~np.isnan(own[rows])].astype(np.float64)
            if len(known):
                total += coefficient * np.where(np.isnan(own), np.median(known), own)
        return total


def open_start(start_from: Mapping[str, object] | None, data: TrainingData) -> Start | None:
    """Read the published clock of `stage1.start_from` and check it against the training samples.

    Raises HeteroAgeError: errors of `read_coefficients`; no CpG in common; studies with more than a tenth of its CpGs'
    values missing.
    """
    if not start_from:
        return None
    where = f"stage1.start_from.coefficients, {start_from['coefficients']},"
    # An import statement would make the reading of all tables code of every training, with or without a published
    # clock. The rules that read one have the parameter `reader` instead.
    clock = import_module("heteroage.clock.published").read_coefficients(str(start_from["coefficients"]), where)
    place = {name: k for k, name in enumerate(data.feature_names)}
    shared = [k for k, name in enumerate(clock.features) if name in place]
    if not shared:
        raise HeteroAgeError(
            f"{where} shares no CpG with the data (its CpGs are {listed(clock.features)}). "
            "Published clocks are read as beta values; check inputs.beta."
        )
    names = [clock.features[k] for k in shared]
    values, projects = data.values(names), data.samples["project_id"].to_numpy()
    missing, absent = np.isnan(values), len(clock.features) - len(names)
    share = (missing.sum(axis=0) + absent) / len(clock.features)
    by_study = pd.Series(share).groupby(projects).mean()
    worst = by_study[by_study > MOST_MISSING_VALUES].sort_values(ascending=False)
    if len(worst):
        raise HeteroAgeError(
            f"{where} has CpGs that are missing in some studies. Of its {len(clock.features)} CpGs, the data have no "
            f"column for {absent}. Studies with more than {MOST_MISSING_VALUES:.0%} missing: "
            f"{listed(f'{name} {share:.0%}' for name, share in worst.items())}. Leave these studies out, or remove "
            "stage1.start_from."
        )
    often = pd.DataFrame(missing.T).groupby(projects).mean().max()
    poor = [name for name, most in zip(names, often, strict=True) if most > MOST_MISSING_VALUES]
    if absent:
        log.warning("start_from: %d of %d CpGs are not in the data and count 0", absent, len(clock.features))
    if poor:
        log.warning("start_from: CpGs missing in more than a tenth of a study's samples: %s", listed(poor))
    slope = SLOPES[str(start_from.get("transform", "horvath"))]
    places = np.array([place[name] for name in names])
    return Start(places, slope * clock.coefficient[shared], values)


def describe_start(start_from: Mapping[str, object] | None, strength: float, projects: Sequence[str]) -> list[str]:
    """Describe the published clock and its effect on the errors, for summary, model card and report."""
    if not start_from:
        return []
    path = str(start_from["coefficients"])
    told = [f"{key} {start_from[key]}" for key in ("source", "licence") if start_from.get(key)]
    details = "; ".join([f"SHA-256 {sha256_of(path)[:16]}", *told])
    name = path.replace("\\", "/").split("/")[-1]
    sentences = [
        f"The anchor could start from the published clock {name} ({details}); the folds chose strength {strength:g}."
    ]
    seen = sorted(set(map(str, start_from.get("trained_on") or [])) & set(map(str, projects)))
    if seen and strength > 0:
        sentences.append(
            f"That clock was trained on studies that are among these ({listed(seen)}): out-of-fold and nested errors "
            "are probably too small."
        )
    elif strength > 0 and not start_from.get("trained_on"):
        sentences.append(
            "The config does not say what that clock was trained on (stage1.start_from.trained_on). If any of these "
            "studies is among it, out-of-fold and nested errors are probably too small."
        )
    return sentences
