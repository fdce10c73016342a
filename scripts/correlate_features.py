"""Correlate each feature with transformed age, on a run's training samples."""

import numpy as np

from heteroage.age import transform_age
from heteroage.files import atomic_path
from heteroage.stages.hallmarks import absolute_correlation
from heteroage.stages.training_data import TrainingData
from heteroage.workflow import run_script


def main(samples: str, features: str, names: str, correlation: str) -> None:
    """Write |r| of each CpG feature, in the order of the feature names (the RF_PCs, which come last, left out)."""
    data = TrainingData.open(samples, features, names)
    r = absolute_correlation(data.with_pcs(False).X, transform_age(data.samples["Age"]))
    with atomic_path(correlation) as beside, beside.open("wb") as stream:
        np.save(stream, r)


if __name__ == "__main__":
    run_script(main)
