"""Who is trained on: healthy samples with an age, and the balancing of tissues.

Nothing here depends on the order of rows: draws come from a hash of the sample_id.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.errors import HeteroAgeError
from heteroage.grouping.folds import draws

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


def balanced_rows(
    samples: pd.DataFrame, rows: NDArray[np.int64], balancing: Mapping[str, float], seed: int
) -> NDArray[np.int64]:
    """Choose the training rows among `rows`: no tissue drowns the others.

    Tissues seen in fewer than `min_cohorts` projects are left out; each other tissue is sampled down to
    clip(median tissue count × `median_mult`, `min_cap`, `max_cap`). The draw keeps the samples whose hash of
    (seed, sample_id) is least, so that it neither depends on other samples nor on their order.

    Raises
    ------
    HeteroAgeError
        Fewer than 10 samples are left.
    """
    table = samples.iloc[rows]
    cohorts = table.groupby("Tissue")["project_id"].nunique()
    kept = table[table["Tissue"].isin(cohorts.index[cohorts >= balancing["min_cohorts"]])]
    counts = kept["Tissue"].value_counts()
    if len(counts):
        cap = int(np.clip(counts.median() * balancing["median_mult"], balancing["min_cap"], balancing["max_cap"]))
        order = kept.assign(row=rows[table.index.get_indexer(kept.index)], draw=draws(kept["sample_id"], seed))
        order = order.sort_values(["draw", "sample_id"])
        kept = order[order.groupby("Tissue").cumcount() < cap]
    if len(kept) < MINIMUM_TRAINING_SET:
        raise HeteroAgeError(
            f"the balancing {dict(balancing)} leaves {len(kept)} of {len(rows)} samples to train on "
            f"(at least {MINIMUM_TRAINING_SET} are needed; tissues by number of projects: {cohorts.to_dict()}). "
            "Lower min_cohorts or raise the caps in stage1.balancing."
        )
    return np.sort(kept["row"].to_numpy())
