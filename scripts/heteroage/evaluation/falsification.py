"""Falsification tests of a clock, and the certificate with their results.

Each test adds or removes information that only a leaking training could use, and measures whether it was used. A test
that could not have detected the fault in these data is inconclusive: it neither passes nor fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.clock.artifacts import CORRECTION
from heteroage.errors import listed
from heteroage.grouping.folds import draws
from heteroage.labels import OLDEST, UNKNOWN
from heteroage.matrix import FEATURES_PER_BLOCK, create_matrix
from heteroage.metrics import pearson_r
from heteroage.probes import pc_columns

SHIFT = 20.0  # years added to every other group in the planted-study test
SHARE_LIMIT = 0.25  # largest accepted fraction of the planted shift in the predictions
STANDARD_ERRORS = 3
CONSTANT = 1e-6  # predictions that differ by less (years) are constant
SHUFFLED_ERRORS = 4
SIGNIFICANCE = 0.05
# With a limit above this value, the test could miss half of a full leak.
LEAST_POWER = 0.5
PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"
MISSING_SHARE = 0.1  # of the values in an altered fold
LEANS_ON = 0.1  # minimum mean absolute contribution (years) for which HeteroAge relies on a hallmark


@dataclass(frozen=True)
class Verdict:
    """A row of the certificate: `verdict` is pass, fail or inconclusive."""

    test: str
    measured: float
    limit: float
    verdict: str
    meaning: str


def verdict_of(test: str, measured: float, limit: float, meaning: str, no_power: str = "") -> Verdict:
    """Return fail above the limit, otherwise pass, or inconclusive if `no_power` gives a reason."""
    verdict = FAIL if measured > limit else INCONCLUSIVE if no_power else PASS
    said = f"{meaning}. Inconclusive: {no_power}" if verdict == INCONCLUSIVE else meaning
    return Verdict(test, float(measured), float(limit), verdict, said)


# Ages shuffled within tissue


def shuffle_ages(samples: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Permute the ages among the samples of each tissue; nothing else changes."""
    drawn = samples.assign(draw=draws(samples["sample_id"], seed)).sort_values("draw")
    ages = samples["Age"].copy()
    for tissue, rows in samples.groupby("Tissue"):
        ages.loc[rows.index] = drawn.loc[drawn["Tissue"] == tissue, "Age"].to_numpy()
    return samples.assign(Age=ages)


def judge_shuffled_ages(predictions: pd.DataFrame) -> Verdict:
    """Correlate ages shuffled within tissue with their out-of-fold predictions, both centred by tissue and fold.

    Centring removes what a model can learn (a tissue's mean age) and the bias of held-out means. Within a cell (tissue
    and fold), all orders of the held-out ages are equally likely. So r has mean 0 and standard error
    1 / sqrt(n - cells). Cells with constant predictions are left out. The test is inconclusive if they contain most
    samples, or if the limit is 0.5 or more.
    """
    cells = predictions.groupby(["Tissue", "fold"])
    varies = (cells["HeteroAge"].transform("max") - cells["HeteroAge"].transform("min")).to_numpy() > CONSTANT
    centred = (predictions[["Age", "HeteroAge"]] - cells[["Age", "HeteroAge"]].transform("mean"))[varies]
    r = pearson_r(centred["Age"], centred["HeteroAge"]) if len(centred) else np.nan
    r = 0.0 if np.isnan(r) else abs(r)
    n_cells = predictions[varies].groupby(["Tissue", "fold"]).ngroups
    limit = SHUFFLED_ERRORS / np.sqrt(max(len(centred) - n_cells, 1))
    constant, no_power = 1 - varies.mean(), ""
    if constant > LEAST_POWER:
        no_power = f"{constant:.0%} of the predictions are constant within tissue and fold"
    elif limit >= LEAST_POWER:
        no_power = f"{len(centred)} samples are too few"
    meaning = (
        "absolute r of predicted with actual age, within tissue and fold, after training on ages shuffled within "
        f"tissue: about 0, at most {SHUFFLED_ERRORS} standard errors"
    )
    return verdict_of("shuffled_ages", r, limit, meaning, no_power)


# A planted feature that encodes the study


def planted_shift(samples: pd.DataFrame, seed: int) -> NDArray[np.float64]:
    """Return the age shift of each sample: 20 years for every other group, 0 for the rest."""
    groups = pd.Series(sorted(samples["group"].unique()))
    ranked = groups.iloc[np.argsort(draws(groups, seed))]
    return np.where(samples["group"].isin(ranked.iloc[::2]), SHIFT, 0.0)


