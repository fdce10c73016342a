"""How far a long step is: a line in its log, and on the terminal, every few seconds."""

from __future__ import annotations

import logging
import time

SECONDS = 5.0  # between two lines; a step that is done sooner says nothing

log = logging.getLogger(__name__)


class Progress:
    """Count what is done of a long step.

    what : the step, for example `reading data/beta.csv`
    total : of the units that `add` counts
    """

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done = what, total, 0
        self.begun = self.last = time.monotonic()

    def add(self, done: int) -> None:
        """Count units as done; log the share done and the time left, unless the last line is a few seconds old."""
        self.done += done
        now = time.monotonic()
        if now - self.last < SECONDS or not self.done:
            return
        self.last, elapsed = now, now - self.begun
        left = elapsed * (self.total - self.done) / self.done
        log.info("%s: %.0f%% done, about %.0f s left", self.what, 100 * self.done / self.total, max(left, 0))
