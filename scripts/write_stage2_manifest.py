"""Write Stage 2's manifest: each expert's file, features, hyperparameters and metrics."""

from pathlib import Path

from heteroage.files import read_json, read_table, write_json
from heteroage.stages.stage2 import stage2_manifest
from heteroage.workflow import run_script


def main(weights: str, summary: str, skipped: str, manifest: str, same: str) -> None:
    """Write the manifest under both of its documented names."""
    content = stage2_manifest(read_table(summary), read_table(weights), read_json(skipped))
    write_json(content, Path(manifest))
    write_json(content, Path(same))


if __name__ == "__main__":
    run_script(main)
