"""Checks of beta values: detection of M-values, percent, codes for missing values, and infinities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from heteroage.errors import FIRST, HeteroAgeError, listed
from heteroage.tables.source import BadCells

BETA, PERCENT, M_VALUES = "beta", "percent", "m_values"
# Normalised beta values may be slightly outside 0 to 1. With a larger fraction far outside, the scale is another one.
FAR_BELOW, FAR_ABOVE, SHARE = -0.2, 1.2, 0.01
# No batch correction gives beta values outside these limits, and no array M-values. A single one rejects a table.
SCALE_LIMITS = {BETA: (-0.5, 1.5), PERCENT: (-0.5, 100.5), M_VALUES: (-30, 30)}
FEWEST_VALUES = 20  # minimum number of values of a sample whose scale is judged on its own
CODES = 3  # maximum number of different codes for missing values
OF_A_SAMPLE = 0.4  # a sample with a larger fraction of values outside 0 to 1 is on another scale
NAMES = {BETA: "beta values, from 0 to 1", PERCENT: "percent, from 0 to 100", M_VALUES: "M-values"}
FORMULAS = {PERCENT: "percent / 100", M_VALUES: "2^M / (2^M + 1)"}
CORRECT = "Correct these cells, or leave them empty."


class ValueCheck:
    """Collects statistics of values while they are read, and checks at the end that they have the stated scale."""

    def __init__(self, where: str, stated: str = BETA) -> None:
        self.where, self.stated = where, stated
        self.n = self.missing = self.below = self.above = 0
        self._far_below = self._far_above = 0
        self._highest = -np.inf
        self._infinite, self._far = BadCells(), BadCells()
        self._codes: Counter[float] = Counter()
        # Of samples with values far outside: number of these values, lowest, highest.
        self._of_sample: dict[str, tuple[int, float, float]] = {}
        self._outside: Counter[str] = Counter()  # number of values below 0 or above 1 per sample
        self._known: Counter[str] = Counter()  # number of values per sample, if beta values are not stated
        self._unlike_beta: set[str] = set()  # samples with values that cannot be beta values

    def convert(self, values: NDArray[np.float64], cpgs: Sequence[str], samples: Sequence[str]) -> NDArray[np.float64]:
        """Count the values of a block (CpGs, samples), and return it as beta values."""
        known = int(np.count_nonzero(~np.isnan(values)))
        self.n += values.size
        self.missing += values.size - known
        if not known:
            return values
        lowest, highest = np.fmin.reduce(values, axis=None), np.fmax.reduce(values, axis=None)
        self._highest = max(self._highest, highest)
        if self.stated == BETA and lowest >= 0 and highest <= 1:
            return values
        self._far_below += int(np.count_nonzero(values < FAR_BELOW))
        self._far_above += int(np.count_nonzero(values > FAR_ABOVE))
        _add(self._infinite, np.isinf(values), values, cpgs, samples)
        if self.stated != BETA:
            beyond = ((values < FAR_BELOW) | (values > FAR_ABOVE)).any(axis=0)
            self._known.update(dict(zip(samples, (~np.isnan(values)).sum(axis=0).tolist(), strict=True)))
            self._unlike_beta.update(samples[k] for k in np.flatnonzero(beyond))
        betas = _as_beta(values, self.stated)
        self.below += int(np.count_nonzero(betas < 0))
        self.above += int(np.count_nonzero(betas > 1))
        outside = np.count_nonzero((betas < 0) | (betas > 1), axis=0)
        self._outside.update({samples[k]: int(outside[k]) for k in np.flatnonzero(outside)})
        least, most = SCALE_LIMITS[self.stated]
        far = ((values < least) | (values > most)) & ~np.isinf(values)
        if far.any():
            _add(self._far, far, values, cpgs, samples)
            if len(self._codes) <= CODES:
                self._codes.update(values[far].tolist())
            for k in np.flatnonzero(far.any(axis=0)):
                n, low, high = self._of_sample.get(samples[k], (0, np.inf, -np.inf))
                mine = values[far[:, k], k]
                self._of_sample[samples[k]] = n + len(mine), min(low, mine.min()), max(high, mine.max())
        return betas

    def verdict(self, n_samples: int, n_cpgs: int) -> None:
        """Reject infinite values, values that do not have the stated scale, and codes for missing values.

        Raises HeteroAgeError: names the cells, what they look like, and the key that reads them.
        """
        if self._infinite.total:
            raise HeteroAgeError(
                f"{self.where} has infinite values ({_shown(self._infinite)}). Are these M-values of betas of 0 or 1? "
                "Give beta values, or leave them empty."
            )
        known = self.n - self.missing
        if not known:
            return
        if self._far.total:
            advice = self._named_codes(known) or self._named_samples(n_samples, n_cpgs)
            if advice or len(self._of_sample) <= n_samples / 2:
                raise self._refusal(advice or CORRECT)
        looks: str | None = BETA
        if self._far_below > SHARE * known:
            looks = M_VALUES if self._highest < SCALE_LIMITS[M_VALUES][1] else None
        elif self._far_above > SHARE * known:
            looks = PERCENT if self._highest <= 100 else None
        share = (self._far_below + self._far_above) / known
        if looks is None:
            raise HeteroAgeError(
                f"{self.where} does not hold beta values: {share:.0%} of its values are far outside 0 to 1 (the "
                f"highest is {self._highest:g}). Are these intensities or counts? Give beta values."
            )
        if looks != self.stated:
            how = f" ({FORMULAS[looks]})" if looks in FORMULAS else ""
            raise HeteroAgeError(
                f"{self.where} looks like {NAMES[looks]} ({share:.0%} of its values are far outside 0 to 1, "
                f"{self._far_below} of them negative), not {NAMES[self.stated]}. Set values: {looks} for this table in "
                f"the config, or give beta values{how}."
            )
        if self._far.total:
            raise self._refusal(CORRECT)
        if betas := sorted(s for s, n in self._known.items() if s not in self._unlike_beta and n >= FEWEST_VALUES):
            raise HeteroAgeError(
                f"{self.where} has samples ({listed(betas)}) that look like {NAMES[BETA]}, the others like "
                f"{NAMES[self.stated]}. Give them as a table of their own with values: beta."
            )

    def _refusal(self, advice: str) -> HeteroAgeError:
        least, most = SCALE_LIMITS[self.stated]
        name = NAMES[self.stated].partition(",")[0]
        return HeteroAgeError(
            f"{self.where} has values outside {least} to {most}, which are not {name} ({_shown(self._far)}). {advice}"
        )

    def _named_codes(self, known: int) -> str:
        """Return advice if few different whole numbers occur repeatedly, because they are probably codes."""
        few = len(self._codes) <= CODES and all(value.is_integer() for value in self._codes)
        usual = few and any(value < 0 or str(int(value)).strip("9") == "" for value in self._codes)
        if not few or self._far.total > known / 2 or not (self._far.total > 1 or usual):
            return ""
        codes = ", ".join(f"{value:g}" for value in sorted(self._codes))
        return (
            f"They look like a code for missing values ({codes}). Set inputs.missing_values: [{codes}] "
            f"(heteroage: --missing-values={codes.replace(' ', '')}), or leave these cells empty."
        )

    def _named_samples(self, n_samples: int, n_cpgs: int) -> str:
        """Return advice if all such values are in samples with another scale than the rest."""
        odd = {s: own for s, own in self._of_sample.items() if max(self._outside[s], own[0]) > OF_A_SAMPLE * n_cpgs}
        if not 0 < len(odd) <= n_samples / 2 or sum(n for n, _, _ in odd.values()) < self._far.total:
            return ""
        lowest, highest = min(low for _, low, _ in odd.values()), max(high for _, _, high in odd.values())
        if lowest < SCALE_LIMITS[BETA][0] and highest < SCALE_LIMITS[M_VALUES][1]:
            looks = M_VALUES
        elif lowest >= 0 and highest <= 100:
            looks = PERCENT
        else:
            return ""
        advice = f"Convert them (beta = {FORMULAS[looks]}), or give" if self.stated == BETA else "Give"
        return (
            f"These samples ({listed(sorted(odd))}) look like {NAMES[looks]}, the others like {NAMES[self.stated]}. "
            f"{advice} them as a table of their own with values: {looks}."
        )


def _add(
    cells: BadCells, where: NDArray[np.bool_], values: NDArray[np.float64], cpgs: Sequence[str], samples: Sequence[str]
) -> None:
    """Add the cells of a block at `where`, by names of sample and CpG: independent of the order of blocks."""
    for s in sorted(np.flatnonzero(where.any(axis=0)), key=lambda s: samples[s])[:FIRST]:
        own = sorted(np.flatnonzero(where[:, s]), key=lambda c: cpgs[c])[:FIRST]
        cells.add([(samples[s], cpgs[c], float(values[c, s])) for c in own], 0)
    cells.total += int(np.count_nonzero(where))


def _shown(cells: BadCells) -> str:
    return listed((f"{value:g} at sample {sample}, {cpg}" for sample, cpg, value in cells.first), cells.total)


def _as_beta(values: NDArray[np.float64], scale: str) -> NDArray[np.float64]:
    """Convert values; M-values by Du et al. 2010, BMC Bioinformatics 11:587: beta = 2^M / (2^M + 1)."""
    if scale == M_VALUES:
        with np.errstate(over="ignore"):
            return 1 / (1 + np.exp2(-values))
    return values / 100 if scale == PERCENT else values
