"""The parts of a trained clock, and the position of each feature in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from heteroage.clock.artifacts import ANCHOR, INTERCEPT, WEIGHTS
from heteroage.clock.cohort import Applicability, Offset, StudyErrors
from heteroage.clock.imputation import Conditional, Covariance
from heteroage.clock.master_table import Wanted
from heteroage.clock.trees import Trees
from heteroage.errors import HeteroAgeError, listed
from heteroage.probes import is_pc, pc_number
from heteroage.tables.metadata import Conventions


@dataclass(frozen=True)
class LinearModel:
    """intercept + sum over features of weight × (value - mean) / scale, with missing values at the median."""

    intercept: float
    features: list[str]
    weight: NDArray[np.float64]
    median: NDArray[np.float64]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def from_table(cls, table: Mapping[str, ArrayLike], where: str) -> LinearModel:
        """Parse and validate a weights table: a frame, or columns by name."""
        if absent := [column for column in WEIGHTS if column not in table]:
            raise HeteroAgeError(f"{where} is not a weights table: columns are missing ({listed(absent)}).")
        first, *features = [str(name) for name in np.asarray(table["feature"])] or [""]
        if first != INTERCEPT or len(set(features)) < len(features):
            raise HeteroAgeError(f"{where} must start with the row {INTERCEPT} and contain each feature once.")
        numbers = np.array([np.asarray(table[column], dtype=np.float64) for column in WEIGHTS[1:]])
        weight, _, median, mean, scale = numbers[:, 1:]
        if not (np.isfinite(numbers[:, 1:]).all() and np.isfinite(numbers[0, 0]) and (scale > 0).all()):
            raise HeteroAgeError(
                f"{where} contains weights that are not finite numbers, or a scale that is not positive."
            )
        return cls(float(numbers[0, 0]), features, weight, median, mean, scale)

    @property
    def raw(self) -> NDArray[np.float64]:
        """Weights on the raw scale of the features."""
        return self.weight / self.scale

    def add(self, k: int, total: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        """Add feature k's term to the totals, elementwise: a sample's bits do not depend on other samples."""
        filled = np.where(np.isnan(values), self.median[k], values)
        total += self.weight[k] * ((filled - self.mean[k]) / self.scale[k])


@dataclass(frozen=True)
class Loadings:
    """RF_PCs computed from CpGs: sum over features of (value - mean) × loading, missing values at the median."""

    names: list[str]
    row: dict[str, int]
    median: NDArray[np.float64]
    mean: NDArray[np.float64]
    weight: NDArray[np.float64]

    def add(self, feature: str, components: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        """Add the term of one feature to the components (components, samples)."""
        k = self.row[feature]
        components += np.outer(self.weight[k], np.where(np.isnan(values), self.median[k], values) - self.mean[k])

    def column(self, component: str) -> NDArray[np.float64]:
        """Each feature's loading on a component."""
        return self.weight[:, self.names.index(component)]

    def share(self, component: str) -> NDArray[np.float64]:
        """Each feature's squared loading on a component, as a fraction of their sum."""
        squares = self.column(component) ** 2
        return squares / (float(squares.sum()) or 1.0)


