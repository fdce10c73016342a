"""Samples of several studies, for the tests of groups, folds and balancing."""

import numpy as np
import pandas as pd


def cohort(n=120, n_projects=12, seed=1):
    rng = np.random.default_rng(seed)
    project = rng.integers(n_projects, size=n)
    return pd.DataFrame(
        {
            "sample_id": sorted(f"s{k:04d}" for k in rng.permutation(n)),
            "project_id": [f"p{k:02d}" for k in project],
            "donor_id": [f"d{k}" for k in rng.integers(10 * n, size=n)],
            "group": [f"p{k:02d}" for k in project],
            "Tissue": rng.choice(["Blood", "Blood", "Blood", "Skin", "Liver"], n),
            "Sex": rng.choice(["F", "M"], n),
            "Age": rng.uniform(0, 90, n),
            "Is_Healthy": rng.random(n) < 0.8,
        }
    )
