"""Assembly of a run's artifacts to the sealed, deployable folder."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from heteroage.applicability import add_applicability, add_reference
from heteroage.clock.artifacts import READING, assemble, seal
from heteroage.files import atomic_path, read_table, sha256_of, write_json
from heteroage.labels import UNKNOWN
from heteroage.report.model_card import describe, render
from heteroage.stages.training_data import TrainingData
from heteroage.tables.metadata import Conventions


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
    add_applicability(beside, data, tables.get("accuracy"))
    add_reference(beside)
    spellings = sorted(set(data.samples["Tissue"]) - {UNKNOWN})
    write_json(Conventions.of(**conventions, tissues=spellings).as_json(), beside / READING)
    training_data = training_digest([inputs[name] for name in ("samples", "names", "pcs")], data)
    card = describe(beside, data.samples, training_data, tables, read_table(inputs["duplicates"]), start_from, alphas)
    write_json(card, beside / "MODEL_CARD.json")
    with atomic_path(beside / "MODEL_CARD.md") as text:
        text.write_text(render(card), encoding="utf-8")
    seal(beside, training_data)
    shutil.rmtree(target, ignore_errors=True)
    beside.rename(target)


def training_digest(files: Sequence[str], data: TrainingData) -> dict[str, object]:
    """Return digests of a run's training samples, values and feature names, and one digest of all."""
    digests = {Path(path).name: sha256_of(path) for path in files} | {"values": data.digest()}
    joined = "".join(f"{name} {digest}\n" for name, digest in sorted(digests.items()))
    return {"sha256": hashlib.sha256(joined.encode()).hexdigest(), "files": digests}
