"""Files added to a run's artifacts during assembly: applicability statistics and reference samples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from heteroage.clock import artifacts
from heteroage.clock.applicability import Applicability, learn_distance, learn_slopes
from heteroage.clock.cohort import StudyErrors
from heteroage.clock.columns import ANCHOR, CORRECTION
from heteroage.clock.factors import learn_covariance
from heteroage.clock.loading import read_parts
from heteroage.clock.predict import Clock
from heteroage.clock.reference import write_reference
from heteroage.files import read_table, write_json, write_table
from heteroage.probes import is_pc
from heteroage.stages.training_data import TrainingData

PREDICTIONS = "stage3/Stage3_Final_Predictions_OOF.csv"
OUT_OF_FOLD = ("stage1/Stage1_Global_Anchor_OOF.csv", "stage2/Stage2_Expert_OOF_Corrections.csv")


def read_unsealed(folder: Path) -> Clock:
    """Load the clock from a folder that is not yet sealed."""
    present = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return read_parts(lambda name: (folder / name).read_bytes(), present)


def add_reference(folder: Path) -> None:
    """Write the reference samples and their ages into the folder."""
    write_reference(folder, read_unsealed(folder))


def add_applicability(folder: Path, data: TrainingData, accuracy: pd.DataFrame | None = None) -> None:
    """Compute the statistics for flags and Imputed_Years from the training samples, and write them into the folder.

    accuracy : accuracy table of nested runs, if they exist; it then provides the studies' biases
    """
    clock = read_unsealed(folder)
    names = sorted({*clock.terms, *clock.cpgs_read, *clock.pc_names})
    values = data.values(names).astype(np.float64)
    anchor = [k for k, name in enumerate(names) if name in clock.anchor_place]
    limit = learn_distance(values[anchor], data.fold)
    ages = data.samples["Age"].to_numpy(np.float64)
    anchor_oof, corrections = (read_table(folder / name).set_index("sample_id") for name in OUT_OF_FOLD)
    ids = data.samples["sample_id"]
    frame = {ANCHOR: anchor_oof.loc[ids, ANCHOR].to_numpy(np.float64)}
    for hallmark in clock.experts:
        frame[f"{hallmark}{CORRECTION}"] = corrections.loc[ids, f"{hallmark}{CORRECTION}"].to_numpy(np.float64)
    pcs = dict(zip(clock.pc_names, data.values(clock.pc_names).astype(np.float64), strict=True))
    added = added_by_fusion(clock, frame, pcs, data.samples)
    studies = study_errors(read_table(folder / PREDICTIONS), data.samples, accuracy)
    write_applicability(folder, ages, limit, added, frame | pcs, values, names, data.fold, studies)


def study_errors(predictions: pd.DataFrame, samples: pd.DataFrame, accuracy: pd.DataFrame | None) -> StudyErrors | None:
    """Return errors of held-out studies: out of fold, with the biases of nested runs if they exist."""
    predictions = predictions.sort_values("sample_id")
    group = samples.set_index("sample_id").loc[predictions["sample_id"], "group"].to_numpy()
    nested = None
    if accuracy is not None:
        own = accuracy[(accuracy["model"] == "HeteroAge") & (accuracy["stratum"] == "project_id")]
        nested = dict(zip(own["level"], zip(own["n"], own["Bias"], strict=True), strict=True))
    error = (predictions["HeteroAge"] - predictions["Age"]).to_numpy(np.float64)
    return StudyErrors.learn(error, predictions["project_id"].to_numpy(str), group.astype(str), nested)


def write_applicability(
    folder: Path,
    ages: np.ndarray,
    distance_limit: float,
    added: np.ndarray,
    frame: Mapping[str, np.ndarray],
    values: np.ndarray,
    names: list[str],
    fold: np.ndarray,
    studies: StudyErrors | None = None,
) -> None:
    """Write Applicability.json and Feature_Covariance.csv; `values` are (features, samples), missing as NaN."""
    slopes = learn_slopes(added, frame, ANCHOR)
    limits = Applicability(float(ages.min()), float(ages.max()), distance_limit, slopes, studies)
    write_json(limits.as_json(), folder / artifacts.APPLICABILITY)
    write_table(covariance_table(values, names, fold), folder / artifacts.COVARIANCE)


def covariance_table(values: np.ndarray, names: list[str], fold: np.ndarray) -> pd.DataFrame:
    """Compute Feature_Covariance.csv: the factor model of the CpGs. RF_PCs have no factors, only a variance."""
    cpgs = [k for k, name in enumerate(names) if not is_pc(name)]
    table = pd.DataFrame(learn_covariance(_filled(values[cpgs]), [names[k] for k in cpgs], fold))
    pcs = [k for k, name in enumerate(names) if is_pc(name)]
    own = {
        "feature": [names[k] for k in pcs],
        "mean": values[pcs].mean(axis=1),
        "own_variance": values[pcs].var(axis=1),
    }
    return pd.concat([table, pd.DataFrame(own)], ignore_index=True).fillna(0.0) if pcs else table


def added_by_fusion(
    clock: Clock, frame: Mapping[str, np.ndarray], pcs: Mapping[str, np.ndarray], samples: pd.DataFrame
) -> np.ndarray:
    """Return the sum of the trees (years) for samples with known results of the earlier stages."""
    columns = []
    for name in clock.meta["feature_order"]:
        if name in clock.meta["categories"]:
            code = {level: float(k) for k, level in enumerate(clock.meta["categories"][name])}
            columns.append(np.array([code.get(level, np.nan) for level in samples[name]]))
        else:
            columns.append(frame[name] if name in frame else pcs[name])
    return clock.fusion.predict(columns)


def _filled(values: np.ndarray) -> np.ndarray:
    some = (~np.isnan(values)).any(axis=1)
    median = np.zeros(len(values))
    median[some] = np.nanmedian(values[some], axis=1)
    return np.where(np.isnan(values), median[:, None], values)
