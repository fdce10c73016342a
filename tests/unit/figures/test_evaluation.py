"""The range drawn around a coverage is Wilson's."""

import numpy as np
import pytest

from heteroage.figures import evaluation


def test_the_range_of_a_share_holds_it_and_narrows_with_samples():
    low, high = evaluation.wilson(1.0, 30)
    assert 0.85 < low < high == pytest.approx(1.0)
    widths = [np.diff(evaluation.wilson(0.9, n))[0] for n in (10, 100, 1000)]
    assert widths == sorted(widths, reverse=True)
