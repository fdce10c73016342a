"""Selection of training samples (healthy, with an age), and balancing of tissues.

The result does not depend on the order of rows. No sample is dropped at random.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.errors import HeteroAgeError

MINIMUM_TRAINING_SET = 10


def training_samples(samples: pd.DataFrame) -> pd.DataFrame:
    """Return the samples that may train: `Is_Healthy` true and `Age` present."""
    healthy = samples["Is_Healthy"].map(lambda value: value is True or value == "True" or value is np.True_)
    chosen = samples[healthy & samples["Age"].notna()]
    if chosen.empty:
        raise HeteroAgeError(
            f"no sample can train: of {len(samples)}, {int(healthy.sum())} are Is_Healthy and "
            f"{int(samples['Age'].notna().sum())} have an Age. Training needs both; check these columns."
        )
    return chosen.reset_index(drop=True)


def balancing_weights(
    samples: pd.DataFrame, rows: NDArray[np.int64], balancing: Mapping[str, float]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Compute sample weights that limit the influence of large tissues.

    Tissues in fewer than `min_cohorts` projects are left out. If a tissue has more samples than
    cap = clip(median tissue count × `median_mult`, `min_cap`, `max_cap`), each of its samples has the weight
    cap / count. All other samples have weight 1.

    samples : frame of `Tissue`, `project_id`
    rows : positions of the samples that may train
    Returns the rows that train, sorted, and their weights.
    Raises HeteroAgeError: fewer than 10 samples are left.
    """
    table = samples.iloc[np.sort(rows)].assign(row=np.sort(rows))
    cohorts = table.groupby("Tissue")["project_id"].nunique()
    kept = table[table["Tissue"].isin(cohorts.index[cohorts >= balancing["min_cohorts"]])]
    if len(kept) < MINIMUM_TRAINING_SET:
        raise HeteroAgeError(
            f"the balancing {dict(balancing)} leaves {len(kept)} of {len(rows)} samples to train on "
            f"(at least {MINIMUM_TRAINING_SET} are needed; tissues by number of projects: {cohorts.to_dict()}). "
            "Lower min_cohorts in stage1.balancing."
        )
    counts = kept["Tissue"].value_counts()
    cap = np.clip(counts.median() * balancing["median_mult"], balancing["min_cap"], balancing["max_cap"])
    return kept["row"].to_numpy(np.int64), np.minimum(1.0, cap / kept["Tissue"].map(counts).to_numpy(np.float64))
