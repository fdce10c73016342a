"""Assembly of a run's artifacts to the sealed, deployable folder, with statistics of the training samples.

The statistics tell how well the clock applies to a new sample: the range of ages, the largest usual distance from the
training mean, errors of held-out studies, and the factor model that imputes missing values (`clock/imputation.py`):
probabilistic principal components with a separate residual variance per feature (Tipping and Bishop, J. R. Stat. Soc. B
61:611, 1999). The number of factors is chosen by the likelihood of held-out folds.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.clock import artifacts
from heteroage.clock.apply import write_reference
from heteroage.clock.artifacts import ANCHOR, READING, assemble, seal
from heteroage.clock.cohort import Applicability, StudyErrors
from heteroage.clock.loading import read_parts
from heteroage.clock.predict import Clock
from heteroage.files import read_table, sha256_of, write_json, write_table, write_text
from heteroage.labels import UNKNOWN
from heteroage.probes import is_pc
from heteroage.report.model_card import describe, render
from heteroage.stages.training_data import TrainingData
from heteroage.tables.metadata import Conventions

PREDICTIONS = "stage3/Stage3_Final_Predictions_OOF.csv"
OOF_TABLES = ("stage1/Stage1_Global_Anchor_OOF.csv", "stage2/Stage2_Expert_OOF_Corrections.csv")
DISTANCE_QUANTILE = 0.99
CANDIDATES = (0, 1, 2, 4, 8, 12)  # numbers of factors
# Smallest residual variance, as a fraction of a feature's variance, because no CpG follows exactly from others.
LEAST_OWN = 0.05
# With more samples, only every second, third, ... is used. Covariances hardly change, and time stays bounded.
MOST_SAMPLES = 3000


def assemble_run(
    inputs: Mapping,
    target: Path,
    conventions: Mapping[str, object],
    start_from: Mapping[str, object] | None,
    alphas: Mapping[str, Mapping[str, float]],
) -> None:
    """Assemble in a temporary folder and rename it, so that the final folder is always complete.

    inputs : `artifacts` (files below results/<run>/artifacts), `experts` (their models, or their folder), the files of
        `TrainingData.open`, `duplicates` (table of near-identical arrays), and tables for the model card, if any
    conventions : conventions of the lab's tables (`config.lab_conventions`)
    start_from : config entry of the published clock
    alphas : alpha grids of `stage1` and `stage2` in the config
    """
    root = target.with_name(target.name.removesuffix("_artifacts")) / "artifacts"
    beside = target.with_name(f".{target.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    experts = map(Path, inputs["experts"])
    models = [model for path in experts for model in (path.glob("*.joblib") if path.is_dir() else [path])]
    assemble([*map(Path, inputs["artifacts"]), *sorted(models)], root, beside)
    data = TrainingData.open(inputs)
    tables = {name: read_table(inputs[name]) for name in ("accuracy", "coverage", "certificate") if name in inputs}
    with ThreadPoolExecutor(1) as pool:  # the digest reads all values, beside the other steps
        digest = pool.submit(training_digest, [inputs[name] for name in ("samples", "names", "pcs")], data)
        add_applicability(beside, data, tables.get("accuracy"))
        write_reference(beside, read_unsealed(beside))
        training_data = digest.result()
    spellings = sorted(set(data.samples["Tissue"]) - {UNKNOWN})
    write_json(Conventions.of(**conventions, tissues=spellings).as_json(), beside / READING)
    card = describe(beside, data.samples, training_data, tables, read_table(inputs["duplicates"]), start_from, alphas)
    write_json(card, beside / "MODEL_CARD.json")
    write_text(render(card), beside / "MODEL_CARD.md")
    seal(beside, training_data)
    shutil.rmtree(target, ignore_errors=True)
    beside.rename(target)


def training_digest(files: Sequence[str], data: TrainingData) -> dict[str, object]:
    """Return digests of a run's training samples, values and feature names, and one digest of all."""
    digests = {Path(path).name: sha256_of(path) for path in files} | {"values": data.digest()}
    joined = "".join(f"{name} {digest}\n" for name, digest in sorted(digests.items()))
    return {"sha256": hashlib.sha256(joined.encode()).hexdigest(), "files": digests}


def read_unsealed(folder: Path) -> Clock:
    """Load the clock from a folder that is not yet sealed."""
    present = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return read_parts(lambda name: (folder / name).read_bytes(), present)