def plant_study(samples: pd.DataFrame, pcs: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Shift the ages of every other group, and add RF_PCs that encode each sample's group.

    The methylation does not contain the shift, so only a model that was trained on the group can predict it.
    """
    last = max(int(name.removeprefix("RF_PC")) for name in pc_columns(pcs.columns))
    groups = enumerate(sorted(samples["group"].unique()), start=last + 1)
    codes = {f"RF_PC{k}": (samples["group"] == group).to_numpy(np.float64) for k, group in groups}
    shifted = (samples["Age"] + planted_shift(samples, seed)).round(6)
    return samples.assign(Age=shifted), pd.concat([pcs, pd.DataFrame(codes, index=pcs.index)], axis=1)


def judge_planted_study(samples: pd.DataFrame, predictions: pd.DataFrame) -> Verdict:
    """Measure the fraction of the planted shift in the out-of-fold predictions.

    samples : with their actual ages, group, and the planted `shift`
    predictions : HeteroAge of the planted run, rows as in `samples`
    """
    beyond = predictions["HeteroAge"].to_numpy() - samples["Age"].to_numpy()
    by_group = pd.DataFrame({"beyond": beyond, "shift": samples["shift"], "group": samples["group"]})
    means = by_group.groupby("group").mean()
    shifted = means["shift"] > 0
    return judge_shares(means.loc[shifted, "beyond"].to_numpy(), means.loc[~shifted, "beyond"].to_numpy())


def judge_shares(with_shift: NDArray[np.float64], without: NDArray[np.float64]) -> Verdict:
    """Compare the groups' mean errors (years) with and without the shift.

    The test is inconclusive if the groups vary so much that the limit is half the shift or more. It is also
    inconclusive with fewer than two groups of either kind, because their variation is then unknown.
    """
    share = (with_shift.mean() - without.mean()) / SHIFT
    limit, no_power = 1.0, f"{len(with_shift)} and {len(without)} groups with and without the shift are too few"
    if min(len(with_shift), len(without)) > 1:
        variance = with_shift.var(ddof=1) / len(with_shift) + without.var(ddof=1) / len(without)
        limit, no_power = max(SHARE_LIMIT, STANDARD_ERRORS * np.sqrt(variance) / SHIFT), ""
        if limit >= LEAST_POWER:
            groups = len(with_shift) + len(without)
            no_power = f"{groups} groups scatter so much that a leak of half the shift would pass"
    meaning = (
        f"share of a shift of {SHIFT:g} years, planted in every other study with features that name the study, that "
        "predictions of held-out studies know: about 0 or below"
    )
    return verdict_of("planted_study", share, limit, meaning, no_power)


# Random sets of CpGs instead of a hallmark's


def draw_random_sets(
    features: Sequence[str], own: Sequence[str], n_sets: int, seed: int, hallmark: str
) -> list[list[str]]:
    """Draw sets of as many features as `own` has, from all features but these; sorted within a set.

    The draw depends on the hallmark's name and the seed. If there are too few other features, sets are drawn from all
    features.
    """
    hallmark_features, ordered = set(own), sorted(features)
    others = [name for name in ordered if name not in hallmark_features]
    pool = others if len(others) >= 2 * len(own) else ordered
    rng = np.random.default_rng(draws(pd.Series([hallmark]), seed)[0])
    return [sorted(pool[k] for k in rng.choice(len(pool), len(own), replace=False)) for _ in range(n_sets)]


def compare_with_random_sets(
    summary: pd.DataFrame, importance: pd.DataFrame, scores: Mapping[str, NDArray[np.float64]]
) -> pd.DataFrame:
    """Rank each hallmark's R2 on the residual among those of random sets of the same size.

    summary : Stage2_Performance_Summary
    importance : Stage3_Attention_Importance
    scores : {hallmark: R2 of each random set}
    Returns a frame with hallmark, statistic (R2_Residual), rank (1 is best), n_random, p_value ((1 + random sets at
    least as good) / (1 + random sets), Phipson and Smyth 2010), the random sets' median and 95th percentile, skill,
    contribution_years, leaned_on and verdict.
    """
    years = importance.set_index("feature")["mean_abs_contribution_years"]
    random = [scores[hallmark] for hallmark in summary["hallmark"]]
    table = summary[["hallmark"]].assign(statistic=summary["R2_Residual"])
    table["rank"] = [1 + int((r2 >= own).sum()) for r2, own in zip(random, table["statistic"], strict=True)]
    table["n_random"] = list(map(len, random))
    table["p_value"] = table["rank"] / (1 + table["n_random"])
    table["random_median"] = list(map(np.median, random))
    table["random_95"] = [np.quantile(r2, 0.95) for r2 in random]
    table["skill"] = summary["skill"]
    table["contribution_years"] = [years.get(f"{hallmark}{CORRECTION}", 0.0) for hallmark in table["hallmark"]]
    table["leaned_on"] = table["skill"] & (table["contribution_years"] >= LEANS_ON)
    better = np.where(table["p_value"] <= SIGNIFICANCE, "better than random sets", "no better than random sets")
    return table.assign(verdict=np.where(table["skill"], better, "no skill"))


def judge_random_sets(table: pd.DataFrame) -> Verdict:
    """Count the hallmarks on which HeteroAge relies although random sets are equally good."""
    leaned_on = int(table["leaned_on"].sum())
    unproven = table.loc[table["leaned_on"] & (table["p_value"] > SIGNIFICANCE), "hallmark"].tolist()
    meaning = (
        f"of {leaned_on} hallmarks that HeteroAge leans on (at least {LEANS_ON:g} years on average), those that random "
        f"CpG sets of the same size match (p > {SIGNIFICANCE:g})"
        + (f" ({', '.join(unproven[:5])})" if unproven else "")
    )
    return verdict_of("random_sets", len(unproven), 0, meaning, "" if leaned_on else "HeteroAge leans on no hallmark")


# Near-identical arrays


def judge_near_duplicates(pairs: pd.DataFrame, samples: pd.DataFrame) -> Verdict:
    """Count the pairs of near-identical arrays that lie in different folds.

    pairs : frame of `sample_1`, `sample_2`, as the audit found them among all samples
    samples : the training samples, with `fold`
    """
    fold = samples.set_index("sample_id")["fold"]
    pairs = pairs[["sample_1", "sample_2"]].drop_duplicates()
    pairs = pairs[pairs["sample_1"].isin(fold.index) & pairs["sample_2"].isin(fold.index)]
    split = pairs[fold[pairs["sample_1"]].to_numpy() != fold[pairs["sample_2"]].to_numpy()]
    names = [f"{a} and {b}" for a, b in split.to_numpy()]
    meaning = (
        f"of {len(pairs)} pairs of near-identical arrays among the training samples, those that lie in different folds"
        + (f" ({listed(names)})" if names else "")
    )
    return verdict_of("near_duplicates", len(split), 0, meaning)


# An altered outer fold. A run's training files (samples and folds, RF_PCs, hallmark assignment) and its anchor are made
# again from a store with this fold altered, and compared byte by byte. Later stages read no other files.


def alter_labels(samples: pd.DataFrame, outer_fold: int, seed: int) -> pd.DataFrame:
    """Change Age, Tissue, Sex and Is_Healthy of every sample of an outer fold."""
    rows, rng = np.flatnonzero(samples["outer_fold"] == outer_fold), np.random.default_rng(seed)
    altered = samples.reset_index(drop=True)
    altered["Is_Healthy"] = altered["Is_Healthy"].astype(str) == "True"
    altered.loc[rows, "Age"] = np.round(rng.uniform(0, OLDEST, len(rows)), 1)
    tissues = rng.permutation([*samples["Tissue"].unique(), UNKNOWN])
    altered.loc[rows, "Tissue"] = tissues[rng.integers(0, len(tissues), len(rows))]
    altered.loc[rows, "Sex"] = rng.choice(["F", "M", UNKNOWN], len(rows))
    altered.loc[rows, "Is_Healthy"] = ~altered.loc[rows, "Is_Healthy"]
    return altered


def alter_methylation(store: Path, altered: Path, columns: NDArray[np.int64], seed: int, threads: int = 1) -> None:
    """Copy a store (features x samples) with random values, a tenth of them missing, in `columns`.

    The values depend on the seed only, not on the number of threads.
    """
    own = np.load(store, mmap_mode="r")
    copy = create_matrix(altered, own.shape)

    def alter(start: int) -> None:
        block = np.array(own[start : start + FEATURES_PER_BLOCK])
        rng = np.random.default_rng([seed, start])
        values = rng.uniform(0, 1, (len(block), len(columns)))
        values[rng.random(values.shape) < MISSING_SHARE] = np.nan
        block[:, columns] = values
        copy[start : start + len(block)] = block

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(alter, range(0, len(own), FEATURES_PER_BLOCK)))


def compare_files(own: Mapping[str, str | Path], again: Mapping[str, str | Path]) -> pd.DataFrame:
    """Compare files byte by byte; returns a frame with `file` and `same`, one row per name in `own`."""
    same = [Path(path).read_bytes() == Path(again[name]).read_bytes() for name, path in own.items()]
    return pd.DataFrame({"file": list(own), "same": same})


def judge_altered_fold(compared: pd.DataFrame) -> Verdict:
    """Count the files that changed."""
    changed = compared.loc[~compared["same"], "file"].tolist()
    meaning = (
        f"of {len(compared)} files of the run that leaves outer fold 0 out (samples and folds, RF_PCs, hallmark "
        "assignment, anchor), those that change a byte when that fold's methylation, ages, tissues, sexes and health "
        "are altered" + (f" ({', '.join(changed[:5])})" if changed else "")
    )
    return verdict_of("altered_fold", len(changed), 0, meaning)
