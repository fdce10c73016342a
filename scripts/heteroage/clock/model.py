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

COMPUTED = "RF_PCs"  # name of the model of the RF_PCs that are computed from CpGs


@dataclass(frozen=True)
class LinearModel:
    """intercept + sum over features of weight × (value - mean) / scale, with missing values at the median.

    weight : (features,), or (features, outputs)
    """

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

    def start(self, n: int) -> NDArray[np.float64]:
        """Return the totals of n samples, (n,) or (outputs, n), before any feature is added."""
        return np.full((*self.weight.shape[1:], n), self.intercept)

    def add(self, k: int, total: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        """Add feature k's term to the totals, elementwise: a sample's bits do not depend on other samples."""
        filled = np.where(np.isnan(values), self.median[k], values)
        total += np.multiply.outer(self.weight[k], (filled - self.mean[k]) / self.scale[k])


def squared_share(loadings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the squares of numbers as fractions of their sum."""
    squares = loadings**2
    return squares / (float(squares.sum()) or 1.0)


@dataclass(frozen=True)
class ClockModel:
    """The trained models and their metadata; `Clock` applies them.

    models : the linear models by their output column: first the anchor, then the experts
    computed, loadings : RF_PCs that are computed from CpGs, and their linear model, with an output for each
    version : format version of the folder (`artifacts.FORMAT_VERSION`)
    conventions : conventions of the tables to predict
    digest : SHA-256 of the manifest, which covers every file
    offset : added to each HeteroAge, if given
    """

    models: dict[str, LinearModel]
    fusion: Trees
    meta: dict
    loadings: LinearModel | None = None
    computed: Sequence[str] = ()
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
        given = set(names)
        kept = [name for name in self.computed if name not in given]
        if len(kept) == len(self.computed):
            return self
        weight = np.array([self.loading(name) for name in kept]).T.copy()
        clock = replace(self, loadings=replace(self.loadings, weight=weight) if kept else None, computed=kept)
        if clock.covariance is not None and clock.applicability is not None:
            clock = replace(clock, covariance=clock.covariance.weighted(clock.linear_weights(clock.applicability)))
        return clock

    def linear_weights(self, applicability: Applicability) -> dict[str, tuple[float, float]]:
        """Return each feature's raw weights a and b on HeteroAge, as defined in `Covariance`.

        From format version 2 on, the weight of a computed RF_PC is also added to its CpGs.
        """
        pcs, cpgs = (self.pc_names, self.cpgs_read) if self.version > 1 else ([], [])
        used = {name for model in self.models.values() for name in model.features}
        weights = {name: np.zeros(2) for name in sorted({*used, *pcs, *cpgs})}
        for key, model in self.models.items():
            slope = applicability.slopes.get(key, 0.0)
            for name, raw in zip(model.features, model.raw, strict=True):
                weights[name][0 if key == ANCHOR else 1] += slope * raw
        for name in pcs:
            weights[name][1] += applicability.slopes.get(name, 0.0)
        for name in cpgs:
            for component, loading in self.loadings_of(name).items():
                weights[name] += loading * weights[component]
        return {name: (float(a), float(b)) for name, (a, b) in weights.items()}

    def loadings_of(self, feature: str) -> dict[str, float]:
        """Return a CpG's loading on each RF_PC that the clock computes and uses."""
        own = [self.loadings.weight[k] for key, k in self.terms.get(feature, []) if key == COMPUTED]
        return {
            name: float(x) for row in own for name, x in zip(self.computed, row, strict=True) if name in self.pc_names
        }

    def loading(self, component: str) -> NDArray[np.float64]:
        """Return the loading of each feature of `loadings` on a computed RF_PC."""
        return self.loadings.weight[:, self.computed.index(component)]

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
    def linear(self) -> dict[str, LinearModel]:
        """The linear models, and that of the computed RF_PCs."""
        return self.models | ({COMPUTED: self.loadings} if self.loadings else {})

    @cached_property
    def terms(self) -> dict[str, list[tuple[str, int]]]:
        """The models of `linear` that use each feature, and its position in them."""
        found: dict[str, list[tuple[str, int]]] = {}
        for key, model in self.linear.items():
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
        return sorted({name for model in self.models.values() for name in model.features if not is_pc(name)})

    @cached_property
    def cpgs_read(self) -> list[str]:
        """The CpGs with weight, and the CpGs from which RF_PCs are computed."""
        return sorted(name for name in self.terms if not is_pc(name))

    @cached_property
    def counted(self) -> frozenset[str]:
        """The CpGs that Imputed_Fraction counts."""
        return frozenset(self.cpgs_read if self.version > 1 else self.cpgs)

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
        weight = self._by_cpg(model.features, np.abs(model.weight), squared_share)
        weight = {name: x for name, x in weight.items() if not is_pc(name)}
        total = sum(weight.values())
        return {name: x / total if total else 0.0 for name, x in weight.items()}

    def raw_weights(self, model: LinearModel) -> dict[str, float]:
        """Return a model's weights on the beta scale; weights of computed RF_PCs are added to their CpGs."""
        return self._by_cpg(model.features, model.raw, np.asarray)

    def _by_cpg(
        self, features: Sequence[str], weights: NDArray[np.float64], divided: Callable[[NDArray], NDArray]
    ) -> dict[str, float]:
        """Return weights by feature; those of computed RF_PCs are `divided` among their CpGs, by their loadings."""
        weight = dict(zip(features, weights.tolist(), strict=True))
        for name in [name for name in weight if name in self.computed]:
            own = weight.pop(name)
            for feature, part in zip(self.loadings.features, divided(self.loading(name)).tolist(), strict=True):
                weight[feature] = weight.get(feature, 0.0) + own * part
        return weight

    @cached_property
    def context_weight(self) -> dict[str, float]:
        """Return each CpG's share of the RF_PCs' squared loadings. Empty if the clock does not compute RF_PCs."""
        if self.loadings is None:
            return {}
        shares = np.mean([squared_share(self.loading(name)) for name in self.computed], axis=0)
        return dict(zip(self.loadings.features, shares.tolist(), strict=True))

    @cached_property
    def conditional(self) -> Conditional | None:
        """The factor model that imputes missing CpGs; None if they are imputed by medians."""
        known = self.covariance is not None and self.covariance.mean is not None
        return Conditional(self.covariance, self.cpgs_read) if known else None

    @cached_property
    def wanted(self) -> Wanted:
        """The columns that the clock can use."""
        return Wanted(self.cpgs_read)
