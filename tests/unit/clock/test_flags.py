"""A flag is raised by what it says and by nothing else."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd

from heteroage.clock.flags import MEANINGS, flags_of
from heteroage.clock.sums import Sums


def flags(loaded, frame):
    return [set(filter(None, cell.split(";"))) for cell in loaded.predict(frame)["Flags"]]


def test_each_flag_is_raised_by_what_it_says_and_by_nothing_else(loaded, clock):
    base = clock.master.iloc[[0]].assign(Age=40.0, Tissue="Blood", Sex="F")
    (ordinary,) = flags(loaded, base)
    assert ordinary <= {"far_from_training"}
    cpgs = [name for name in base.columns if name.startswith("cg")]
    anchor = sorted(loaded.anchor_weight, key=loaded.anchor_weight.get, reverse=True)
    cases = {
        "tissue_unknown": base.assign(Tissue=None),
        "tissue_not_in_training": base.assign(Tissue="Moon"),
        "sex_unknown": base.assign(Sex="?"),
        "age_outside_training": base.assign(Age=121.0),
        "far_from_training": base.assign(**dict.fromkeys(cpgs, 1.0)),
        "values_outside_0_1": base.assign(**{cpgs[0]: 1.2}),
    }
    for flag, table in cases.items():
        assert flag in flags(loaded, table)[0], flag
    without = base.assign(sample_id="x", **dict.fromkeys(anchor[:40], np.nan))
    assert "mostly_imputed" in flags(loaded, pd.concat([base, without]))[1]
    assert "prediction_outside_training" in flags(loaded, cases["far_from_training"])[0] or (
        loaded.predict(cases["far_from_training"])["HeteroAge"].between(3, 90).all()
    )
    assert set(cases) <= set(MEANINGS)
    assert all(found <= set(MEANINGS) for table in cases.values() for found in flags(loaded, table))


def raised(clock, mostly_imputed=False, outside=False, empty=False, distance=0.0, measured=1, **output):
    """The flags of one sample that is in nothing else remarkable."""
    columns = {"Tissue": ["Blood"], "Sex": ["F"], "HeteroAge": np.array([40.0])} | output
    sums = SimpleNamespace(
        part=SimpleNamespace(ids=["s"]),
        mostly_imputed=np.array([mostly_imputed]),
        outside=np.array([outside]),
        empty=np.array([empty]),
        distance=np.array([distance]),
        measured=np.array([measured]),
    )
    (cell,) = flags_of(clock, columns, sums)
    return cell.split(";") if cell else []


def test_limits_themselves_raise_no_flag(loaded):
    limits = loaded.applicability
    for name, flag in (("Age", "age_outside_training"), ("HeteroAge", "prediction_outside_training")):
        for limit, beyond in ((limits.youngest, -1), (limits.oldest, 1)):
            assert raised(loaded, **{name: np.array([limit])}) == []
            assert raised(loaded, **{name: np.array([np.nextafter(limit, beyond * np.inf)])}) == [flag]
    assert raised(loaded, Age=np.array([np.nan])) == []
    for share in ("missing_weight", "missing_context"):
        for amount, flagged in ((0.5, False), (0.501, True)):
            sums = SimpleNamespace(missing_weight=np.zeros(1), missing_context=np.zeros(1))
            setattr(sums, share, np.array([amount]))
            assert Sums.mostly_imputed.fget(sums).tolist() == [flagged]
    assert raised(loaded, mostly_imputed=True) == ["mostly_imputed"]


def test_the_distance_is_per_cpg_that_was_measured(loaded):
    limit = loaded.applicability.distance_limit
    for measured in (1, 40):
        assert raised(loaded, distance=0.99 * measured * limit**2, measured=measured) == []
        assert raised(loaded, distance=1.01 * measured * limit**2, measured=measured) == ["far_from_training"]
    assert raised(loaded, measured=0) == []


def test_all_flags_of_a_sample_come_in_one_order(loaded):
    strange = {"Tissue": ["unknown"], "Sex": ["X"], "Age": np.array([121.0]), "HeteroAge": np.array([-1.0])}
    found = raised(loaded, True, True, True, 1e9, **strange)
    assert found == [flag for flag in MEANINGS if flag not in ("tissue_not_in_training", "sex_unknown")]


def test_a_clock_that_knows_no_limits_flags_the_rest(loaded):
    without = dataclasses.replace(loaded, applicability=None)
    assert raised(without, True, True, False, 1e9, Age=np.array([121.0])) == ["mostly_imputed", "values_outside_0_1"]
