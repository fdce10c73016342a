"""Every sample is in one panel, however many tissues there are."""

import re

from picture_data import predictions

from heteroage.figures import accuracy


def test_a_study_of_many_tissues_shares_the_last_panel():
    table = predictions(tissues=12)
    panels = [axis.get_title() for axis in accuracy.plot_tissues(table).figure.axes if axis.get_title()]
    assert len(panels) == accuracy.MOST_PANELS
    assert panels[-1].startswith("5 other tissues (n = 50)")


def test_panels_count_every_sample_once():
    table = predictions(tissues=12)
    titles = " ".join(axis.get_title() for axis in accuracy.plot_tissues(table).figure.axes)
    assert sum(map(int, re.findall(r"n = (\d+)", titles))) == len(table)
