"""A training set: samples, targets, and how much each sample counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TrainingSet:
    """The samples to train on (columns of X), their targets and weights.

    weight : (samples,), at least 0; None where all count alike. Only ratios matter, and a weight of 0 is the
        sample's absence.
    """

    rows: NDArray[np.int64]
    y: NDArray[np.float64]
    weight: NDArray[np.float64] | None = None

    def normalised(self) -> TrainingSet:
        """The same training set without samples of weight 0, with weights of mean 1, or None where all are equal."""
        if self.weight is None:
            return self
        counts = self.weight > 0
        weight = self.weight[counts] / self.weight[counts].mean()
        equal = np.ptp(weight) == 0 if len(weight) else True
        return TrainingSet(self.rows[counts], self.y[counts], None if equal else weight)

    @cached_property
    def mean(self) -> float:
        """Weighted mean of the targets."""
        return float(np.average(self.y, weights=self.weight))

    @cached_property
    def root(self) -> NDArray[np.float64] | None:
        """Square roots of the weights: rows multiplied by them turn weighted sums of squares into plain ones."""
        return None if self.weight is None else np.sqrt(self.weight)

    @property
    def key(self) -> tuple[bytes, bytes]:
        """Equal for training sets of the same samples and weights."""
        return self.rows.tobytes(), b"" if self.weight is None else self.weight.tobytes()

    def scaled(self, values: NDArray) -> NDArray:
        """Values by sample (last axis), multiplied by the roots of the weights."""
        return values if self.root is None else values * self.root.astype(values.dtype)
