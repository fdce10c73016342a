"""Copy a run's artifacts into the folder that people deploy, add how far it holds and its model card, and seal it."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from heteroage.calibrate import add_applicability, add_reference
from heteroage.clock.artifacts import assemble, seal, training_digest
from heteroage.files import atomic_path, read_table, write_json
from heteroage.report.model_card import describe, render
from heteroage.stages.training_data import TrainingData
from heteroage.workflow import run_script


def main(
    run: str,
    artifacts: Sequence[str],
    experts: Sequence[str],
    samples: str,
    features: str,
    names: str,
    duplicates: str,
    manifest: str,
    accuracy: str | None = None,
    coverage: str | None = None,
    certificate: str | None = None,
) -> None:
    """Assemble beside the final folder; what stands under its name is whole."""
    training_files = [samples, features, names]
    target, root = Path(manifest).parent, Path("results") / run / "artifacts"
    beside = target.with_name(f".{target.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    models = [model for path in map(Path, experts) for model in (path.glob("*.joblib") if path.is_dir() else [path])]
    assemble([*map(Path, artifacts), *sorted(models)], root, beside)
    add_applicability(beside, TrainingData.open(*training_files))
    add_reference(beside)
    training_data = training_digest(training_files)
    evaluation = {"accuracy": accuracy, "coverage": coverage, "certificate": certificate}
    tables = {name: read_table(path) for name, path in evaluation.items() if path}
    card = describe(beside, read_table(samples), training_data, tables, read_table(duplicates))
    write_json(card, beside / "MODEL_CARD.json")
    with atomic_path(beside / "MODEL_CARD.md") as text:
        text.write_text(render(card), encoding="utf-8")
    seal(beside, training_data)
    shutil.rmtree(target, ignore_errors=True)
    beside.rename(target)


if __name__ == "__main__":
    run_script(main)
