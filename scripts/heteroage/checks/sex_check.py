"""Check of sex labels by the methylation of the X and Y chromosomes.

In women one X chromosome is silenced, so their X-linked CpGs are about half methylated; in men they are near 0 or 1.
Without a Y chromosome, Y probes show background, which is also intermediate. So on both chromosomes the mean of
|beta - 0.5| is higher in men. The threshold is the midpoint between the medians of the samples labelled F and M. So the
check finds wrong labels if most labels are correct. It gives no result if the medians do not differ clearly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.probes import split_modality

FEWEST_CPGS = {"X": 20, "Y": 5}
FEWEST_LABELLED = 5  # minimum number of labelled samples of each sex
APART = 3.0  # minimum distance of the sexes' medians, in robust standard deviations within sexes
CLEAR = 0.2  # minimum distance from the threshold for a prediction, as a fraction of the distance to a sex's median


def check_sex(
    store: NDArray[np.float32], feature_names: Sequence[str], samples: pd.DataFrame, annotation: pd.DataFrame
) -> pd.DataFrame:
    """Compare each sample's label with its X and Y signals. Only beta values are used.

    Parameters
    ----------
    store : (features, samples)
    samples : frame of `sample_id`, `project_id`, `Sex`
    annotation : frame of `cpg`, `chromosome`

    Returns
    -------
    frame of `sample_id`, `project_id`, `Sex`, `X_Signal`, `Y_Signal` (mean |beta - 0.5| × 2; NaN where the data have
    fewer than 20 and 5 such CpGs), `Predicted_Sex` (F, M, unknown), `Mismatch`; mismatches first
    """
    chromosome = annotation.drop_duplicates("cpg").set_index("cpg")["chromosome"]
    table = samples[["sample_id", "project_id", "Sex"]].copy()
    scores = []
    for name, fewest in FEWEST_CPGS.items():
        linked = set(chromosome.index[chromosome == name])
        rows = [
            k for k, f in enumerate(feature_names) if split_modality(f)[1] == "beta" and split_modality(f)[0] in linked
        ]
        signal = _mean_distance(store[rows]) if len(rows) >= fewest else np.full(len(samples), np.nan)
        table[f"{name}_Signal"] = signal.round(4)
        scores.append(_maleness(signal, table["Sex"].to_numpy()))
    score = pd.DataFrame(scores).mean(axis=0).to_numpy()  # NaN where neither chromosome tells
    table["Predicted_Sex"] = np.select([score >= CLEAR, score <= -CLEAR], ["M", "F"], "unknown")
    known = (table["Sex"] != "unknown") & (table["Predicted_Sex"] != "unknown")
    table["Mismatch"] = known & (table["Sex"] != table["Predicted_Sex"])
    return table.sort_values(["Mismatch", "sample_id"], ascending=[False, True], ignore_index=True)


def _mean_distance(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return mean |beta - 0.5| × 2 of each sample (column) over its CpGs; NaN if more than half are missing."""
    present = ~np.isnan(values)
    count = present.sum(axis=0)
    distance = np.where(present, np.abs(values - 0.5), 0).sum(axis=0, dtype=np.float64) * 2 / np.maximum(count, 1)
    return np.where(count * 2 >= len(values), distance, np.nan)


def _maleness(signal: NDArray[np.float64], label: NDArray[np.object_]) -> NDArray[np.float64]:
    """Scale signals to -1 at the women's median and 1 at the men's; NaN if the medians do not differ clearly."""
    nothing = np.full(len(signal), np.nan)
    women, men = (signal[(label == sex) & ~np.isnan(signal)] for sex in "FM")
    if min(len(women), len(men)) < FEWEST_LABELLED:
        return nothing
    low, high = np.median(women), np.median(men)
    spread = 1.4826 * np.median(np.abs(np.concatenate([women - low, men - high])))
    if high - low <= APART * spread:
        return nothing
    return np.clip((signal - (low + high) / 2) / ((high - low) / 2), -1.5, 1.5)