def add_applicability(folder: Path, data: TrainingData, accuracy: pd.DataFrame | None = None) -> None:
    """Compute the statistics for flags and Imputed_Years from the training samples, and write them into the folder.

    accuracy : accuracy table of nested runs, if they exist; it then provides the studies' biases
    """
    clock = read_unsealed(folder)
    names = sorted({*clock.terms, *clock.pc_names})
    values = data.values(names).astype(np.float64)
    limit = learn_distance(values[[k for k, name in enumerate(names) if name in clock.anchor_place]], data.fold)
    anchor_oof, corrections = (read_table(folder / name).set_index("sample_id") for name in OOF_TABLES)
    ids = data.samples["sample_id"]
    frame = {ANCHOR: anchor_oof.loc[ids, ANCHOR].to_numpy(np.float64)}
    for name in clock.corrections:
        frame[name] = corrections.loc[ids, name].to_numpy(np.float64)
    pcs = dict(zip(clock.pc_names, data.values(clock.pc_names).astype(np.float64), strict=True))
    added = added_by_fusion(clock, frame, pcs, data.samples)
    studies = study_errors(read_table(folder / PREDICTIONS), data.samples, accuracy)
    ages = data.samples["Age"].to_numpy(np.float64)
    limits = Applicability(float(ages.min()), float(ages.max()), limit, learn_slopes(added, frame | pcs), studies)
    write_json(limits.as_json(), folder / artifacts.APPLICABILITY)
    write_table(covariance_table(values, names, data.fold), folder / artifacts.COVARIANCE)


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


def covariance_table(values: NDArray, names: list[str], fold: NDArray) -> pd.DataFrame:
    """Compute Feature_Covariance.csv: the factor model of the CpGs. RF_PCs have no factors, only a variance.

    values : (features, samples), missing as NaN
    """
    pcs, names = np.array([is_pc(name) for name in names], dtype=bool), np.array(names, dtype=object)
    filled = values[~pcs]
    for row in filled:
        missing = np.isnan(row)
        row[missing] = 0.0 if missing.all() else np.median(row[~missing])
    table = pd.DataFrame(learn_covariance(filled, names[~pcs].tolist(), fold))
    own = {"feature": names[pcs], "mean": values[pcs].mean(axis=1), "own_variance": values[pcs].var(axis=1)}
    return pd.concat([table, pd.DataFrame(own)], ignore_index=True).fillna(0.0) if pcs.any() else table


def added_by_fusion(
    clock: Clock, frame: Mapping[str, NDArray], pcs: Mapping[str, NDArray], samples: pd.DataFrame
) -> NDArray[np.float64]:
    """Return the sum of the trees (years) for samples with known results of the earlier stages."""
    known = {**pcs, **frame, **{name: samples[name] for name in clock.meta["categories"]}}
    return clock.fusion.predict([clock.encoded(name, known[name]) for name in clock.meta["feature_order"]])


