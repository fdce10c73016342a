"""The one exception that users are meant to read, and how it lists things."""

from __future__ import annotations

from collections.abc import Iterable

FIRST = 5
LONGEST = 200  # characters of an item


class HeteroAgeError(Exception):
    """A problem with the user's input, worded for the user: what, how many, the first five, what to do."""


def listed(items: Iterable[object]) -> str:
    """Return the count and the first five of `items`, as '7: a, b, c, d, e, ...'."""
    items = list(items)
    shown = ", ".join(_readable(str(item)) for item in items[:FIRST])
    return f"{len(items)}: {shown}{', ...' if len(items) > FIRST else ''}"


def _readable(text: str) -> str:
    """Names come from people's files: cut what fills the screen, and show what would steer a terminal."""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}..."
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
