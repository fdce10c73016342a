"""Progress of long steps: one line in the log and on the terminal every few seconds."""

from __future__ import annotations

import logging
import time

SECONDS = 5.0  # interval between lines; shorter steps print nothing

log = logging.getLogger(__name__)


class Progress:
    """Count the finished units of a long step.

    what : name of the step, for example `reading data/beta.csv`
    total : total number of units
    """

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done = what, total, 0
        self.begun = self.last = time.monotonic()

    def add(self, done: int) -> None:
        """Add finished units; log the percentage and the remaining time at most every `SECONDS` seconds."""
        self.done += done
        now = time.monotonic()
        if now - self.last < SECONDS or not self.done:
            return
        self.last, elapsed = now, now - self.begun
        left = elapsed * (self.total - self.done) / self.done
        log.info("%s: %.0f%% done, about %.0f s left", self.what, 100 * self.done / self.total, max(left, 0))
