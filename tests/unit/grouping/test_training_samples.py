"""Who trains: healthy samples with an age."""

import re

import numpy as np
import pandas as pd
import pytest
from study_cohort import cohort

from heteroage.errors import HeteroAgeError
from heteroage.grouping.folds import training_samples


def test_healthy_samples_with_an_age_train():
    samples = pd.DataFrame(
        {
            "sample_id": list("abcdef"),
            "Is_Healthy": [True, False, None, True, "True", np.True_],
            "Age": [1.0, 2.0, 3.0, np.nan, 5.0, 6.0],
        }
    )
    assert training_samples(samples)["sample_id"].tolist() == ["a", "e", "f"]


def test_no_healthy_samples():
    samples = cohort(n=20).assign(Is_Healthy=False)
    samples.loc[:4, "Age"] = np.nan
    text = "no sample can train: of 20, 0 are Is_Healthy and 15 have an Age. Training needs both"
    with pytest.raises(HeteroAgeError, match=re.escape(text)):
        training_samples(samples)
