"""A training set: samples, targets and sample weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class TrainingSet:
    """The samples to train on (columns of X), their targets and weights.

    weight : (samples,), at least 0; None if all are equal. Only ratios matter. A sample of weight 0 is ignored.
    """

    rows: NDArray[np.int64]
    y: NDArray[np.float64]
    weight: NDArray[np.float64] | None = None

    def normalised(self) -> TrainingSet:
        """Return the training set without samples of weight 0.

        The weights have mean 1, or are None if all are equal.
        """
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
        """Return square roots of the weights. Multiplied by them, weighted sums of squares become unweighted ones."""
        return None if self.weight is None else np.sqrt(self.weight)

    @property
    def key(self) -> tuple[bytes, bytes]:
        """Return a key that is equal for training sets with the same samples and weights."""
        return self.rows.tobytes(), b"" if self.weight is None else self.weight.tobytes()

    def scaled(self, values: NDArray) -> NDArray:
        """Return the values (samples on the last axis), multiplied by the square roots of the weights."""
        return values if self.root is None else values * self.root.astype(values.dtype)