@dataclass(frozen=True)
class ClockModel:
    """The trained models and their metadata; `Clock` applies them.

    models : the linear models by their output column: first the anchor, then the experts
    version : format version of the folder (`artifacts.FORMAT_VERSION`)
    conventions : conventions of the tables to predict
    digest : SHA-256 of the manifest, which covers every file
    offset : added to each HeteroAge, if given
    """

    models: dict[str, LinearModel]
    fusion: Trees
    meta: dict
    loadings: Loadings | None = None
    applicability: Applicability | None = None
    covariance: Covariance | None = None
    version: int = 1
    conventions: Conventions = field(default_factory=Conventions)
    digest: str = ""
    offset: Offset | None = None

    def with_offset(self, offset: Offset | str | Path) -> Self:
        """Return a clock that adds an offset (an object, or a file of `heteroage calibrate`) to each HeteroAge.

        Raises HeteroAgeError: the file is not an offset, or was made with another clock.
        """
        known = offset if isinstance(offset, Offset) else Offset.read(offset)
        if known.clock != self.digest:
            name = "the offset" if offset is known else str(offset)
            raise HeteroAgeError(
                f"{name} was made with another clock (digest {known.clock[:16]}, this one's is {self.digest[:16]}). "
                "Calibrate this clock with `heteroage calibrate`."
            )
        return replace(self, offset=known)

    @property
    def studies(self) -> StudyErrors | None:
        """Errors of the studies held out in training; None if the folder does not contain them."""
        return self.applicability.studies if self.applicability else None

    def for_our_tables(self) -> Self:
        """Return the clock with the conventions of this software's own tables (standard columns, F and M, years)."""
        known = self.conventions
        return replace(self, conventions=Conventions(allow_prenatal=known.allow_prenatal, tissues=known.tissues))

    def for_table(self, names: Iterable[str]) -> Self:
        """Return the clock for a table with these columns. RF_PCs in the table are not computed from CpGs."""
        computed = self.loadings.names if self.loadings else []
        kept = [name for name in computed if name not in set(names)]
        if kept == computed:
            return self
        weight = np.ascontiguousarray(self.loadings.weight[:, [computed.index(name) for name in kept]])
        clock = replace(self, loadings=replace(self.loadings, names=kept, weight=weight) if kept else None)
        if clock.covariance is not None and clock.applicability is not None:
            clock = replace(clock, covariance=clock.covariance.weighted(clock.linear_weights(clock.applicability)))
        return clock

    def linear_weights(self, applicability: Applicability) -> dict[str, tuple[float, float]]:
        """Return each feature's raw weights a and b on HeteroAge, as defined in `Covariance`.

        From format version 2 on, the weight of a computed RF_PC is also added to its CpGs.
        """
        pcs = self.pc_names if self.version > 1 else []
        weights = {name: np.zeros(2) for name in sorted({*self.terms, *pcs})}
        for key, model in self.models.items():
            slope = applicability.slopes.get(key, 0.0)
            for name, raw in zip(model.features, model.raw, strict=True):
                weights[name][0 if key == ANCHOR else 1] += slope * raw
        for name in pcs:
            weights[name][1] += applicability.slopes.get(name, 0.0)
        for name in self.cpgs_read if self.version > 1 else []:
            own = weights.setdefault(name, np.zeros(2))
            for component, loading in self.loadings_of(name).items():
                own += loading * weights[component]
        return {name: (float(a), float(b)) for name, (a, b) in weights.items()}

    def loadings_of(self, feature: str) -> dict[str, float]:
        """Return a CpG's loading on each RF_PC that the clock computes and uses."""
        if self.loadings is None or feature not in self.loadings.row:
            return {}
        row = self.loadings.weight[self.loadings.row[feature]]
        return {name: float(x) for name, x in zip(self.loadings.names, row, strict=True) if name in self.pc_names}

    def encoded(self, name: str, values: Iterable) -> NDArray[np.float64]:
        """Return a feature of the fusion as numbers: a category as the code of its level, NaN for unknown levels."""
        if (levels := self.meta["categories"].get(name)) is None:
            return values
        code = {level: float(k) for k, level in enumerate(levels)}
        return np.array([code.get(level, np.nan) for level in values])

    @property
    def anchor(self) -> LinearModel:
        """The Stage 1 model."""
        return self.models[ANCHOR]

    @property
    def corrections(self) -> list[str]:
        """The output columns of the experts."""
        return [name for name in self.models if name != ANCHOR]

    @cached_property
    def terms(self) -> dict[str, list[tuple[str, int]]]:
        """The models that use each feature, and its position in them."""
        found: dict[str, list[tuple[str, int]]] = {}
        for key, model in self.models.items():
            for k, feature in enumerate(model.features):
                found.setdefault(feature, []).append((key, k))
        return found

    @cached_property
    def pc_names(self) -> list[str]:
        """The RF_PCs that the clock uses."""
        return sorted(filter(is_pc, self.meta["feature_order"]), key=pc_number)

    @cached_property
    def cpgs(self) -> list[str]:
        """All CpG features with a nonzero weight in Stage 1 or 2, sorted."""
        return sorted(name for name in self.terms if not is_pc(name))

    @cached_property
    def cpgs_read(self) -> list[str]:
        """The CpGs with weight, and the CpGs from which RF_PCs are computed."""
        return sorted({*self.cpgs, *(self.loadings.row if self.loadings else [])})

    @cached_property
    def anchor_place(self) -> dict[str, int]:
        """Position of each CpG in the anchor."""
        return {name: k for k, name in enumerate(self.anchor.features) if not is_pc(name)}

    @cached_property
    def anchor_weight(self) -> dict[str, float]:
        """Each CpG's fraction of the anchor's absolute standardised weight (see `weight_shares`)."""
        return self.weight_shares(self.anchor)

    def weight_shares(self, model: LinearModel) -> dict[str, float]:
        """Return each CpG's fraction of a model's absolute standardised weight.

        The weight of a computed RF_PC is divided among its CpGs in proportion to their squared loadings. RF_PCs in the
        table are ignored.
        """
        weight = self._by_cpg(model.features, np.abs(model.weight), Loadings.share)
        weight = {name: x for name, x in weight.items() if not is_pc(name)}
        total = sum(weight.values())
        return {name: x / total if total else 0.0 for name, x in weight.items()}

    def raw_weights(self, model: LinearModel) -> dict[str, float]:
        """Return a model's weights on the beta scale; weights of computed RF_PCs are added to their CpGs."""
        return self._by_cpg(model.features, model.raw, Loadings.column)

    def _by_cpg(
        self, features: Sequence[str], weights: NDArray[np.float64], divided: Callable[[Loadings, str], NDArray]
    ) -> dict[str, float]:
        """Return weights by feature; those of computed RF_PCs are `divided` among their CpGs."""
        weight = dict(zip(features, weights.tolist(), strict=True))
        for name in [name for name in weight if self.loadings is not None and name in self.loadings.names]:
            own = weight.pop(name)
            for feature, part in zip(self.loadings.row, divided(self.loadings, name).tolist(), strict=True):
                weight[feature] = weight.get(feature, 0.0) + own * part
        return weight

    @cached_property
    def context_weight(self) -> dict[str, float]:
        """Return each CpG's share of the RF_PCs' squared loadings. Empty if the clock does not compute RF_PCs."""
        if self.loadings is None:
            return {}
        shares = np.mean([self.loadings.share(name) for name in self.loadings.names], axis=0)
        return dict(zip(self.loadings.row, shares.tolist(), strict=True))

    @cached_property
    def conditional(self) -> Conditional | None:
        """The factor model that imputes missing CpGs; None if they are imputed by medians."""
        known = self.covariance is not None and self.covariance.mean is not None
        return Conditional(self.covariance, self.cpgs_read) if known else None

    @cached_property
    def wanted(self) -> Wanted:
        """The columns that the clock can use."""
        return Wanted(self.cpgs_read)
