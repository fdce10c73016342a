"""Load a clock from a sealed folder. Every file is checked against the manifest; nothing is unpickled.

The folder's reference samples test later versions. They are simulated from the stored mean and scale of the features,
so they are not data of people.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pv

from heteroage.clock import artifacts
from heteroage.clock.artifacts import ANCHOR, CORRECTION, damaged, decoded, entries_of, is_staged
from heteroage.clock.cohort import Applicability
from heteroage.clock.imputation import Covariance
from heteroage.clock.master_table import open_tables
from heteroage.clock.model import COMPUTED, LinearModel
from heteroage.clock.predict import Clock
from heteroage.clock.sums import Rows
from heteroage.clock.trees import parse_trees
from heteroage.errors import HeteroAgeError, listed
from heteroage.files import parse_json
from heteroage.probes import is_pc
from heteroage.tables.metadata import Conventions
from heteroage.tables.source import floats_of

MOST_HEADER = 2**20  # maximum length of a CSV's first line, in bytes
N_REFERENCE = 8  # number of reference samples
MISSING_FRACTION = 0.05  # fraction of the CpGs that are missing in a reference sample
TOLERANCE = 1e-9  # largest accepted difference from the stored predictions, years

Columns = Mapping[str, np.ndarray]


def load_clock(folder: str | Path, public_key: str | Path | None = None, **conventions: object) -> Clock:
    """Check a sealed artifact folder against its manifest and load the clock. Nothing is unpickled.

    public_key : path of an Ed25519 key (PEM); the folder must be signed with the matching private key
    conventions : conventions of the tables to predict, in addition to those stored in the clock: `columns`
        {our name: theirs}, `sex_codes` {code: F or M}, `age_unit`, `missing_values`, `allow_prenatal`,
        `least_coverage`
    Raises HeteroAgeError: the folder was modified after it was sealed (or signed), or is not a clock; unknown
    conventions.
    """
    given = Conventions.of(**conventions)
    folder = Path(folder)
    return _load_verified(folder, artifacts.verify(folder, None if public_key is None else Path(public_key)), given)


def _load_verified(folder: Path, manifest: Mapping[str, Any], given: Conventions) -> Clock:
    needed = (artifacts.STAGE1_WEIGHTS, artifacts.STAGE2_WEIGHTS, artifacts.STAGE3_MODEL, artifacts.STAGE3_META)
    if absent := [name for name in needed if name not in manifest["files"]]:
        raise HeteroAgeError(
            f"{folder} is not a complete clock: files are missing from its manifest ({listed(absent)})."
        )
    read = partial(artifacts.read_sealed, folder, manifest=manifest)
    clock = read_parts(read, set(manifest["files"]), manifest["format_version"])
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    return replace(clock, conventions=clock.conventions.updated(given), digest=digest)


def read_parts(
    read: Callable[[str], bytes], present: Collection[str], version: int = artifacts.FORMAT_VERSION
) -> Clock:
    """Build a clock from the content of its files; `present` are the existing files."""

    def json_of(name: str) -> Any:  # noqa: ANN401
        return parse_json(read(name), name)

    def table_of(name: str) -> Columns:
        return parse_table(read(name), name)

    meta = check_meta(json_of(artifacts.STAGE3_META))
    trees = parse_trees(decoded(read(artifacts.STAGE3_MODEL), artifacts.STAGE3_MODEL), artifacts.STAGE3_MODEL)
    if trees.features != meta["feature_order"]:
        raise HeteroAgeError(f"{artifacts.STAGE3_MODEL} and {artifacts.STAGE3_META} name different features.")
    stored = json_of(artifacts.READING) if artifacts.READING in present else {}
    # Tissue names are mapped to the spelling used in training, also for clocks without Reading.json.
    tissues = Conventions(tissues=tuple(meta["categories"].get("Tissue", ())))
    conventions = Conventions.from_json(stored, artifacts.READING).updated(tissues)
    models = {ANCHOR: LinearModel.from_table(table_of(artifacts.STAGE1_WEIGHTS), artifacts.STAGE1_WEIGHTS)}
    models |= _experts(table_of(artifacts.STAGE2_WEIGHTS), meta["feature_order"])
    clock = Clock(models, trees, meta, version=version, conventions=conventions)
    if artifacts.PC_LOADINGS in present:
        loadings, computed = loadings_of(table_of(artifacts.PC_LOADINGS))
        clock = replace(clock, loadings=loadings, computed=computed)
    if unknown := [name for name in clock.terms if is_pc(name) and name not in clock.pc_names]:
        raise HeteroAgeError(f"{artifacts.STAGE3_META} does not list RF_PCs that have weight ({listed(unknown)}).")
    if artifacts.APPLICABILITY in present:
        limits = Applicability.from_json(json_of(artifacts.APPLICABILITY), artifacts.APPLICABILITY)
        clock = replace(clock, applicability=limits)
        if artifacts.COVARIANCE in present:
            table = table_of(artifacts.COVARIANCE)
            clock = filled_by(clock, Covariance.of(table, clock.linear_weights(limits), version, artifacts.COVARIANCE))
    return clock


def filled_by(clock: Clock, covariance: Covariance) -> Clock:
    """Return the clock with a covariance. If it contains means, they replace the medians in imputation."""

    def filled(model: LinearModel) -> LinearModel:
        values = zip(model.features, model.median.tolist(), strict=True)
        return replace(model, median=np.array([covariance.fill(name, x) for name, x in values]))

    models = {key: filled(model) for key, model in clock.linear.items()}
    return replace(clock, covariance=covariance, loadings=models.pop(COMPUTED, None), models=models)


def parse_table(content: bytes, where: str, texts: Sequence[str] = ("feature", "hallmark")) -> dict[str, np.ndarray]:
    """Parse a CSV of numbers; the columns `texts` are text."""
    first = content.partition(b"\n")[0]
    if len(first) > MOST_HEADER:
        raise damaged(f"{where} has no header")
    try:
        header = next(csv.reader([decoded(first, where).rstrip("\r")]), [])
        if len(set(header)) < len(header):
            raise damaged(f"{where} has columns of the same name ({listed(header)})")
        kinds = {name: pa.string() if name in texts else pa.float64() for name in header}
        whole = pv.ReadOptions(block_size=max(len(content), 1), use_threads=False)
        convert = pv.ConvertOptions(column_types=kinds)
        table = pv.read_csv(pa.BufferReader(content), read_options=whole, convert_options=convert)
    except (pa.ArrowException, csv.Error) as error:
        raise damaged(f"{where} is not a table of weights ({' '.join(str(error).split())[:200]})") from error
    cells = {name: table.column(name).combine_chunks() for name in table.column_names}
    return {
        name: floats_of(column) if pa.types.is_floating(column.type) else np.array(column.to_pylist(), dtype=object)
        for name, column in cells.items()
    }


def check_meta(meta: Any) -> dict:  # noqa: ANN401
    """Validate the content of Stage3_Artifacts.json."""
    where = artifacts.STAGE3_META
    with entries_of(where):
        order, categories = meta["feature_order"], meta["categories"]
        line, medians = meta["acceleration_reference"], meta["pc_medians"]
        texts = [*order, *(level for name in categories for level in categories[name])]
        context = [name for name in order if not is_staged(name) and not is_pc(name)]
        numbers = [line["slope"], line["intercept"], *(medians[name] for name in order if is_pc(name))]
        if (intervals := meta.get("intervals")) is not None:
            widths = [intervals["half_width"], *(own["half_width"] for own in intervals.get("tissues", {}).values())]
            if any(not width >= 0 for width in widths):
                raise damaged(f"{where} has intervals of negative width")
            numbers += widths
            if spread := intervals.get("spread"):
                knots, errors = spread["predicted"], spread["error"]
                numbers += [*knots, *errors]
                if not knots or len(knots) != len(errors) or any(a > b for a, b in pairwise(knots)) or min(errors) < 0:
                    raise damaged(f"{where} has intervals with a damaged spread by age")
    if any(isinstance(x, bool) or not isinstance(x, (int, float)) or not abs(x) < 1e300 for x in numbers):
        raise damaged(f"{where} contains text or infinite numbers in a numeric field")
    named = isinstance(order, list) and all(isinstance(text, str) for text in texts)
    if not named or len(set(order)) < len(order) or ANCHOR not in order or set(context) != set(categories):
        raise damaged(f"{where} does not list the fusion's features")
    if set(categories) - {"Tissue", "Sex"}:
        raise damaged(f"{where} has categories of unknown columns ({listed(categories)})")
    return meta


def loadings_of(columns: Columns) -> tuple[LinearModel, list[str]]:
    """Build the linear model of the RF_PCs from the table of their loadings; returns also their names."""
    where = artifacts.PC_LOADINGS
    names = [name for name in columns if is_pc(name)]
    needed = ("feature", "median", "mean", *(names or ["RF_PC1"]))
    if absent := [name for name in needed if name not in columns]:
        raise HeteroAgeError(f"{where} is not a table of loadings: columns are missing ({listed(absent)}).")
    features = [str(name) for name in columns["feature"]]
    numbers = np.array([columns[name] for name in ("median", "mean", *names)], dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise damaged(f"{where} contains loadings that are not finite")
    if len(set(features)) < len(features):
        raise damaged(f"{where} names a feature more than once")
    median, mean, *weight = numbers
    return LinearModel(0.0, features, np.array(weight).T.copy(), median, mean, np.ones(len(features))), names


def _experts(columns: Columns, feature_order: list[str]) -> dict[str, LinearModel]:
    where = artifacts.STAGE2_WEIGHTS
    if "hallmark" not in columns:
        raise damaged(f"{where} has no column hallmark")
    names = [name for name in feature_order if name.endswith(CORRECTION)]
    own = {name: columns["hallmark"] == name.removesuffix(CORRECTION) for name in names}
    if absent := [name.removesuffix(CORRECTION) for name in names if not own[name].any()]:
        raise damaged(f"{where} does not contain hallmarks that the fusion needs ({listed(absent)})")
    tables = {name: {key: values[rows] for key, values in columns.items()} for name, rows in own.items()}
    return {name: LinearModel.from_table(table, f"{where} ({name})") for name, table in tables.items()}


def reference_samples(clock: Clock) -> Rows:
    """Simulate a table: values within 1.5 standard deviations of the mean, cycling through tissues and sexes."""
    rows: Rows = {"sample_id": [f"reference_{k + 1}" for k in range(N_REFERENCE)]}
    for name in ("Tissue", "Sex"):
        levels = clock.meta["categories"].get(name) or ["unknown"]
        rows[name] = [levels[k % len(levels)] for k in range(N_REFERENCE)]
    rows["Age"] = np.linspace(20, 80, N_REFERENCE).round()
    for feature in clock.cpgs_read:
        (key, k), *_ = clock.terms[feature]
        mean, scale = float(clock.linear[key].mean[k]), 0.05 if key == COMPUTED else float(clock.linear[key].scale[k])
        rows[feature] = np.clip(mean + 1.5 * scale * (2 * _uniform(feature) - 1), 0.0, 1.0).round(6)
        # The first sample is complete; the others have missing values.
        rows[feature][1:][_uniform(f"missing {feature}")[1:] < MISSING_FRACTION] = np.nan
    for name in clock.pc_names if clock.loadings is None else []:
        rows[name] = (clock.meta["pc_medians"][name] + (_uniform(name) - 0.5)).round(6)
    return rows


def verify_folder(folder: Path, public_key: Path | None = None) -> str:
    """Check a folder, predict its reference samples again, and compare; returns a report to print.

    Raises HeteroAgeError: the folder was modified after it was sealed or signed; a prediction differs from the stored
    one.
    """
    manifest = artifacts.verify(folder, public_key)
    clock = _load_verified(folder, manifest, Conventions())
    signed, warning = "; its signature is the key's" if public_key else "", ""
    head = f"{folder}: format version {manifest['format_version']}, {len(manifest['files'])} files as sealed{signed}."
    if unopened := [name for name in manifest["files"] if name.endswith(".joblib")]:
        warning = (
            f"\nNot opened: joblib files ({listed(unopened)}). Loading one with joblib runs any code in it. Do so only "
            "if you trust the author of the folder. `heteroage` never loads them."
        )
    if not {artifacts.REFERENCE_SAMPLES, artifacts.REFERENCE_PREDICTIONS} <= set(manifest["files"]):
        return f"{head} It holds no reference samples to predict again.{warning}"
    where = artifacts.REFERENCE_PREDICTIONS
    stored = parse_table((folder / where).read_bytes(), where, ("sample_id", "Tissue", "Sex", "Flags"))
    if "sample_id" not in stored or "HeteroAge" not in stored:
        raise damaged(f"{where} contains no predictions")
    row, gaps = {sample: k for k, sample in enumerate(stored["sample_id"])}, {}
    for rows in predicted_reference(folder, clock):
        for name in [name for name, cells in rows.items() if isinstance(cells, np.ndarray)]:
            for sample, age in zip(rows["sample_id"], rows[name].tolist(), strict=True):
                before = stored[name][row[sample]] if name in stored and sample in row else np.nan
                same = np.isnan(age) and np.isnan(before)
                gaps[f"{name} of {sample}"] = 0.0 if same else float(np.nan_to_num(abs(age - before), nan=np.inf))
    differ = [f"{cell} by {gap:g}" for cell, gap in gaps.items() if gap > TOLERANCE]
    if differ or not gaps:
        raise HeteroAgeError(
            f"{folder}: predictions of this version differ from the stored ones ({listed(differ)}). Use the version "
            f"that created it ({manifest.get('software', {}).get('heteroage-clock', 'unknown')}), or ask its author."
        )
    return (
        f"{head} {len(row)} reference samples get their stored ages "
        f"(largest gap {max(gaps.values()):.1e} years).{warning}"
    )


def predicted_reference(folder: Path, clock: Clock) -> list[Rows]:
    """Predict the stored reference samples of a folder."""
    table = open_tables([folder / artifacts.REFERENCE_SAMPLES], clock.wanted)
    return [rows for rows, _ in clock.for_our_tables().stream("predict", table, allow_missing=True)]


def _uniform(text: str) -> np.ndarray:
    """Return pseudo-random numbers in [0, 1), one per reference sample, from hashes of the text."""
    digests = [hashlib.sha256(f"{text} {k}".encode()).digest() for k in range(N_REFERENCE)]
    return np.array([int.from_bytes(digest[:8], "big") / 2**64 for digest in digests])
