"""The exception for problems that users can fix, and the format of its lists."""

from __future__ import annotations

from collections.abc import Iterable

FIRST = 5
LONGEST = 200  # maximum number of characters per item


class HeteroAgeError(Exception):
    """A problem with the user's input. The message says what is wrong, how many, the first five, and what to do."""


def listed(items: Iterable[object], total: int | None = None) -> str:
    """Return the count (`total`, if given) and the first five items, as '7: a, b, c, d, e, ...'."""
    items = list(items)
    total = len(items) if total is None else total
    shown = ", ".join(readable(str(item)) for item in items[:FIRST])
    return f"{total}: {shown}{', ...' if total > len(items[:FIRST]) else ''}"


def readable(text: str) -> str:
    """Shorten long names from users' files, and escape terminal control characters."""
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}..."
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
