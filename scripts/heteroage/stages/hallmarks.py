"""The hallmark dictionary matched to features and orthogonalised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from heteroage.age import transform_age
from heteroage.engine.standardise import Standardiser
from heteroage.errors import HeteroAgeError, listed

if TYPE_CHECKING:
    from heteroage.stages.training_data import TrainingData

BLOCK = 4096  # features at a time: 16 MB per 1,000 samples


def match_features(dictionary: Mapping[str, Sequence[str]], feature_names: Sequence[str]) -> dict[str, list[str]]:
    """Find the features of each hallmark's CpGs in all modalities; CpG names with a suffix match one modality."""
    features_of: dict[str, list[str]] = {cpg: [] for cpgs in dictionary.values() for cpg in cpgs}
    for name in feature_names:
        for cpg in (name.rpartition("_")[0], name):
            if cpg in features_of:
                features_of[cpg].append(name)
    return {
        hallmark: sorted({feature for cpg in cpgs for feature in features_of[cpg]})
        for hallmark, cpgs in dictionary.items()
    }


def absolute_correlation(X: NDArray[np.float32], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """|Pearson's r| of each feature (features, samples) with the target, missing values at the feature's median.

    The result is 0 if a feature is constant or all missing. Features do not affect each other.
    """
    centred = target - target.mean()
    X = np.ascontiguousarray(X)  # the rounding of sums depends on the memory layout
    Z = Standardiser.fit(X).apply(X)
    covariance = np.abs((Z * centred).sum(axis=1)) / (len(target) * (centred.std() or 1.0))
    return np.where(Z.any(axis=1), covariance, 0.0)


def orthogonalise(matched: Mapping[str, Sequence[str]], correlation: Mapping[str, float]) -> dict[str, list[str]]:
    """Assign each feature to the hallmark in which it ranks best by |correlation| with transformed age.

    matched : {hallmark: features}, overlapping
    correlation : {feature: |r|}
    Returns {hallmark: sorted features}, disjoint. Ties go to the hallmark that is first by name. Hallmarks without
    features remain with an empty list.
    """
    best: dict[str, tuple[int, str]] = {}
    for hallmark in sorted(matched):
        ranked = sorted(matched[hallmark], key=lambda feature: (-correlation[feature], feature))
        for rank, feature in enumerate(ranked):
            best[feature] = min(best.get(feature, (rank, hallmark)), (rank, hallmark))
    result: dict[str, list[str]] = {hallmark: [] for hallmark in sorted(matched)}
    for feature in sorted(best):
        result[best[feature][1]].append(feature)
    return result


def assign_features(
    dictionary: Mapping[str, Sequence[str]], data: TrainingData
) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Match a dictionary to a run's features and orthogonalise it by the run's own samples.

    Returns ({hallmark: its features}, {hallmark without an expert: reason}).
    Raises HeteroAgeError: no hallmark has a feature.
    """
    matched = match_features(dictionary, data.with_pcs(False).feature_names)
    offered = sorted(set().union(*matched.values()))
    target = transform_age(data.samples["Age"].to_numpy())
    correlation: dict[str, float] = {}
    for start in range(0, len(offered), BLOCK):
        part = data.restrict(offered[start : start + BLOCK])
        correlation |= zip(part.feature_names, absolute_correlation(part.X, target).tolist(), strict=True)
    orthogonal = orthogonalise(matched, correlation)
    skipped = skipped_hallmarks(matched, orthogonal)
    return {name: features for name, features in orthogonal.items() if name not in skipped}, skipped


def skipped_hallmarks(matched: Mapping[str, Sequence[str]], orthogonal: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the reason for each hallmark that gets no expert.

    Raises HeteroAgeError: no hallmark is left.
    """
    check_any_match(matched)
    skipped = {}
    for hallmark, features in orthogonal.items():
        if not matched[hallmark]:
            skipped[hallmark] = "none of its CpGs is in the data"
        elif not features:
            skipped[hallmark] = "each of its CpGs ranks better in another hallmark"
    return skipped


def check_any_match(matched: Mapping[str, Sequence[str]]) -> None:
    """Reject a dictionary if none of its CpGs is in the data."""
    if not any(matched.values()):
        raise HeteroAgeError(
            f"no hallmark has a CpG in the data (hallmarks {listed(matched)}). Check that inputs.hallmarks names "
            "CpGs as the modality tables do (cg00000029)."
        )