def distance_of(values: NDArray[np.float64], mean: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray:
    """Root mean squared deviation from the mean in standard deviations, (samples,) from (features, samples)."""
    squares = ((values - mean[:, None]) / scale[:, None]) ** 2
    measured = (~np.isnan(squares)).sum(axis=0)
    return np.sqrt(np.nansum(squares, axis=0) / np.maximum(measured, 1))


def learn_distance(values: NDArray[np.float64], fold: NDArray[np.int64]) -> float:
    """Return the 99th percentile of distances, with mean and scale of the other folds; values (features, samples)."""
    distances = np.zeros(values.shape[1])
    for k in np.unique(fold):
        others = values[:, fold != k] if (fold != k).any() else values
        some = (~np.isnan(others)).any(axis=1)
        mean, scale = np.zeros(len(values)), np.ones(len(values))
        mean[some], spread = np.nanmean(others[some], axis=1), np.nanstd(others[some], axis=1)
        scale[some] = np.where(spread > 0, spread, 1.0)
        distances[fold == k] = distance_of(values[:, fold == k], mean, scale)
    return float(np.quantile(distances, DISTANCE_QUANTILE)) if len(values) else 0.0


def learn_slopes(added: NDArray[np.float64], frame: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Fit a linear approximation of the fusion: years of HeteroAge per year of the anchor and of each correction.

    added : HeteroAge - anchor of the training samples, years
    frame : the anchor and the corrections of the same samples
    """
    names = list(frame)
    slopes = dict.fromkeys(names, 0.0)
    if np.ptp(added) > 0:
        X = np.array([frame[name] - frame[name].mean() for name in names]).T
        solved = np.linalg.lstsq(X, added - added.mean(), rcond=1e-10)[0]
        slopes = {name: float(f"{value:.8g}") for name, value in zip(names, solved, strict=True)}
    slopes[ANCHOR] += 1.0
    return slopes


def learn_covariance(values: NDArray, names: Sequence[str], fold: NDArray[np.int64]) -> dict[str, list]:
    """Estimate factors and residual variances of the features; returns the columns of Feature_Covariance.csv.

    values : (features, samples), missing values at the training median
    fold : each sample's fold; whole groups share one
    """
    step = -(-values.shape[1] // MOST_SAMPLES)
    order = np.argsort(fold, kind="stable")[:: max(step, 1)]
    values = np.asarray(values, dtype=np.float64)
    kept, mean, scale = values[:, order], values.mean(axis=1), values.std(axis=1)
    k = choose_factors(kept[scale > 0], fold[order])
    loadings = np.zeros((len(values), k))
    if k:
        loadings[scale > 0] = principal_loadings(_standardised(kept[scale > 0])[0], k)
    own = np.maximum(1.0 - (loadings**2).sum(axis=1), LEAST_OWN) * scale**2
    factors = loadings * scale[:, None]
    # Eight significant digits are stored.
    columns: dict[str, list] = {"feature": list(names)}
    for name, numbers in (("mean", mean), ("own_variance", own)):
        columns[name] = [float(f"{x:.8g}") for x in numbers]
    return columns | {f"factor_{j + 1}": [float(f"{x:.8g}") for x in factors[:, j]] for j in range(k)}


def choose_factors(values: NDArray[np.float64], fold: NDArray[np.int64]) -> int:
    """Return the number of factors in CANDIDATES with the largest held-out likelihood; ties go to fewer factors."""
    features, n = values.shape
    folds = np.unique(fold)
    candidates = [k for k in CANDIDATES if k < min(features, n - n // max(len(folds), 1))]
    if len(folds) < 2 or len(candidates) < 2:
        return 0
    total = np.zeros(len(candidates))
    for one in folds:
        Z, mean, scale = _standardised(values[:, fold != one])
        loadings = principal_loadings(Z, candidates[-1])
        held_out = (values[:, fold == one] - mean) / scale
        for c, k in enumerate(candidates):
            total[c] += log_likelihood(held_out, loadings[:, :k])
    return candidates[int(np.argmax(total))]


def principal_loadings(Z: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Return the loadings (features, k) of the first k principal components of standardised features (features, n)."""
    features, n = Z.shape
    wide = features > n  # the smaller of the two Gram matrices has the same eigenvalues
    eigenvalues, vectors = np.linalg.eigh((Z.T @ Z if wide else Z @ Z.T) / n)
    top = np.argsort(eigenvalues)[::-1][:k]
    return Z @ vectors[:, top] / np.sqrt(n) if wide else vectors[:, top] * np.sqrt(np.maximum(eigenvalues[top], 0.0))


def log_likelihood(Z: NDArray[np.float64], loadings: NDArray[np.float64]) -> float:
    """Return the log-likelihood, up to a constant, of standardised features (features, samples)."""
    own = np.maximum(1.0 - (loadings**2).sum(axis=1), LEAST_OWN)
    scaled = loadings / own[:, None]
    precision = np.eye(loadings.shape[1]) + scaled.T @ loadings
    signal = scaled.T @ Z
    squares = (Z**2 / own[:, None]).sum() - (signal * np.linalg.solve(precision, signal)).sum()
    return float(-0.5 * (squares + Z.shape[1] * (np.log(own).sum() + np.linalg.slogdet(precision)[1])))


def _standardised(values: NDArray[np.float64]) -> tuple[NDArray, NDArray, NDArray]:
    mean = values.mean(axis=1, keepdims=True)
    Z = values - mean
    scale = np.sqrt(np.square(Z).mean(axis=1, keepdims=True))
    scale = np.where(scale > 0, scale, 1.0)
    Z /= scale
    return Z, mean, scale
