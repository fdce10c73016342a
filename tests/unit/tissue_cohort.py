"""A simulated cohort of tissues that lie far apart."""

import numpy as np
import pandas as pd


def tissue_cohort():
    """90 samples of 3 projects and 3 tissues (4 of the last) x 300 features, tissues far apart, some missing."""
    rng = np.random.default_rng(2)
    ids = [(f"s{k:02d}", f"p{k % 3}") for k in range(90)]
    ids = [(f"s{k:02d}", f"p{k % 3}") for k in range(90)]
    samples = pd.DataFrame(ids, columns=["sample_id", "project_id"])
    samples["Tissue"] = np.where(np.arange(90) < 50, "Blood", np.where(np.arange(90) < 86, "Liver", "Skin"))
    samples["Sex"] = np.where(rng.random(90) < 0.5, "F", "M")
    store = 0.5 + rng.normal(0, 0.03, (300, 90)) + rng.normal(0, 0.3, (300, 3))[:, pd.factorize(samples["Tissue"])[0]]
    store += rng.normal(0, 0.04, (300, 4)) @ rng.normal(0, 1, (4, 90))
    store[rng.random(store.shape) < 0.02] = np.nan
    return store.astype(np.float32), [f"cg{k:08d}_beta" for k in range(300)], samples
