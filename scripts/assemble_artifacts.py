"""Copy a run's artifacts into the folder that people deploy, add how far it holds and its model card, and seal it."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from heteroage.calibrate import add_applicability, add_reference
from heteroage.clock.artifacts import assemble, seal, training_digest
from heteroage.files import atomic_path, read_json, read_table, write_json
from heteroage.report.model_card import describe, render
from heteroage.stages.training_data import TrainingData
from heteroage.workflow import reporting


def main(
    run: str,
    sources: Sequence[str],
    skipped: str,
    training_files: Sequence[str],
    evaluation: Mapping[str, str],
    manifest: str,
) -> None:
    """Assemble beside the final folder; what stands under its name is whole."""
    target, root = Path(manifest).parent, Path("results") / run / "artifacts"
    beside = target.with_name(f".{target.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    placeholders = {f"Hallmark_{hallmark}.joblib" for hallmark in read_json(skipped)}
    assemble([Path(source) for source in sources if Path(source).name not in placeholders], root, beside)
    add_applicability(beside, TrainingData.open(*training_files))
    add_reference(beside)
    training_data = training_digest(training_files)
    tables = {name: read_table(path) for name, path in evaluation.items()}
    card = describe(beside, read_table(training_files[0]), training_data, tables)
    write_json(card, beside / "MODEL_CARD.json")
    with atomic_path(beside / "MODEL_CARD.md") as text:
        text.write_text(render(card), encoding="utf-8")
    seal(beside, training_data)
    shutil.rmtree(target, ignore_errors=True)
    beside.rename(target)


if __name__ == "__main__":
    with reporting(snakemake.log[0], snakemake.rule):
        files = snakemake.input
        main(
            snakemake.wildcards.run,
            [*files.artifacts, *files.experts],
            files.skipped,
            [files.samples, files.features, files.names],
            {name: files.get(name) for name in ("accuracy", "coverage", "certificate") if files.get(name)},
            snakemake.output.manifest,
        )
