"""Long steps say how far they are; short ones say nothing."""

import logging

from heteroage import progress
from heteroage.progress import Progress


def test_a_long_step_says_how_far_it_is(monkeypatch, caplog):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    caplog.set_level(logging.INFO)
    step = Progress("reading data/beta.csv", 400)
    for seconds in (1.0, 8.0, 9.0, 20.0):
        now[0] = seconds
        step.add(100)
    # After 8 s half is done, so that 8 s are left; the line at 9 s would come too soon.
    assert caplog.messages == [
        "reading data/beta.csv: 50% done, about 8 s left",
        "reading data/beta.csv: 100% done, about 0 s left",
    ]
