"""Reference samples: simulated samples with their predicted ages, stored in the folder to test later versions.

They are drawn from the stored mean and scale of the features, so the folder contains no data of people.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from heteroage.clock import artifacts
from heteroage.clock.loading import columns_of, load_clock
from heteroage.clock.master_table import open_tables
from heteroage.clock.output import writing
from heteroage.clock.predict import Clock
from heteroage.clock.sums import Rows
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
        for rows in _predicted(folder, clock):
            writer.write(rows)


def verify_folder(folder: Path, public_key: Path | None = None) -> str:
    """Check a folder, predict its reference samples again, and compare; returns a report to print.

    Raises HeteroAgeError: the folder was modified after it was sealed or signed; a prediction differs from the stored
    one.
    """
    clock = load_clock(folder, public_key)
    manifest = artifacts.verify(folder, public_key)
    signed = "; its signature is the key's" if public_key else ""
    head = f"{folder}: format version {manifest['format_version']}, {len(manifest['files'])} files as sealed{signed}."
    warning = ""
    if unopened := [name for name in manifest["files"] if name.endswith(".joblib")]:
        warning = (
            f"\nNot opened: joblib files ({listed(unopened)}). Loading one with joblib runs any code in it. Do so only "
            "if you trust the author of the folder. `heteroage` never loads them."
        )
    if not {artifacts.REFERENCE_SAMPLES, artifacts.REFERENCE_PREDICTIONS} <= set(manifest["files"]):
        return f"{head} It holds no reference samples to predict again.{warning}"
    where = artifacts.REFERENCE_PREDICTIONS
    stored = columns_of((folder / where).read_bytes(), where, ("sample_id", "Tissue", "Sex", "Flags"))
    if "sample_id" not in stored or "HeteroAge" not in stored:
        raise artifacts.damaged(f"{where} contains no predictions")
    row = {sample: k for k, sample in enumerate(stored["sample_id"])}
    gaps = {
        f"{name} of {sample}": _gap(cells[k], stored[name][row[sample]] if name in stored and sample in row else np.nan)
        for rows in _predicted(folder, clock)
        for name, cells in rows.items()
        if isinstance(cells, np.ndarray)
        for k, sample in enumerate(rows["sample_id"])
    }
    differ = [f"{cell} by {gap:g}" for cell, gap in gaps.items() if gap > TOLERANCE]
    if differ or not gaps:
        raise HeteroAgeError(
            f"{folder}: predictions of this version differ from the stored ones ({listed(differ)}). Use the "
            f"version that created it ({manifest.get('software', {}).get('heteroage-clock', 'unknown')}), or "
            f"ask its author."
        )
    return (
        f"{head} {len(row)} reference samples get their stored ages "
        f"(largest gap {max(gaps.values()):.1e} years).{warning}"
    )


def _predicted(folder: Path, clock: Clock) -> list[Rows]:
    table = open_tables([folder / artifacts.REFERENCE_SAMPLES], clock.wanted)
    return [rows for rows, _ in clock.for_our_tables().stream("predict", table, allow_missing=True)]


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
