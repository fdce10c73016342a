"""Attempts to prove a clock's numbers wrong, and the certificate of how they ended.

Each test plants or removes something that an honest training cannot profit from, and measures whether it did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.errors import listed
from heteroage.grouping.folds import draws
from heteroage.inputs.cohorts import pc_columns
from heteroage.labels import OLDEST, UNKNOWN
from heteroage.metrics import pearson_r

SHIFT = 20.0  # years that the planted test adds to every other group
SHARE_LIMIT = 0.25  # of the planted shift that may come through, where the groups scatter little
STANDARD_ERRORS = 3
SHUFFLED_ERRORS = 4
SIGNIFICANCE = 0.05
LEANS_ON = 0.1  # years of mean absolute contribution from which HeteroAge is said to lean on a hallmark


@dataclass(frozen=True)
class Verdict:
    """A row of the certificate."""

    test: str
    measured: float
    limit: float
    passed: bool
    meaning: str


def certificate(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Tabulate the verdicts: test, measured, limit, passed, meaning."""
    return pd.DataFrame([asdict(verdict) for verdict in verdicts])


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

    Centring takes out what a model may know (a tissue's mean age) and the bias of held-out means. Within a cell
    held-out ages are then in any order alike, so that r has mean 0 and standard error 1 / sqrt(n - cells).
    """
    cells = predictions.groupby(["Tissue", "fold"])
    centred = predictions[["Age", "HeteroAge"]] - cells[["Age", "HeteroAge"]].transform("mean")
    r = pearson_r(centred["Age"], centred["HeteroAge"])
    r = 0.0 if np.isnan(r) else abs(r)
    limit = SHUFFLED_ERRORS / np.sqrt(max(len(predictions) - cells.ngroups, 1))
    return Verdict(
        "shuffled_ages",
        r,
        limit,
        r <= limit,
        "absolute r of predicted with actual age, within tissue, after training on ages shuffled within tissue: about "
        f"0, at most {SHUFFLED_ERRORS} standard errors",
    )


# A planted feature that encodes the study


def planted_shift(samples: pd.DataFrame, seed: int) -> NDArray[np.float64]:
    """Years by which each sample's group is shifted: 20 for every other group, 0 for the rest."""
    groups = pd.Series(sorted(samples["group"].unique()))
    ranked = groups.iloc[np.argsort(draws(groups, seed))]
    shifted = set(ranked.iloc[::2])
    return np.where(samples["group"].isin(shifted), SHIFT, 0.0)


def plant_study(samples: pd.DataFrame, pcs: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Shift the ages of every other group, and add RF_PCs that say of each sample which group it is of.

    The shift is nowhere in the methylation: only a model that has seen the group itself can know it.
    """
    last = max(int(name.removeprefix("RF_PC")) for name in pc_columns(pcs.columns))
    codes = pd.DataFrame(
        {
            f"RF_PC{last + 1 + k}": (samples["group"] == group).to_numpy(np.float64)
            for k, group in enumerate(sorted(samples["group"].unique()))
        },
        index=pcs.index,
    )
    shifted = (samples["Age"] + planted_shift(samples, seed)).round(6)
    return samples.assign(Age=shifted), pd.concat([pcs, codes], axis=1)


def judge_planted_study(samples: pd.DataFrame, predictions: pd.DataFrame) -> Verdict:
    """Measure the share of the planted shift that out-of-fold predictions know.

    Parameters
    ----------
    samples : with their actual ages, group, and the planted `shift`
    predictions : HeteroAge of the planted run, rows as in `samples`
    """
    beyond = predictions["HeteroAge"].to_numpy() - samples["Age"].to_numpy()
    by_group = pd.DataFrame({"beyond": beyond, "shift": samples["shift"], "group": samples["group"]})
    means = by_group.groupby("group").mean()
    with_shift, without = (means.loc[chosen, "beyond"] for chosen in (means["shift"] > 0, means["shift"] == 0))
    share = (with_shift.mean() - without.mean()) / SHIFT
    error = np.sqrt(with_shift.var(ddof=1) / len(with_shift) + without.var(ddof=1) / len(without)) / SHIFT
    limit = max(SHARE_LIMIT, STANDARD_ERRORS * (0.0 if np.isnan(error) else error))
    return Verdict(
        "planted_study",
        float(share),
        float(limit),
        bool(share <= limit),
        f"share of a shift of {SHIFT:g} years, planted in every other study with features that name the study, that "
        "predictions of held-out studies know: about 0 or below",
    )


# A held-out study's labels altered


def alter_labels(samples: pd.DataFrame, outer_fold: int, seed: int) -> pd.DataFrame:
    """Change Age, Tissue, Sex and Is_Healthy of every sample of an outer fold."""
    held_out = (samples["outer_fold"] == outer_fold).to_numpy()
    rng = np.random.default_rng(seed)
    altered = samples.copy()
    altered["Is_Healthy"] = altered["Is_Healthy"].astype(str) == "True"
    altered.loc[held_out, "Age"] = np.round(rng.uniform(0, OLDEST, held_out.sum()), 1)
    altered.loc[held_out, "Tissue"] = rng.permutation([*samples["Tissue"].unique(), UNKNOWN])[
        rng.integers(0, samples["Tissue"].nunique() + 1, held_out.sum())
    ]
    altered.loc[held_out, "Sex"] = rng.choice(["F", "M", UNKNOWN], held_out.sum())
    altered.loc[held_out, "Is_Healthy"] = ~altered.loc[held_out, "Is_Healthy"]
    return altered


def judge_altered_labels(before: Mapping, after: Mapping) -> Verdict:
    """Count the artifacts that changed between two manifests, the training data's digest among them."""
    one, other = ({**m["files"], "training data": m["training_data"]} for m in (before, after))
    changed = sorted(name for name in set(one) | set(other) if one.get(name) != other.get(name))
    return Verdict(
        "altered_labels",
        float(len(changed)),
        0.0,
        not changed,
        f"of {len(one)} artifacts of the run that leaves outer fold 0 out, those that changed a byte when that fold's "
        "ages, tissues, sexes and health were altered" + (f" ({', '.join(changed[:5])})" if changed else ""),
    )


# Random sets of CpGs instead of a hallmark's


def draw_random_sets(
    features: Sequence[str], own: Sequence[str], n_sets: int, seed: int, hallmark: str
) -> list[list[str]]:
    """Draw sets of as many features as `own` has, from all features but these; sorted within a set.

    The draw depends on the hallmark's name and the seed. Where fewer other features are left than it takes,
    all features are drawn from.
    """
    others = sorted(set(features) - set(own))
    pool = others if len(others) >= 2 * len(own) else sorted(features)
    rng = np.random.default_rng(draws(pd.Series([hallmark]), seed)[0])
    return [sorted(rng.choice(pool, len(own), replace=False).tolist()) for _ in range(n_sets)]


def compare_with_random_sets(
    summary: pd.DataFrame, importance: pd.DataFrame, scores: Mapping[str, NDArray[np.float64]]
) -> pd.DataFrame:
    """Rank each hallmark's R2 on the residual among those of random sets of the same size.

    Parameters
    ----------
    summary : Stage2_Performance_Summary
    importance : Stage3_Attention_Importance
    scores : {hallmark: R2 of each random set}

    Returns
    -------
    frame with hallmark, statistic (R2_Residual), rank (1 is best), n_random, p_value ((1 + random sets at least as
    good) / (1 + random sets), Phipson and Smyth 2010), the random sets' median and 95th percentile, skill,
    contribution_years, leaned_on and verdict.
    """
    years = importance.set_index("feature")["mean_abs_contribution_years"]
    rows = []
    for row in summary.to_dict("records"):
        hallmark, own = row["hallmark"], row["R2_Residual"]
        random = scores[hallmark]
        at_least = int((random >= own).sum())
        skill = str(row["skill"]) == "True"
        contribution = float(years.get(f"{hallmark}_Correction", 0.0))
        p_value = (1 + at_least) / (1 + len(random))
        verdict = "better than random sets" if p_value <= SIGNIFICANCE else "no better than random sets"
        rows.append(
            {
                "hallmark": hallmark,
                "statistic": own,
                "rank": 1 + at_least,
                "n_random": len(random),
                "p_value": p_value,
                "random_median": float(np.median(random)),
                "random_95": float(np.quantile(random, 0.95)),
                "skill": skill,
                "contribution_years": contribution,
                "leaned_on": skill and contribution >= LEANS_ON,
                "verdict": verdict if skill else "no skill",
            }
        )
    return pd.DataFrame(rows)


def judge_random_sets(table: pd.DataFrame) -> Verdict:
    """Count the hallmarks that HeteroAge leans on although random sets do as well."""
    unproven = table.loc[table["leaned_on"] & (table["p_value"] > SIGNIFICANCE), "hallmark"].tolist()
    return Verdict(
        "random_sets",
        float(len(unproven)),
        0.0,
        not unproven,
        f"of {int(table['leaned_on'].sum())} hallmarks that HeteroAge leans on (at least {LEANS_ON:g} years on "
        f"average), those that random CpG sets of the same size match (p > {SIGNIFICANCE:g})"
        + (f" ({', '.join(unproven[:5])})" if unproven else ""),
    )


# Near-identical arrays


def judge_near_duplicates(pairs: pd.DataFrame, samples: pd.DataFrame) -> Verdict:
    """Count the pairs of near-identical arrays that lie in different folds.

    Parameters
    ----------
    pairs : frame of `sample_1`, `sample_2`, as the audit found them among all samples
    samples : the training samples, with `fold`
    """
    fold = samples.set_index("sample_id")["fold"]
    pairs = pairs[["sample_1", "sample_2"]].drop_duplicates()
    pairs = pairs[pairs["sample_1"].isin(fold.index) & pairs["sample_2"].isin(fold.index)]
    split = pairs[fold[pairs["sample_1"]].to_numpy() != fold[pairs["sample_2"]].to_numpy()]
    names = [f"{a} and {b}" for a, b in split.to_numpy()]
    return Verdict(
        "near_duplicates",
        float(len(split)),
        0.0,
        split.empty,
        f"of {len(pairs)} pairs of near-identical arrays among the training samples, those that lie in different folds"
        + (f" ({listed(names)})" if names else ""),
    )
