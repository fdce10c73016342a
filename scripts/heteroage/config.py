"""Checks of the configuration: misspelt keys, wrong values, missing files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from heteroage.errors import HeteroAgeError, listed
from heteroage.files import LEAST_COVERAGE, coverage_files, is_coverage, opened
from heteroage.probes import MODALITIES
from heteroage.stages.hallmarks import are_gene_sets

MADE_BY_THE_DEMO = "results/demo/"
TABLES = (*MODALITIES, "sample_sheet")


def check_config(config: Mapping, schema: Mapping) -> None:
    """Check a configuration against its JSON Schema. The HeteroAgeError lists all problems and similar known keys."""
    problems = [text for error in Draft202012Validator(schema).iter_errors(config) for text in _explain(error)]
    problems = problems or [*_inconsistencies(config)]
    if problems:
        raise HeteroAgeError("the configuration is not valid:\n" + "\n".join(f"  - {text}" for text in problems))


def _inconsistencies(config: Mapping) -> Iterator[str]:
    inputs = config["inputs"]
    if not any(inputs.get(source) for source in (*MODALITIES, "geo")):
        yield f"inputs: no modality is given. Name at least one table: {', '.join(MODALITIES)}, or geo"
    elif are_gene_sets(inputs["hallmarks"]) and not inputs.get("annotation"):
        yield "inputs.annotation: not given; it finds the CpGs of the gene sets that inputs.hallmarks names"
    else:
        for series in sorted(set(config.get("geo", {}).get("series", {})) - set(geo_files(inputs))):
            yield f"geo.series.{series}: inputs.geo does not name this series"
        for stage in ("stage1", "stage2"):
            if grid := config.get(stage, {}).get("alpha"):
                low, high, steps = grid["lowest"], grid["highest"], grid["steps"]
                if low > high or (steps == 1) != (low == high):
                    yield f"{stage}.alpha: {steps} steps do not lead from {high} down to {low}"


def _entries(value: object, key: str) -> list[dict]:
    """Return config entries (none, one or a list) as mappings. An entry that is text becomes {`key`: text}."""
    entries = value if isinstance(value, list) else [value] if value else []
    return [{key: entry} if isinstance(entry, str) else dict(entry) for entry in entries]


def table_entries(inputs: Mapping, key: str) -> list[dict]:
    """List the tables of `inputs.<key>`, each as {file, ...}, with `inputs.columns` merged in."""
    entries = _entries(inputs.get(key), "file")
    for entry in entries:
        columns = dict(inputs.get("columns") or {}) | dict(entry.get("columns") or {})
        entry["columns"] = {ours: [name] if isinstance(name, str) else list(name) for ours, name in columns.items()}
    return entries


def predict_entries(tables: Mapping[str, object]) -> tuple[dict[str, list[str]], dict[str, dict]]:
    """Return the paths of each name under `predict`, and its conventions if they differ from those of training."""
    entries = {name: dict(entry) if isinstance(entry, Mapping) else {"file": entry} for name, entry in tables.items()}
    files = {name: entry.pop("file") for name, entry in entries.items()}
    return {name: [file] if isinstance(file, str) else list(file) for name, file in files.items()}, entries


def lab_conventions(inputs: Mapping) -> dict[str, object]:
    """Return the conventions of the lab's tables that are stored with a clock: column names, codes, unit of ages."""
    entries = [entry for key in TABLES for entry in table_entries(inputs, key)]
    columns: dict[str, list[str]] = {}
    for entry in entries:
        for ours, names in entry["columns"].items():
            columns.setdefault(ours, [])
            columns[ours] += [name for name in names if name not in columns[ours]]
    # The unit of ages is kept only if all tables that may have ages state the same unit.
    units = {entry.get("age_unit") for entry in table_entries(inputs, "sample_sheet") or entries}
    unit = units.pop() if len(units) == 1 else None
    said = {key: inputs[key] for key in ("sex_codes", "missing_values", "allow_prenatal")}
    least = [entry.get("least_coverage", LEAST_COVERAGE) for entry in entries if is_coverage(entry["file"])]
    return {"columns": columns, "age_unit": unit, **said} | ({"least_coverage": max(least)} if least else {})


def coverage_entries(tables: list[dict]) -> tuple[list[dict], dict[str, tuple[dict[str, str], int]]]:
    """Replace coverage files in the entries by the tables that are made from them.

    Returns the entries; {number of a table: (its files by sample, minimum number of reads per position)}.
    """
    entries, made = [], {}
    for entry in map(dict, tables):
        reads = entry.pop("least_coverage", LEAST_COVERAGE)
        if is_coverage(entry["file"]):
            made[str(len(made))] = coverage_files(entry["file"]), reads
            entry["file"] = f"results/coverage/{len(made) - 1}.parquet"
        entries.append(entry)
    return entries, made


