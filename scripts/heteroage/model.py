"""A trained clock's parts, and where each feature stands in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from heteroage.applicability import Applicability, Covariance
from heteroage.columns import Wanted
from heteroage.probes import is_pc, pc_number
from heteroage.trees import Trees
from heteroage.weights import LinearModel


@dataclass(frozen=True)
class Loadings:
    """Context components: sum over features of (value - mean) × loading, missing values at the median."""

    names: list[str]
    row: dict[str, int]
    median: NDArray[np.float64]
    mean: NDArray[np.float64]
    weight: NDArray[np.float64]

    def add(self, feature: str, components: Mapping[str, NDArray[np.float64]], values: NDArray[np.float64]) -> None:
        """Add a feature's term to the samples' components."""
        k = self.row[feature]
        centred = np.where(np.isnan(values), self.median[k], values) - self.mean[k]
        for j, name in enumerate(self.names):
            components[name] += centred * self.weight[k, j]


@dataclass(frozen=True)
class ClockModel:
    """What was trained; `Clock` applies it."""

    anchor: LinearModel
    experts: dict[str, LinearModel]
    fusion: Trees
    meta: dict
    loadings: Loadings | None = None
    applicability: Applicability | None = None
    covariance: Covariance | None = None

    @cached_property
    def models(self) -> dict[str | None, LinearModel]:
        """The linear models; the anchor's key is None."""
        return {None: self.anchor, **self.experts}

    @cached_property
    def terms(self) -> dict[str, list[tuple[str | None, int]]]:
        """Where each feature stands: the models, and its place in them."""
        found: dict[str, list[tuple[str | None, int]]] = {}
        for key, model in self.models.items():
            for k, feature in enumerate(model.features):
                found.setdefault(feature, []).append((key, k))
        return found

    @cached_property
    def pc_names(self) -> list[str]:
        """The RF_PCs that the clock looks at."""
        return sorted(filter(is_pc, self.meta["feature_order"]), key=pc_number)

    @cached_property
    def cpgs(self) -> list[str]:
        """All CpG features that have weight in Stage 1 or 2, sorted."""
        return sorted(name for name in self.terms if not is_pc(name))

    @cached_property
    def weighted(self) -> frozenset[str]:
        """The same, to look up."""
        return frozenset(self.cpgs)

    @cached_property
    def cpgs_read(self) -> list[str]:
        """Those, and the ones that the context components are computed from."""
        return sorted(self.weighted | set(self.loadings.row if self.loadings else []))

    @cached_property
    def anchor_place(self) -> dict[str, int]:
        """Where a CpG stands in the anchor."""
        return {name: k for k, name in enumerate(self.anchor.features) if not is_pc(name)}

    @cached_property
    def anchor_weight(self) -> dict[str, float]:
        """Each of the anchor's CpGs' share of its absolute standardised weight."""
        total = sum(abs(self.anchor.weight[k]) for k in self.anchor_place.values())
        return {name: abs(self.anchor.weight[k]) / total if total else 0.0 for name, k in self.anchor_place.items()}

    @cached_property
    def wanted(self) -> Wanted:
        """The columns that may be used."""
        return Wanted(self.cpgs_read)
