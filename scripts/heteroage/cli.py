"""The command `heteroage`: apply a trained clock."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from heteroage import __version__
from heteroage.errors import HeteroAgeError

STEPS = {
    "pipeline-predict": ("predict", "all three stages: ages, corrections and acceleration"),
    "stage1-predict": ("predict_stage1", "the global anchor's age"),
    "stage2-predict": ("predict_stage2", "each hallmark's correction"),
    "stage3-predict": ("predict_stage3", "HeteroAge, from a table with the columns of Stages 1 and 2"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code (0 done, 1 a problem with the input, 2 wrong usage)."""
    options = _parser().parse_args(arguments)
    try:
        run_step(options.step, options.artifact_dir, options.input, options.out)
    except HeteroAgeError as error:
        print(f"heteroage: {error}", file=sys.stderr)
        return 1
    return 0


def run_step(step: str, artifact_dir: Path, inputs: Sequence[Path], out: Path) -> None:
    """Read the clock and the tables, predict, write: what the command and the predict rule both do.

    Raises
    ------
    HeteroAgeError
        Anything wrong with the folder or the tables; then nothing is written.
    """
    from heteroage.files import (
        check_writable,
        write_table,
    )  # pandas is slow to import: --version does without
    from heteroage.predict import load_clock, read_master

    check_writable(out)
    clock = load_clock(artifact_dir)
    table = getattr(clock, STEPS[step][0])(read_master(inputs))
    write_table(table, out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="heteroage", description="Apply a trained heteroage clock.")
    parser.add_argument("--version", action="version", version=f"heteroage {__version__}")
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    for name, (_, summary) in STEPS.items():
        step = steps.add_parser(name, help=summary, description=f"Predict {summary}.")
        step.add_argument("--artifact-dir", type=Path, required=True, help="assembled folder (holds MANIFEST.json)")
        step.add_argument(
            "--input",
            type=Path,
            required=True,
            nargs="+",
            help="master table(s), CSV or Parquet; several are joined on sample_id",
        )
        step.add_argument("--out", type=Path, required=True, help="CSV or Parquet file to write")
    return parser


if __name__ == "__main__":
    sys.exit(main())
