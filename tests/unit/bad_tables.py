"""Bad and unusual input, one case each: what a lab's file may look like, and what is said or done about it.

docs/bad_input.md is made of these cases (`make docs`); test_bad_tables.py runs them and holds the document to them.
The cases are in refused_tables.py and accepted_tables.py.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import accepted_tables  # noqa: F401, both add to CASES
import numpy as np
import refused_tables  # noqa: F401
from table_cases import CASES, Case

from heteroage.clock.artifacts import ANCHOR
from heteroage.clock.master_table import open_tables
from heteroage.clock.model import LinearModel
from heteroage.clock.predict import Clock
from heteroage.config import table_entries
from heteroage.errors import HeteroAgeError
from heteroage.tables.metadata import Conventions

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/bad_input.md"
OUTPUTS = ("features.npy", "feature_names.txt", "metadata.csv", "intake.json")
OPTIONS = ("join", "allow_pickle", "allow_disjoint_modalities")
CONVENTIONS = ("sex_codes", "missing_values", "allow_prenatal")


@contextlib.contextmanager
def folder_of(case: Case) -> Iterator[Path]:
    """A folder with the case's files, to be in meanwhile: messages then name files without it."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            case.write()
            Path("store").mkdir()
            yield Path(folder)
        finally:
            os.chdir(before)


def build(inputs: dict) -> None:
    """Do what the rule build_feature_store does."""
    tables = {m: entries for m in ("beta", "chalm", "camda") if (entries := table_entries(inputs, m))}
    options = {key: inputs[key] for key in OPTIONS if key in inputs}
    options["conventions"] = {key: inputs[key] for key in CONVENTIONS if key in inputs}
    outputs = {Path(name).stem.removeprefix("feature_"): f"store/{name}" for name in OUTPUTS}
    _script().main(tables, table_entries(inputs, "sample_sheet"), options, outputs)


def predict(inputs: dict) -> None:
    """Predict the same files with a clock of the four CpGs, Stage 1 alone."""
    conventions = Conventions.of(
        columns=inputs.get("columns"),
        age_unit=inputs["beta"].get("age_unit") if isinstance(inputs["beta"], dict) else None,
        **{key: inputs[key] for key in CONVENTIONS if key in inputs},
    )
    features = [*(f"cg{k:08d}_beta" for k in range(1, 5)), *(f"chr1_{k}_beta" for k in (10469, 10471, 10484, 10489))]
    ones = np.ones(len(features))
    anchor = LinearModel(0.0, features, 0.1 * ones, 0.5 * ones, 0.5 * ones, 0.1 * ones)
    meta = {"feature_order": [ANCHOR], "categories": {"Tissue": ["Blood"], "Sex": ["F", "M"]}}
    clock = Clock({ANCHOR: anchor}, None, meta, conventions=conventions)
    files = [entry["file"] for key in ("beta", "sample_sheet") for entry in table_entries(inputs, key)]
    for _ in clock.stream("predict_stage1", open_tables(files, clock.wanted, conventions), allow_missing=True):
        pass


def can_be_predicted(case: Case) -> bool:
    """Whether a user can give prediction the same files: no options of training, one table of values."""
    beta = case.inputs["beta"]
    return (
        "chalm" not in case.inputs
        and not isinstance(beta, list)
        and not (isinstance(beta, dict) and set(beta) & {"values", "orientation"})
    )


@dataclass(frozen=True)
class Outcome:
    """A case's message (or none) in training and in prediction, and the files that it left in the store."""

    message: str
    predicted: str
    left: dict[str, bytes]

    @property
    def found(self) -> dict[str, dict]:
        """The steps that found something, by name."""
        return {row["step"]: row for row in json.loads(self.left["intake.json"])["steps"] if row["found"]}


def outcome(case: Case) -> Outcome:
    """Run a case in a folder of its own."""
    with folder_of(case):
        messages = ["", ""]
        for k, work in enumerate((build, predict)):
            try:
                if work is build or can_be_predicted(case):
                    work(case.inputs)
            except HeteroAgeError as problem:
                messages[k] = re.sub(r"the (?:beta table|sample sheet) (?=\S+\.\w)", "", str(problem))
        return Outcome(*messages, {path.name: path.read_bytes() for path in Path("store").iterdir()})


def document() -> str:
    """docs/bad_input.md."""
    refused, taken = [], []
    for one in CASES:
        seen = outcome(one)
        if seen.message:
            said = "the same" if seen.predicted == seen.message else _cell(seen.predicted) or "is predicted"
            refused.append(
                f"| {one.title} | {_cell(seen.message)} | {said if can_be_predicted(one) else 'does not arise'} |"
            )
        else:
            steps = [f"`{step}`: {row['found']} {row['done']}" for step, row in seen.found.items()]
            taken.append(f"| {one.title} | {_cell('; '.join(steps)) or 'nothing: it is read as it is meant'} |")
    return "\n".join([HEAD, "| Input | Training | Prediction |", "|---|---|---|", *refused, MIDDLE, *taken, REAL])


HEAD = """# What bad input gets

Made by `make docs` from `tests/unit/bad_tables.py`, whose cases the tests run: small simulated tables (8 samples, 4
CpGs), each spoilt in one way. Whatever is refused is refused before training, with one message and nothing written.
Prediction reads the same files with the same reader, and refuses them with the same message, except for what only
training needs: studies, health, several tables of a modality.

## Refused
"""
MIDDLE = """
## Accepted

What is found is counted in `results/store/intake.json`, by step. Prediction accepts all of it too.

| Input | Recorded |
|---|---|"""

REAL = """
## Real files

What the reader makes of files as they lie in public archives.

| File | What it gets |
|---|---|
| R's `write.csv` of a matrix (GSE115278): probes in rows, no name above them | 351 CpGs x 127 samples |
| TSV whose last row is the age (GSE74193) | 399 CpGs x 203 samples; the row `Age` is read as their ages |
| SeSAMe's table of one sample, suffixed probes (`cg..._BC21`) | 9,895 CpGs of one sample; replicates averaged |
| Bisulfite positions (`chr1:910856`), samples in rows (TIME-Seq) | 2,000 CpGs x 81 samples |
| Sample sheets of methylprep and of TIME-Seq (with a byte-order mark) | read as sheets; `Sample_ID` is `sample_id` |
| Signals and detection p-values in pairs (GSE72120) | refused: intensities; how to compute beta values |
| Processed Excel file with a title row (GSE133355) | refused: the line above the header is a title |
| GEO series matrix | refused as a table: give it as `inputs.geo: [{file: ...}]`, or its table alone to prediction |
| Bismark coverage files (`.cov`) | a sample each, by a pattern (in prediction also as a list of files) |
"""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _script():
    spec = importlib.util.spec_from_file_location("build_feature_store", ROOT / "scripts/build_feature_store.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