def geo_entries(config: Mapping) -> tuple[list[dict], list[dict]]:
    """List the tables of beta values and the sample sheets that are made from the series of `inputs.geo`."""
    tables, sheets = [], []
    for series in geo_files(config["inputs"]):
        folder = f"results/geo/{series}"
        values = config["geo"]["series"].get(series, {}).get("values", "beta")
        tables.append({"file": f"{folder}/beta.parquet", "columns": {}, "values": values})
        sheets.append({"file": f"{folder}/samples.csv", "columns": {}})
    return tables, sheets


def geo_files(inputs: Mapping) -> dict[str, str | None]:
    """List the series of `inputs.geo`, each with its matrix file or None. Raises HeteroAgeError if one is repeated."""
    found: dict[str, str | None] = {}
    for entry in _entries(inputs.get("geo"), "series"):
        series = entry.get("series") or _series_of(entry["file"])
        if series in found:
            raise HeteroAgeError(f"inputs.geo names {series} twice. Name each series once.")
        found[series] = entry.get("file")
    return found


def _series_of(path: str) -> str:
    """Find the accession of a series matrix in its file name (with a platform), or in its first lines."""
    if named := re.match(r"(GSE\d+(?:-GPL\d+)?)[_.]", Path(path).name):
        return named[1]
    with opened(Path(path), f"inputs.geo's file {path}") as stream:
        head = stream.read(1 << 20).decode("utf-8", "replace")
    found = re.search(r'^!Series_geo_accession\t"?(GSE\d+)', head, re.MULTILINE)
    if not found:
        raise HeteroAgeError(
            f"{path} does not contain the accession of its series. Give inputs.geo: {{file: {path}, series: GSE...}}."
        )
    return found[1]


def check_files(config: Mapping) -> None:
    """Check that all files in the configuration exist, except those that the demo creates."""
    inputs = config["inputs"]
    single = ("hallmarks", "context_pcs", "annotation")
    named = {f"inputs.{key}": inputs[key] for key in single if inputs.get(key) not in (None, "compute")}
    for key in TABLES:
        entries = table_entries(inputs, key)
        for k, entry in enumerate(entries):
            named[f"inputs.{key}" + (f".{k}" if len(entries) > 1 else "")] = entry["file"]
    named |= {f"inputs.restrict_to.{k}": path for k, path in enumerate(inputs.get("restrict_to") or [])}
    for key, paths in predict_entries(config["predict"] or {})[0].items():
        named |= {f"predict.{key}" + (f".{k}" if len(paths) > 1 else ""): path for k, path in enumerate(paths)}
    named |= {f"inputs.geo.{series}": path for series, path in geo_files(inputs).items() if path}
    named |= {f"compare.{key}.coefficients": one["coefficients"] for key, one in config.get("compare", {}).items()}
    if report := config["stage1"]["sweep_report"]:
        named["stage1.sweep_report"] = report
    if start := config["stage1"].get("start_from"):
        named["stage1.start_from.coefficients"] = start["coefficients"]

    def is_there(path: str) -> bool:
        matches = is_coverage(path) and any(Path(path).parent.glob(Path(path).name))
        return path.startswith(MADE_BY_THE_DEMO) or Path(path).is_file() or matches

    if absent := [f"{key}: {path}" for key, path in named.items() if not is_there(path)]:
        raise HeteroAgeError(
            f"the configuration names files that do not exist ({listed(absent)}). Relative paths start at the "
            f"working directory, {Path.cwd()}."
        )


def check_coefficients(config: Mapping) -> None:
    """Read the coefficient tables of published clocks, which are small. Raises as `read_coefficients`."""
    start, compare = config["stage1"].get("start_from"), config.get("compare")
    if not (start or compare):
        return
    try:
        from heteroage.clock.published import read_coefficients, read_compared  # slow to import and rarely needed
    except ImportError:  # only the jobs have the packages for it; they read the tables again
        return
    if start:
        read_coefficients(start["coefficients"], f"stage1.start_from.coefficients, {start['coefficients']},")
    if compare:
        read_compared(compare)


def _explain(error: ValidationError) -> Iterator[str]:
    place = ".".join(map(str, error.absolute_path))
    if error.validator == "additionalProperties" and isinstance(error.schema.get("properties"), Mapping):
        known = error.schema["properties"]
        for key in sorted(set(error.instance) - set(known)):
            near = get_close_matches(key, list(known), n=1, cutoff=0.5)
            advice = f". Did you mean {near[0]}?" if near else f"; known here: {', '.join(known)}"
            yield f"{place + '.' if place else ''}{key}: unknown key{advice}"
    elif error.validator == "anyOf" and (meant := _meant(error)):
        for part in meant:
            yield from _explain(part)
    elif error.validator == "required":
        yield f"{place or 'configuration'}: {error.message}"
    else:
        yield f"{place or 'configuration'}: {error.message} ({error.schema.get('description', 'see config/README.md')})"


def _meant(error: ValidationError) -> list[ValidationError]:
    """For a value with several allowed forms, return the problems of the form with the matching type."""
    place = list(error.absolute_path)
    wrong_type = {e.schema_path[0] for e in error.context if e.validator == "type" and list(e.absolute_path) == place}
    return [e for e in error.context if e.schema_path[0] not in wrong_type]
