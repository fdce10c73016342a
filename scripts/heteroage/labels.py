"""Words in tables: sex, tissue, health, codes for missing values, and nearly equal labels."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from itertools import combinations

UNKNOWN = "unknown"
OLDEST = 122  # years, of anyone on record
SEXES = {
    **dict.fromkeys(("f", "female", "females", "woman", "women", "girl", "xx", "46,xx"), "F"),
    **dict.fromkeys(("m", "male", "males", "man", "men", "boy", "xy", "46,xy"), "M"),
    # Words that say that the sex is not known, or neither.
    **dict.fromkeys(
        ("u", "unk", "other", "undetermined", "indeterminate", "ambiguous", "intersex", "mixed", "pooled", "both"),
        UNKNOWN,
    ),
}
HEALTH = {
    **dict.fromkeys(("true", "1", "1.0", "yes", "t", "y", "healthy", "control", "normal"), True),
    **dict.fromkeys(("false", "0", "0.0", "no", "f", "n", "unhealthy", "case", "diseased"), False),
}

# Codes for missing values, in lower case.
WORDS = frozenset(
    {"", "na", "n/a", "n.a.", "#n/a", "#n/a n/a", "#na", "<na>", "nan", "-nan", "1.#ind", "-1.#ind", "1.#qnan"}
    | {"#div/0!", "#num!", "-1.#qnan", "none", "null", "nil", "unknown", "missing", "not available", "not applicable"}
    | {f"not {word}" for word in ("known", "determined", "reported", "provided", "collected", "stated", "given")}
    | {"not specified", "not recorded", "unspecified", "no data", "withheld", "declined", "prefer not to say"}
    | {"-", "--", ".", "?"}
)

# The usual spellings of WORDS, which Arrow compares exactly. `is_missing` finds the others more slowly.
SPELLINGS = sorted({f(word) for word in WORDS for f in (str, str.upper, str.capitalize, str.title)} | {"NaN", "-NaN"})
# Characters that nobody sees: soft hyphen, zero-width blank, marks of direction, word joiner, byte-order mark.
INVISIBLE = str.maketrans("\u00a0\u202f", "  ", "\u00ad\u200b\u200e\u200f\u2060\ufeff")
LONG, LONGER = 4, 9  # minimum word lengths for one misspelt letter, and for two


def clean(text: str) -> str:
    """Return text without blanks around and without invisible characters, accents composed (NFC)."""
    return (text if text.isascii() else unicodedata.normalize("NFC", text.translate(INVISIBLE))).strip()


def is_missing(cell: str | None, missing_values: Collection[str] = ()) -> bool:
    """Tell whether a cell is a code for a missing value: a word of WORDS in any case, or one of the user's codes."""
    text = " ".join((cell or "").split()).lower()
    return text in WORDS or bool(missing_values and any(same_word(text, str(value)) for value in missing_values))


def same_word(one: str, other: str) -> bool:
    """Tell whether two texts are the same word or number: -9 and -9.0 are."""
    one, other = one.strip().lower(), other.strip().lower()
    if one == other:
        return True
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def spelling_key(text: str) -> str:
    """Return the same text for spellings that differ only in case and blanks."""
    return " ".join(text.casefold().split())


def nearly_alike(names: Iterable[str]) -> list[tuple[str, str]]:
    """Find pairs of names that differ in case, blanks, punctuation, order of words, or a letter of a long word.

    Short words and words with digits must be equal: `CD4 T cell`, `CD8 T cell` and `CD8 B cell` are three tissues.
    """
    words = {str(name): re.findall(r"\w+", str(name).casefold().replace("_", " ")) for name in names}
    return [(a, b) for a, b in combinations(sorted(words), 2) if _alike(words[a], words[b])]


def _alike(one: list[str], other: list[str]) -> bool:
    if "".join(one) == "".join(other) or sorted(one) == sorted(other):
        return True
    return len(one) == len(other) and all(a == b or _misspelt(a, b) for a, b in zip(one, other, strict=True))


def _misspelt(one: str, other: str) -> bool:
    shorter = min(len(one), len(other))
    if shorter < LONG or re.findall(r"\d+", one) != re.findall(r"\d+", other):
        return False
    return _edits(one, other) <= (2 if shorter >= LONGER else 1)


def _edits(one: str, other: str) -> int:
    """Count the letters to insert, remove, replace or transpose (Damerau 1964, optimal string alignment)."""
    before, previous = [], list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            row.append(min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (a != b)))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                row[j] = min(row[j], before[j - 2] + 1)
        before, previous = previous, row
    return previous[-1]
