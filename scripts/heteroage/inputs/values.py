"""Beta values, and what is taken for them: M-values, percent, infinities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from heteroage.errors import FIRST, HeteroAgeError

BETA, PERCENT, M_VALUES = "beta", "percent", "m_values"
# Normalised betas stray a little beyond 0 and 1. If more than this share strays far, they are something else.
FAR_BELOW, FAR_ABOVE, SHARE = -0.2, 1.2, 0.01


class ValueCheck:
    """Looks at a table's values as they go by, and tells at the end whether they are what they are said to be."""

    def __init__(self, where: str, stated: str, cpgs: Sequence[str], samples: Sequence[str]) -> None:
        self.where, self.stated, self._cpgs, self._samples = where, stated, cpgs, samples
        self.n = self.missing = self.below = self.above = 0
        self._far_below = self._far_above = self._infinite = 0
        self._highest = -np.inf
        self._cells: list[tuple[int, int]] = []

    def convert(self, values: NDArray[np.float32], cpgs: NDArray[np.int64], samples: slice) -> NDArray[np.float32]:
        """Count what is in a block (CpGs, samples), given its places in the table; return it as beta values."""
        self._look(values, cpgs, samples.start)
        if self.stated == PERCENT:
            values = (values.astype(np.float64) / 100).astype(np.float32)
        elif self.stated == M_VALUES:
            # Du et al. 2010, BMC Bioinformatics 11:587: beta = 2^M / (2^M + 1).
            values = (1 / (1 + np.exp2(-values.astype(np.float64)))).astype(np.float32)
        self.n += values.size
        self.missing += int(np.count_nonzero(np.isnan(values)))
        self.below += int(np.count_nonzero(values < 0))
        self.above += int(np.count_nonzero(values > 1))
        return values

    def verdict(self) -> None:
        """Refuse infinite values, and values that are not what the config says.

        Raises
        ------
        HeteroAgeError
            Names what they look like, and the key that converts them.
        """
        if self._infinite:
            more = ", ..." if self._infinite > FIRST else ""
            first = ", ".join(f"sample {self._samples[s]}, {self._cpgs[c]}" for c, s in self._cells)
            raise HeteroAgeError(
                f"{self.where} has infinite values ({self._infinite}: {first}{more}). Are these "
                "M-values of betas of 0 or 1? Give beta values, or leave them empty."
            )
        looks = self._looks_like()
        if looks == self.stated or self.n == self.missing:
            return
        share = (self._far_below + self._far_above) / max(self.n - self.missing, 1)
        if looks is None:
            raise HeteroAgeError(
                f"{self.where} does not hold beta values: {share:.0%} of its values are far outside 0 to 1 (the "
                f"highest is {self._highest:g}). Are these intensities or counts? Give beta values."
            )
        names = {BETA: "beta values, from 0 to 1", PERCENT: "percent, from 0 to 100", M_VALUES: "M-values"}
        raise HeteroAgeError(
            f"{self.where} holds what looks like {names[looks]} ({share:.0%} of its values are far outside 0 to 1, "
            f"{self._far_below} of them negative), not {names[self.stated]}. "
            f"Set values: {looks} for this table in the config, or give beta values."
        )

    def _look(self, values: NDArray[np.float32], cpgs: NDArray[np.int64], first_sample: int) -> None:
        if not values.size:
            return
        highest, lowest = np.fmax.reduce(values, axis=None), np.fmin.reduce(values, axis=None)
        self._highest = max(self._highest, float(highest)) if not np.isnan(highest) else self._highest
        if lowest < FAR_BELOW:
            self._far_below += int(np.count_nonzero(values < FAR_BELOW))
        if highest > FAR_ABOVE:
            self._far_above += int(np.count_nonzero(values > FAR_ABOVE))
        if np.isinf(highest) or np.isinf(lowest):
            cells = np.argwhere(np.isinf(values))
            self._infinite += len(cells)
            found = [(int(cpgs[c]), first_sample + int(s)) for c, s in cells]
            self._cells = sorted(self._cells + found)[:FIRST]

    def _looks_like(self) -> str | None:
        known = max(self.n - self.missing, 1)
        if self._far_below > SHARE * known:
            return M_VALUES if self._highest < 30 else None
        if self._far_above > SHARE * known:
            return PERCENT if self._highest <= 100 else None
        return BETA
