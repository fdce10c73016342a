"""Checks of beta values: detection of M-values, percent, codes for missing values, and infinities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from heteroage.errors import FIRST, HeteroAgeError, listed

BETA, PERCENT, M_VALUES = "beta", "percent", "m_values"
# Normalised beta values may be slightly outside 0 to 1. With a larger fraction far outside, the scale is another one.
FAR_BELOW, FAR_ABOVE, SHARE = -0.2, 1.2, 0.01
# No batch correction gives beta values outside these limits. A single one is enough to reject a table.
LOWEST, HIGHEST = -0.5, 1.5
CODES = 3  # maximum number of different codes for missing values
OF_A_SAMPLE = 0.4  # a sample with a larger fraction of values outside 0 to 1 is on another scale
HIGHEST_M = 30  # largest possible M-value
NAMES = {BETA: "beta values, from 0 to 1", PERCENT: "percent, from 0 to 100", M_VALUES: "M-values"}


class ValueCheck:
    """Collects statistics of values while they are read, and checks at the end that they have the stated scale."""

    def __init__(self, where: str, stated: str = BETA) -> None:
        self.where, self.stated = where, stated
        self.n = self.missing = self.below = self.above = 0
        self._far_below = self._far_above = 0
        self._lowest, self._highest = np.inf, -np.inf
        self._infinite: list[tuple[str, str, float]] = []
        self._far: list[tuple[str, str, float]] = []
        self._n_infinite = self._n_far = 0
        self._codes: Counter[float] = Counter()
        self._of_sample: dict[str, list[float]] = {}  # samples with values far outside: number, lowest, highest
        self._outside: Counter[str] = Counter()  # number of values below 0 or above 1 per sample

    def convert(self, values: NDArray[np.float64], cpgs: Sequence[str], samples: Sequence[str]) -> NDArray[np.float64]:
        """Count the values of a block (CpGs, samples), and return it as beta values."""
        if not values.size:
            return values
        known = int(np.count_nonzero(~np.isnan(values)))
        self.n += values.size
        self.missing += values.size - known
        if not known:
            return values
        lowest, highest = np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)
        self._lowest, self._highest = min(self._lowest, lowest), max(self._highest, highest)
        if lowest < FAR_BELOW:
            self._far_below += int(np.count_nonzero(values < FAR_BELOW))
        if highest > FAR_ABOVE:
            self._far_above += int(np.count_nonzero(values > FAR_ABOVE))
        if np.isinf(lowest) or np.isinf(highest):
            self._n_infinite += self._cells(self._infinite, np.isinf(values), values, cpgs, samples)
        if self.stated == BETA and lowest >= 0 and highest <= 1:
            return values
        betas = _CONVERT[self.stated](values)
        self.below += int(np.count_nonzero(betas < 0))
        self.above += int(np.count_nonzero(betas > 1))
        outside = np.count_nonzero((betas < 0) | (betas > 1), axis=0)
        self._outside.update({samples[k]: int(outside[k]) for k in np.flatnonzero(outside)})
        far = ((betas < LOWEST) | (betas > HIGHEST)) & ~np.isinf(values)
        if far.any():
            self._n_far += self._cells(self._far, far, values, cpgs, samples)
            if len(self._codes) <= CODES:
                self._codes.update(values[far].tolist())
            for k in np.flatnonzero(far.any(axis=0)):
                own = self._of_sample.setdefault(samples[k], [0.0, np.inf, -np.inf])
                mine = values[far[:, k], k]
                own[:] = own[0] + len(mine), min(own[1], mine.min()), max(own[2], mine.max())
        return betas

    def verdict(self, n_samples: int, n_cpgs: int) -> None:
        """Reject infinite values, values that do not have the stated scale, and codes for missing values.

        Raises
        ------
        HeteroAgeError
            Names the cells, what they look like, and the key that reads them.
        """
        if self._n_infinite:
            raise HeteroAgeError(
                f"{self.where} has infinite values ({_some(self._infinite, self._n_infinite)}). Are these M-values of "
                "betas of 0 or 1? Give beta values, or leave them empty."
            )
        if self.n == self.missing:
            return
        if self._n_far:
            self._refuse_codes()
            self._refuse_samples(n_samples, n_cpgs)
            if len(self._of_sample) <= n_samples / 2:
                raise self._refusal("Correct these cells, or leave them empty.")
        looks = self._looks_like()
        if looks not in (self.stated, None):
            share = (self._far_below + self._far_above) / (self.n - self.missing)
            raise HeteroAgeError(
                f"{self.where} holds what looks like {NAMES[looks]} ({share:.0%} of its values are far outside 0 to 1, "
                f"{self._far_below} of them negative), not {NAMES[self.stated]}. {_advice(looks)}"
            )
        if looks is None:
            share = (self._far_below + self._far_above) / (self.n - self.missing)
            raise HeteroAgeError(
                f"{self.where} does not hold beta values: {share:.0%} of its values are far outside 0 to 1 (the "
                f"highest is {self._highest:g}). Are these intensities or counts? Give beta values."
            )
        if self._n_far:
            raise self._refusal("Correct these cells, or leave them empty.")

    def _refusal(self, advice: str) -> HeteroAgeError:
        return HeteroAgeError(
            f"{self.where} has values outside {LOWEST} to {HIGHEST}, which are not beta values "
            f"({_some(self._far, self._n_far)}). {advice}"
        )

    def _refuse_codes(self) -> None:
        """Raise an error if few different whole numbers occur repeatedly, because they are probably codes."""
        if len(self._codes) > CODES or any(not value.is_integer() for value in self._codes):
            return
        if self._n_far > (self.n - self.missing) / 2:
            return
        if self._n_far < 2 and not any(value < 0 or str(int(value)).strip("9") == "" for value in self._codes):
            return
        codes = ", ".join(f"{value:g}" for value in sorted(self._codes))
        raise self._refusal(
            f"They look like a code for missing values ({codes}). Set inputs.missing_values: [{codes}] "
            f"(heteroage: --missing-values={codes.replace(' ', '')}), or leave these cells empty."
        )

    def _refuse_samples(self, n_samples: int, n_cpgs: int) -> None:
        """Raise an error that lists samples with another scale than the rest."""
        odd = {s: own for s, own in self._of_sample.items() if self._outside[s] > OF_A_SAMPLE * n_cpgs}
        if not odd or len(odd) > n_samples / 2 or sum(own[0] for own in odd.values()) < self._n_far:
            return
        lowest, highest = min(own[1] for own in odd.values()), max(own[2] for own in odd.values())
        if lowest < LOWEST and highest < HIGHEST_M:
            looks, how = M_VALUES, "2^M / (2^M + 1)"
        elif lowest >= 0 and highest <= 100:
            looks, how = PERCENT, "percent / 100"
        else:
            return
        raise self._refusal(
            f"These samples ({listed(sorted(odd))}) look like {NAMES[looks]}, the others like {NAMES[BETA]}. Convert "
            f"them (beta = {how}), or give them as a table of their own with values: {looks}."
        )

    def _looks_like(self) -> str | None:
        known = self.n - self.missing
        if self._far_below > SHARE * known:
            return M_VALUES if self._highest < HIGHEST_M else None
        if self._far_above > SHARE * known:
            return PERCENT if self._highest <= 100 else None
        return BETA

    @staticmethod
    def _cells(
        found: list[tuple[str, str, float]],
        where: NDArray[np.bool_],
        values: NDArray[np.float64],
        cpgs: Sequence[str],
        samples: Sequence[str],
    ) -> int:
        """Keep the first cells by sample and CpG, independent of the order of blocks; returns their number."""
        new = []
        for s in sorted(np.flatnonzero(where.any(axis=0)), key=lambda s: samples[s])[:FIRST]:
            own = sorted(np.flatnonzero(where[:, s]), key=lambda c: cpgs[c])[:FIRST]
            new += [(samples[s], cpgs[c], float(values[c, s])) for c in own]
        found[:] = sorted([*found, *new])[:FIRST]
        return int(np.count_nonzero(where))


def beta_of_percent(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert percent to fractions."""
    return values / 100


def beta_of_m(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Du et al. 2010, BMC Bioinformatics 11:587: beta = 2^M / (2^M + 1)."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp2(-values))


_CONVERT: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    BETA: lambda values: values,
    PERCENT: beta_of_percent,
    M_VALUES: beta_of_m,
}


def _some(cells: Sequence[tuple[str, str, float]], total: int) -> str:
    return listed((f"{value:g} at sample {sample}, {cpg}" for sample, cpg, value in cells), total)


def _advice(looks: str) -> str:
    how = {PERCENT: " (percent / 100)", M_VALUES: " (2^M / (2^M + 1))", BETA: ""}[looks]
    return f"Set values: {looks} for this table in the config, or give beta values{how}."
