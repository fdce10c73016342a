"""Training data that differ in some samples: what must not see these must not change."""

from dataclasses import replace

import numpy as np


def altered(data, rows, ages=False, features=False):
    """The same data with other ages or other features in some rows."""
    rng = np.random.default_rng(99)
    samples, X = data.samples.copy(), data.X.copy()
    if ages:
        samples.loc[rows, "Age"] = rng.uniform(0, 100, int(rows.sum()))
    if features:
        X[:, rows] = rng.uniform(-3, 3, (len(X), int(rows.sum())))
    return replace(data, samples=samples, X=X)
