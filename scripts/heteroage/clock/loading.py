"""Load a clock from a sealed folder. Every file is checked against the manifest; nothing is unpickled."""

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
from heteroage.clock.artifacts import ANCHOR, CORRECTION, damaged, entries_of, parse_json
from heteroage.clock.imputation import Covariance
from heteroage.clock.model import Applicability, LinearModel, Loadings
from heteroage.clock.predict import Clock
from heteroage.clock.trees import parse_trees
from heteroage.errors import HeteroAgeError, listed
from heteroage.probes import is_pc
from heteroage.tables.metadata import Conventions
from heteroage.tables.source import floats_of

NEEDED = [artifacts.STAGE1_WEIGHTS, artifacts.STAGE2_WEIGHTS, artifacts.STAGE3_MODEL, artifacts.STAGE3_META]
TEXT = ("feature", "hallmark")
CONTEXT = ("Tissue", "Sex")
MOST_HEADER = 2**20  # maximum length of a CSV's first line, in bytes

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
    manifest = artifacts.verify(folder, None if public_key is None else Path(public_key))
    if absent := [name for name in NEEDED if name not in manifest["files"]]:
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
        return columns_of(read(name), name)

    meta = check_meta(json_of(artifacts.STAGE3_META))
    trees = parse_trees(_text(read(artifacts.STAGE3_MODEL), artifacts.STAGE3_MODEL), artifacts.STAGE3_MODEL)
    if trees.features != meta["feature_order"]:
        raise HeteroAgeError(f"{artifacts.STAGE3_MODEL} and {artifacts.STAGE3_META} name different features.")
    conventions = Conventions()
    if artifacts.READING in present:
        conventions = Conventions.from_json(json_of(artifacts.READING), artifacts.READING)
    # Tissue names are mapped to the spelling used in training, also for clocks without Reading.json.
    conventions = conventions.updated(Conventions(tissues=tuple(meta["categories"].get("Tissue", ()))))
    anchor = LinearModel.from_table(table_of(artifacts.STAGE1_WEIGHTS), artifacts.STAGE1_WEIGHTS)
    experts = _experts(table_of(artifacts.STAGE2_WEIGHTS), meta["feature_order"])
    clock = Clock(anchor, experts, trees, meta, version=version, conventions=conventions)
    if artifacts.PC_LOADINGS in present:
        clock = replace(clock, loadings=loadings_of(table_of(artifacts.PC_LOADINGS)))
    if unknown := [name for name in clock.terms if is_pc(name) and name not in clock.pc_names]:
        raise HeteroAgeError(f"{artifacts.STAGE3_META} does not list RF_PCs that have weight ({listed(unknown)}).")
    if artifacts.APPLICABILITY in present:
        limits = Applicability.from_json(json_of(artifacts.APPLICABILITY), artifacts.APPLICABILITY)
        clock = replace(clock, applicability=limits)
        if artifacts.COVARIANCE in present:
            where, weights = artifacts.COVARIANCE, clock.linear_weights(limits)
            clock = filled_by(clock, Covariance.of(table_of(where), weights, version, where))
    return clock


def filled_by(clock: Clock, covariance: Covariance) -> Clock:
    """Return the clock with a covariance. If it contains means, they replace the medians as first imputation values."""

    def fills(names: Sequence[str], median: np.ndarray) -> np.ndarray:
        return np.array([covariance.fill(name, x) for name, x in zip(names, median.tolist(), strict=True)])

    def filled(model: LinearModel) -> LinearModel:
        return replace(model, median=fills(model.features, model.median))

    loadings = clock.loadings
    if loadings is not None:
        loadings = replace(loadings, median=fills(list(loadings.row), loadings.median))
    experts = {name: filled(expert) for name, expert in clock.experts.items()}
    return replace(clock, covariance=covariance, anchor=filled(clock.anchor), experts=experts, loadings=loadings)


