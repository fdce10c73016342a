"""Reference samples: simulated samples with their predicted ages, stored in the folder to test later versions.

They are drawn from the stored mean and scale of the features, so the folder contains no data of people.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heteroage.clock import artifacts
from heteroage.clock.loading import load_clock
from heteroage.clock.master_table import open_tables
from heteroage.clock.output import writing
from heteroage.clock.predict import Clock
from heteroage.errors import HeteroAgeError, listed

SAMPLES = 8
TOLERANCE = 1e-9  # years
MISSING = 0.05  # fraction of the CpGs that are missing in a reference sample


def reference_samples(clock: Clock) -> dict[str, list | NDArray[np.float64]]:
    """Simulate a table: values within 1.5 standard deviations of the mean, cycling through tissues and sexes."""
    rows: dict[str, list | NDArray[np.float64]] = {"sample_id": [f"reference_{k + 1}" for k in range(SAMPLES)]}
    for name in ("Tissue", "Sex"):
        levels = clock.meta["categories"].get(name) or ["unknown"]
        rows[name] = [levels[k % len(levels)] for k in range(SAMPLES)]
    rows["Age"] = np.linspace(20, 80, SAMPLES).round()
    for feature in clock.cpgs_read:
        mean, scale = _spread(clock, feature)
        drawn = np.array([_uniform(f"{feature} {k}") for k in range(SAMPLES)])
        values = np.clip(mean + 1.5 * scale * (2 * drawn - 1), 0.0, 1.0).round(6)
        # The first sample is complete; the others have missing values.
        lacks = np.array([k > 0 and _uniform(f"missing {feature} {k}") < MISSING for k in range(SAMPLES)])
        rows[feature] = np.where(lacks, np.nan, values)
    if clock.loadings is None:
        for name in clock.pc_names:
            centre = clock.meta["pc_medians"][name]
            rows[name] = np.array([centre + (_uniform(f"{name} {k}") - 0.5) for k in range(SAMPLES)]).round(6)
    return rows


def write_reference(folder: Path, clock: Clock) -> None:
    """Store reference samples and their predictions."""
    (folder / artifacts.REFERENCE_SAMPLES).parent.mkdir(exist_ok=True)
    with writing([folder / artifacts.REFERENCE_SAMPLES]) as (writer,):
        writer.write(reference_samples(clock))
    with writing([folder / artifacts.REFERENCE_PREDICTIONS]) as (writer,):
        for rows, _ in _predicted(folder, clock):
            writer.write(rows)


def verify_folder(folder: Path, public_key: Path | None = None) -> str:
    """Check a folder, predict its reference samples again, and compare; returns a report to print.

    Raises HeteroAgeError: the folder was modified after it was sealed or signed; a prediction differs from the stored
    one.
    """
    clock = load_clock(folder, public_key)
    manifest = artifacts.verify(folder, public_key)
    signed = "; its signature is the key's" if public_key else ""
    unopened = [name for name in manifest["files"] if name.endswith(".joblib")]
    warning = ""
    if unopened:
        warning = (
            f"\nNot opened: joblib files ({listed(unopened)}). Loading one with joblib runs any code in it. Do so only "
            "if you trust the author of the folder. `heteroage` never loads them."
        )
    head = f"{folder}: format version {manifest['format_version']}, {len(manifest['files'])} files as sealed{signed}."
    absent = [
        name for name in (artifacts.REFERENCE_SAMPLES, artifacts.REFERENCE_PREDICTIONS) if name not in manifest["files"]
    ]
    if absent:
        return f"{head} It holds no reference samples to predict again.{warning}"
    stored = _stored(folder)
    predicted = [rows for rows, _ in _predicted(folder, clock)]
    worst, compared, differ = 0.0, 0, []
    for rows in predicted:
        for k, sample in enumerate(rows["sample_id"]):
            for name, cells in rows.items():
                if not isinstance(cells, np.ndarray):
                    continue
                gap = _gap(float(cells[k]), stored.get(name, {}).get(sample, np.nan))
                worst, compared = max(worst, gap), compared + 1
                if gap > TOLERANCE:
                    differ.append(f"{name} of {sample} by {gap:g}")
    if differ or not compared:
        raise HeteroAgeError(
            f"{folder}: predictions of this version differ from the stored ones ({listed(differ)}). Use the "
            f"version that created it ({manifest.get('software', {}).get('heteroage-clock', 'unknown')}), or "
            f"ask its author."
        )
    return (
        f"{head} {len(stored['HeteroAge'])} reference samples get their stored ages "
        f"(largest gap {worst:.1e} years).{warning}"
    )


def _predicted(folder: Path, clock: Clock) -> list:
    table = open_tables([folder / artifacts.REFERENCE_SAMPLES], clock.wanted)
    return list(clock.for_our_tables().stream("predict", table, allow_missing=True))


def _stored(folder: Path) -> dict[str, dict[str, float]]:
    from heteroage.clock.loading import columns_of

    where = artifacts.REFERENCE_PREDICTIONS
    columns = columns_of((folder / where).read_bytes(), where, ("sample_id", "Tissue", "Sex", "Flags"))
    if "sample_id" not in columns or "HeteroAge" not in columns:
        raise HeteroAgeError(f"{where} contains no predictions. Copy the folder again.")
    ids = columns["sample_id"]
    return {name: dict(zip(ids, map(float, cells), strict=True)) for name, cells in columns.items() if _numeric(cells)}


def _numeric(cells: NDArray) -> bool:
    return cells.dtype.kind == "f"


def _gap(one: float, other: float) -> float:
    if np.isnan(one) and np.isnan(other):
        return 0.0
    gap = abs(one - other)
    return float("inf") if np.isnan(gap) else gap


def _spread(clock: Clock, feature: str) -> tuple[float, float]:
    for key, k in clock.terms.get(feature, []):
        return float(clock.models[key].mean[k]), float(clock.models[key].scale[k])
    row = clock.loadings.row[feature]
    return float(clock.loadings.mean[row]), 0.05


def _uniform(text: str) -> float:
    """Return a pseudo-random number in [0, 1) from a hash of the text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
