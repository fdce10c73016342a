"""What is stored of held-out studies' errors, and when a cohort's bias is said to be beyond them."""

import numpy as np
import pytest

from heteroage.clock.study_errors import StudyErrors
from heteroage.errors import HeteroAgeError


def simulated(between, within, n_groups=400, n=8, seed=1):
    """Errors of studies: each has a bias of its own."""
    rng = np.random.default_rng(seed)
    group = np.repeat([f"p{k:03d}" for k in range(n_groups)], n)
    return np.repeat(rng.normal(0, between, n_groups), n) + rng.normal(0, within, n * n_groups), group


def test_planted_variances_are_found():
    """Standard errors of the two deviations at 400 groups of 8: about 0.13 and 0.07 years; tolerances are three."""
    error, group = simulated(3.0, 5.0)
    found = StudyErrors.learn(error, group, group)
    assert found.between_sd == pytest.approx(3.0, abs=0.4)
    assert found.within_sd == pytest.approx(5.0, abs=0.21)
    assert (found.source, found.studies) == ("out_of_fold", 400)


def test_studies_that_do_not_differ_have_no_variance_between():
    """Nine groups whose means differ by less than chance: the estimate is cut at 0, and nothing would be shifted."""
    error = np.tile([-5.0, 5.0], 45)
    group = np.repeat(list("abcdefghi"), 10)
    found = StudyErrors.learn(error, group, group)
    assert (found.between_sd, found.shrinkage(1000)) == (0.0, 0.0)


def test_the_order_of_samples_does_not_count():
    error, group = simulated(3.0, 5.0, n_groups=6)
    order = np.random.default_rng(2).permutation(len(error))
    one, other = StudyErrors.learn(error, group, group), StudyErrors.learn(error[order], group[order], group[order])
    for name in ("lowest", "highest", "between_sd", "within_sd"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-12)  # sums in another order


def test_biases_are_those_of_nested_runs_where_there_are_such():
    error, group = simulated(3.0, 5.0, n_groups=6)
    nested = {"a": (40, -2.0), "b": (30, 1.0), "c": (9, 5.0), "small": (4, 30.0)}
    found = StudyErrors.learn(error, group, group, nested)
    assert (found.source, found.studies, found.lowest, found.highest) == ("nested", 3, -2.0, 5.0)


def test_too_few_groups_say_nothing_of_a_new_study():
    error, group = simulated(3.0, 5.0, n_groups=6)
    assert StudyErrors.learn(error[:16], group[:16], group[:16]) is None
    assert StudyErrors.learn(error, group, group, {"a": (4, 1.0)}) is None


STUDIES = StudyErrors("nested", 9, -3.0, 4.0, 3.0, 6.0)


def test_a_bias_beyond_all_studies_is_said_unless_chance_explains_it():
    """The allowance is two standard errors of the mean of n: 1.2 years for 100 samples, 12 for one."""
    assert not STUDIES.warning(5.1, 100)
    assert not STUDIES.warning(-4.1, 100)
    assert not STUDIES.warning(15.9, 1)
    said = STUDIES.warning(5.3, 100)
    assert said.startswith(
        "the bias of +5.30 years (n = 100) is outside the range of all 9 held-out studies in the clock's"
    )
    assert "-3.00 to +4.00" in said
    assert "heteroage calibrate" in said
    assert STUDIES.warning(-4.3, 100)
    assert "no nested evaluation" in StudyErrors("out_of_fold", 9, -3, 4, 3, 6).warning(50, 100)


def test_what_is_stored_reads_back_and_spoilt_content_is_refused():
    stored = STUDIES.as_json()
    assert StudyErrors.from_json(stored, "x") == STUDIES
    spoilt = [{"source": "guess"}, {"source": ["nested"]}, {"within_sd": -1}, {"lowest": "low"}, {"within_sd": 1e300}]
    for wrong in (*spoilt, {"highest": float("inf")}, {"lowest": 10**400}, {"studies": float("inf")}):
        with pytest.raises(HeteroAgeError, match=r"^x "):
            StudyErrors.from_json(stored | wrong, "x")
    for wrong in ([], "text", 5, {}):
        with pytest.raises(HeteroAgeError, match=r"^x has a missing or invalid entry"):
            StudyErrors.from_json(wrong, "x")