def columns_of(content: bytes, where: str, texts: Sequence[str] = TEXT) -> dict[str, np.ndarray]:
    """Parse a CSV of numbers; the columns `texts` are text."""
    first = content.partition(b"\n")[0]
    if len(first) > MOST_HEADER:
        raise damaged(f"{where} has no header")
    try:
        header = next(csv.reader([_text(first, where).rstrip("\r")]), [])
        if len(set(header)) < len(header):
            raise damaged(f"{where} has columns of the same name ({listed(header)})")
        kinds = {name: pa.string() if name in texts else pa.float64() for name in header}
        table = pv.read_csv(
            pa.BufferReader(content),
            read_options=pv.ReadOptions(block_size=max(len(content), 1), use_threads=False),
            convert_options=pv.ConvertOptions(column_types=kinds),
        )
    except (pa.ArrowException, csv.Error) as error:
        said = " ".join(str(error).split())
        raise damaged(f"{where} is not a table of weights ({said[:200]})") from error
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
        context = [n for n in order if n != ANCHOR and not n.endswith(CORRECTION) and not is_pc(n)]
        numbers = [line["slope"], line["intercept"], *(medians[name] for name in order if is_pc(name))]
        if (intervals := meta.get("intervals")) is not None:
            tissues = intervals.get("tissues", {})
            widths = [intervals["half_width"], *(tissues[name]["half_width"] for name in tissues)]
            if any(not width >= 0 for width in widths):
                raise damaged(f"{where} has intervals of negative width")
            numbers += widths
            if spread := intervals.get("spread"):
                knots, errors = spread["predicted"], spread["error"]
                numbers += [*knots, *errors]
                falls = any(a > b for a, b in pairwise(knots))
                if not knots or len(knots) != len(errors) or falls or min(errors) < 0:
                    raise damaged(f"{where} has intervals with a damaged spread by age")
    if any(isinstance(x, bool) or not isinstance(x, (int, float)) or not abs(x) < 1e300 for x in numbers):
        raise damaged(f"{where} contains text or infinite numbers in a numeric field")
    named = isinstance(order, list) and all(isinstance(text, str) for text in texts)
    if not named or len(set(order)) < len(order) or ANCHOR not in order or set(context) != set(categories):
        raise damaged(f"{where} does not list the fusion's features")
    if set(categories) - set(CONTEXT):
        raise damaged(f"{where} has categories of unknown columns ({listed(categories)})")
    return meta


def loadings_of(columns: Columns) -> Loadings:
    """Build the loadings of the RF_PCs from their table."""
    where = artifacts.PC_LOADINGS
    names = [name for name in columns if is_pc(name)]
    needed = ("feature", "median", "mean", *(names or ["RF_PC1"]))
    if absent := [name for name in needed if name not in columns]:
        raise HeteroAgeError(f"{where} is not a table of loadings: columns are missing ({listed(absent)}).")
    features = [str(name) for name in columns["feature"]]
    numbers = np.array([columns[name] for name in ("median", "mean", *names)], dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise damaged(f"{where} contains loadings that are not finite")
    row = {name: k for k, name in enumerate(features)}
    if len(row) < len(features):
        raise damaged(f"{where} names a feature more than once")
    return Loadings(names, row, numbers[0], numbers[1], np.ascontiguousarray(numbers[2:].T))


def _experts(columns: Columns, feature_order: list[str]) -> dict[str, LinearModel]:
    where = artifacts.STAGE2_WEIGHTS
    if "hallmark" not in columns:
        raise damaged(f"{where} has no column hallmark")
    names = [name.removesuffix(CORRECTION) for name in feature_order if name.endswith(CORRECTION)]
    own = {name: columns["hallmark"] == name for name in names}
    if absent := [name for name in names if not own[name].any()]:
        raise damaged(f"{where} does not contain hallmarks that the fusion needs ({listed(absent)})")
    tables = {name: {key: values[rows] for key, values in columns.items()} for name, rows in own.items()}
    return {name: LinearModel.from_table(table, f"{where} ({name}{CORRECTION})") for name, table in tables.items()}


def _text(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise damaged(f"{where} is not UTF-8 text") from error
