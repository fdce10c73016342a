"""The one exception that users are meant to read, and how it lists things."""

from __future__ import annotations

from collections.abc import Iterable

FIRST = 5
LONGEST = 200  # characters of an item


class HeteroAgeError(Exception):
    """A problem with the user's input, worded for the user: what, how many, the first five, what to do."""


def listed(items: Iterable[object], total: int | None = None) -> str:
    """Return the count (`total` where there are more than `items`) and the first five, as '7: a, b, c, d, e, ...'."""
    items = list(items)
    total = len(items) if total is None else total
    shown = ", ".join(_readable(str(item)) for item in items[:FIRST])
    return f"{total}: {shown}{', ...' if total > len(items[:FIRST]) else ''}"


def _readable(text: str) -> str:
    """Names come from people's files: cut what fills the screen, and show what would steer a terminal."""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}..."
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
