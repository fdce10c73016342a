"""A flag is raised by what it says and by nothing else."""

import numpy as np
import pandas as pd

from heteroage.clock.flags import MEANINGS


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
