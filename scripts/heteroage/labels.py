"""Spellings of sex and tissue: plain functions of one text, so that prediction starts without pandas."""

from __future__ import annotations

UNKNOWN = "unknown"
OLDEST = 122  # years, of anyone on record
SEXES = {"f": "F", "female": "F", "woman": "F", "m": "M", "male": "M", "man": "M"}

# Cells that stand for no value, as CSV readers know them.
MISSING = frozenset(
    {"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"}
    | {"NULL", "NaN", "None", "n/a", "nan", "null"}
)


def sex_of(text: str | None) -> str:
    """Map the usual spellings to F and M; anything else is unknown, never a default."""
    return SEXES.get((text or "").strip().lower(), UNKNOWN)


def tissue_of(text: str | None) -> str:
    """Return the tissue stripped; missing or empty is unknown."""
    text = (text or "").strip()
    return UNKNOWN if text in MISSING else text
