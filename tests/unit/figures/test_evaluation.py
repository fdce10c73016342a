"""The range drawn around a coverage is Wilson's."""

import numpy as np
import pandas as pd
import pytest

from heteroage.figures import evaluation


def test_the_range_of_a_share_holds_it_and_narrows_with_samples():
    low, high = evaluation.wilson(1.0, 30)
    assert 0.85 < low < high == pytest.approx(1.0)
    widths = [np.diff(evaluation.wilson(0.9, n))[0] for n in (10, 100, 1000)]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize(("share", "n"), [(0.0, 7), (0.5, 12), (0.914, 35), (1.0, 3)])
def test_the_range_is_where_the_score_test_does_not_refuse_the_share(share, n):
    """Wilson 1927: |share - p| = z sqrt(p (1 - p) / n) at both ends."""
    for p in evaluation.wilson(share, n):
        assert p >= -1e-12  # rounding of a difference that is 0
        # 1e-9: the root of that rounding, over n.
        assert abs(share - p) == pytest.approx(1.96 * np.sqrt(max(p * (1 - p), 0) / n), abs=1e-9)


def test_intervals_that_were_not_calibrated_are_said_to_be_none():
    coverage = pd.DataFrame({"stratum": ["all"], "level": ["all"], "n": [12], "coverage": [0.9], "median_width": 20.0})
    for picture in (evaluation.plot_coverage(coverage, None), evaluation.plot_coverage(coverage.iloc[:0], 0.9)):
        assert picture.alt == "No intervals were calibrated."
    assert evaluation.plot_coverage(coverage, 0.9).alt.endswith("All samples: 90.0%.")


def test_a_scoring_that_has_no_name_keeps_its_own():
    assert evaluation.scoring_name("nested", "HeteroAge") == "HeteroAge: nested"
    assert evaluation.scoring_name("sweep_best_row", "Stage1_Pred_Age") == "Anchor: sweep's best row"
    assert evaluation.scoring_name("something_new", "HeteroAge") == "HeteroAge: something_new"
