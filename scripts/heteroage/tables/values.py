"""Beta values, and what is taken for them: M-values, percent, codes for missing values, infinities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from heteroage.errors import FIRST, HeteroAgeError, listed

BETA, PERCENT, M_VALUES = "beta", "percent", "m_values"
# Normalised betas stray a little beyond 0 and 1. If more than this share strays far, they are something else.
FAR_BELOW, FAR_ABOVE, SHARE = -0.2, 1.2, 0.01
# No correction for batches puts a beta value beyond these: one is enough to refuse a table.
LOWEST, HIGHEST = -0.5, 1.5
CODES = 3  # different values that may stand for "missing"
OF_A_SAMPLE = 0.4  # fraction of a sample's values outside 0 to 1 from which the sample is on another scale
HIGHEST_M = 30  # no M-value is higher
NAMES = {BETA: "beta values, from 0 to 1", PERCENT: "percent, from 0 to 100", M_VALUES: "M-values"}


class ValueCheck:
    """Looks at values as they go by, and says at the end whether they are what they are said to be."""

    def __init__(self, where: str, stated: str = BETA) -> None:
        self.where, self.stated = where, stated
        self.n = self.missing = self.below = self.above = 0
        self._far_below = self._far_above = 0
        self._lowest, self._highest = np.inf, -np.inf
        self._infinite: list[tuple[str, str, float]] = []
        self._far: list[tuple[str, str, float]] = []
        self._n_infinite = self._n_far = 0
        self._codes: Counter[float] = Counter()
        self._of_sample: dict[str, list[float]] = {}  # of samples with far values: how many, lowest, highest
        self._outside: Counter[str] = Counter()  # values of each sample that are below 0 or above 1

    def convert(self, values: NDArray[np.float64], cpgs: Sequence[str], samples: Sequence[str]) -> NDArray[np.float64]:
        """Count what is in a block (CpGs, samples); return it as beta values."""
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
        """Refuse infinite values, values that are none of the stated scale, and codes for missing values.

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
        """Say that few whole numbers, again and again, are codes."""
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
        """Name samples that are on another scale than the rest."""
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
        """Keep the first cells by sample and CpG, whatever the order of blocks; returns how many there are."""
        new = []
        for s in sorted(np.flatnonzero(where.any(axis=0)), key=lambda s: samples[s])[:FIRST]:
            own = sorted(np.flatnonzero(where[:, s]), key=lambda c: cpgs[c])[:FIRST]
            new += [(samples[s], cpgs[c], float(values[c, s])) for c in own]
        found[:] = sorted([*found, *new])[:FIRST]
        return int(np.count_nonzero(where))


def beta_of_percent(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Percent as a share."""
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


def without_codes(values: NDArray[np.float64], codes: Sequence[float]) -> NDArray[np.float64]:
    """Make missing what equals one of the user's codes."""
    return np.where(np.isin(values, codes), np.nan, values) if len(codes) else values


def _some(cells: Sequence[tuple[str, str, float]], total: int) -> str:
    return listed((f"{value:g} at sample {sample}, {cpg}" for sample, cpg, value in cells), total)


def _advice(looks: str) -> str:
    how = {PERCENT: " (percent / 100)", M_VALUES: " (2^M / (2^M + 1))", BETA: ""}[looks]
    return f"Set values: {looks} for this table in the config, or give beta values{how}."
