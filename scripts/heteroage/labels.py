"""Words of people's tables: sex, tissue, health, and what stands for a missing value. Plain functions of one text."""

from __future__ import annotations

from collections.abc import Iterable

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

# Cells that stand for no value, in lower case.
WORDS = frozenset(
    {"", "na", "n/a", "n.a.", "#n/a", "#n/a n/a", "#na", "<na>", "nan", "-nan", "1.#ind", "-1.#ind", "1.#qnan"}
    | {"-1.#qnan", "none", "null", "nil", "unknown", "missing", "not available", "not applicable"}
    | {f"not {word}" for word in ("known", "determined", "reported", "provided", "collected", "stated", "given")}
    | {"not specified", "not recorded", "unspecified", "no data", "withheld", "declined", "prefer not to say"}
    | {"-", "--", ".", "?"}
)

CASES = (str.upper, str.capitalize, str.title)
MISSING = WORDS | {spelled(word) for word in WORDS for spelled in CASES} | {"NaN", "-NaN"}  # as tables spell them


def is_missing(cell: str | None, missing_values: Iterable[str] = ()) -> bool:
    """Tell whether a cell stands for no value: a word of WORDS in any case, or one that the user names."""
    text = " ".join((cell or "").split()).lower()
    return text in WORDS or any(same_word(text, str(value)) for value in missing_values)


def same_word(one: str, other: str) -> bool:
    """Tell whether two texts are the same word or number: -9 and -9.0 are."""
    one, other = one.strip().lower(), other.strip().lower()
    if one == other:
        return True
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def sex_of(text: str | None) -> str:
    """Return F or M for the usual words; anything else is unknown, never a default."""
    return SEXES.get((text or "").strip().lower(), UNKNOWN)


def tissue_of(text: str | None) -> str:
    """Return the tissue, with single blanks inside and none around; missing is unknown."""
    return UNKNOWN if is_missing(text) else " ".join((text or "").split())


def spelling_key(text: str) -> str:
    """Return what two spellings have in common that differ in case and blanks alone."""
    return " ".join(text.casefold().split())
