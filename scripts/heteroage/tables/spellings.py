"""Detection of similar labels that may have the same meaning."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import combinations

LONG = 4  # minimum word length for one misspelt letter
LONGER = 9  # minimum word length for two misspelt letters


def nearly_alike(names: Iterable[str]) -> list[tuple[str, str]]:
    """Find pairs of names that differ in case, blanks, punctuation, the order of words, or a letter of a long word.

    Words with digits, and short ones, must be the same: `CD4 T cell`, `CD8 T cell` and `CD8 B cell` are three things.
    """
    words = {str(name): re.findall(r"\w+", str(name).casefold().replace("_", " ")) for name in names}
    return [(a, b) for a, b in combinations(sorted(words), 2) if _alike(words[a], words[b])]


def _alike(one: list[str], other: list[str]) -> bool:
    if "".join(one) == "".join(other) or sorted(one) == sorted(other):
        return True
    return len(one) == len(other) and all(_same_word(a, b) for a, b in zip(one, other, strict=True))


def _same_word(one: str, other: str) -> bool:
    if one == other:
        return True
    shorter = min(len(one), len(other))
    if shorter < LONG or re.findall(r"\d+", one) != re.findall(r"\d+", other):
        return False
    return _edits(one, other) <= (2 if shorter >= LONGER else 1)


def _edits(one: str, other: str) -> int:
    """Letters to insert, remove, replace or exchange with their neighbour (Damerau 1964, optimal string alignment)."""
    before, previous = [], list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            row.append(min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (a != b)))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                row[j] = min(row[j], before[j - 2] + 1)
        before, previous = previous, row
    return previous[-1]
