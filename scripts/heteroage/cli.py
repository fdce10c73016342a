"""The command `heteroage`: apply a trained clock, and check, verify or export it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from heteroage import __version__
from heteroage.cli_options import add_conventions, add_published, add_step, conventions_of, published_of
from heteroage.errors import HeteroAgeError

STEPS = {
    "pipeline-predict": ("predict", "all three stages: ages, corrections and acceleration"),
    "stage1-predict": ("predict_stage1", "the age of the anchor (the Stage 1 elastic net)"),
    "stage2-predict": ("predict_stage2", "each hallmark's correction"),
    "stage3-predict": ("predict_stage3", "HeteroAge, from a table with the columns of Stages 1 and 2"),
}
TABLES = "table(s) of samples: CSV, Parquet or Feather; several are joined on sample_id"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code (0 success, 1 invalid input, 2 wrong usage, 130 interrupted)."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except HeteroAgeError as error:
        print(f"heteroage: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("heteroage: interrupted; nothing was written", file=sys.stderr)
        return 130
    except MemoryError:
        print("heteroage: not enough memory; nothing was written", file=sys.stderr)
        return 1


def run() -> None:
    """Run the command as the main program, and exit."""
    # One BLAS thread: the matrix products are small, so that threads would mostly wait for each other.
    for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    code = main()
    with suppress(OSError):  # `_say` has flushed its output already
        sys.stdout.flush()
        sys.stderr.flush()
    # Exit immediately. Otherwise the interpreter may stop Arrow's threads while they start, which can abort the process
    # and change its exit code (seen on a busy machine, after short runs).
    os._exit(code)


def _say(text: object) -> None:
    """Print to standard output. A closed pipe (`| head`) is ignored.

    Raises
    ------
    HeteroAgeError
        Standard output cannot be written, for example because the disk is full.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _silence()
    except OSError as error:
        _silence()
        raise HeteroAgeError(
            f"cannot write to standard output: {error.strerror}. The output files are complete."
        ) from error


def _silence() -> None:
    """Discard the buffer of standard output."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# Each function imports its modules when it runs, so that --version and --help are fast.


def _predict(options: argparse.Namespace) -> int:
    from heteroage.clock.apply import run_step

    said = run_step(
        STEPS[options.step][0],
        options.artifact_dir,
        options.input,
        options.out,
        contributions=getattr(options, "contributions", None),
        summary=getattr(options, "summary", None),
        compare=published_of(options) if options.step == "pipeline-predict" else None,
        offset=getattr(options, "offset", None),
        allow_missing=getattr(options, "allow_missing", False),
        public_key=options.public_key,
        conventions=conventions_of(options),
    )
    print(f"heteroage: {said}", file=sys.stderr)  # --out may be standard output
    return 0


def _calibrate(options: argparse.Namespace) -> int:
    from heteroage.clock.apply import calibrate
    from heteroage.clock.loading import load_clock

    clock = load_clock(options.artifact_dir, options.public_key, **conventions_of(options))
    _say(calibrate(clock, options.input, options.out, options.allow_missing))
    return 0


def _check(options: argparse.Namespace) -> int:
    from heteroage.clock.check import check
    from heteroage.clock.loading import load_clock
    from heteroage.clock.output import writing

    clock = load_clock(options.artifact_dir, options.public_key, **conventions_of(options))
    report, missing, accepted = check(clock, options.input or [], options.platform)
    if options.out is not None:
        with writing([options.out]) as (writer,):
            writer.write(missing)
    _say(report)
    return 0 if accepted else 1


def _compare(options: argparse.Namespace) -> int:
    from heteroage.clock.compare import compare
    from heteroage.clock.loading import load_clock
    from heteroage.tables.conventions import Conventions

    clock = None
    if options.artifact_dir is not None:
        clock = load_clock(options.artifact_dir, options.public_key, **conventions_of(options))
    own = None if clock else Conventions.of(**conventions_of(options))
    _say(compare(options.input, published_of(options), clock, options.out, own))
    return 0


def _verify(options: argparse.Namespace) -> int:
    from heteroage.clock.reference import verify_folder

    _say(verify_folder(options.folder, options.public_key))
    return 0


def _sign(options: argparse.Namespace) -> int:
    from heteroage.clock.artifacts import sign, verify

    verify(options.folder)
    sign(options.folder, options.private_key)
    return 0


def _make_keys(options: argparse.Namespace) -> int:
    from heteroage.clock.artifacts import make_keys

    make_keys(options.private_key, options.public_key)
    return 0


def _export(options: argparse.Namespace) -> int:
    from heteroage.clock.export import export_coefficients
    from heteroage.clock.loading import load_clock

    _say(export_coefficients(load_clock(options.artifact_dir, options.public_key), options.out, options.style))
    return 0


def _add_predictions(steps: argparse._SubParsersAction) -> None:
    """Add the commands that predict."""
    for name, (_, summary) in STEPS.items():
        step = add_step(steps, name, f"predict {summary}", _predict)
        step.add_argument("--input", type=Path, required=True, nargs="+", help=TABLES)
        step.add_argument(
            "--out", type=Path, required=True, help="file to write: .csv, .tsv, .csv.gz, .parquet or .feather"
        )
        if name != "stage3-predict":
            step.add_argument(
                "--allow-missing", action="store_true", help="predict even if most of the clock's weight is missing"
            )
        add_conventions(step)
        if name in ("pipeline-predict", "stage3-predict"):
            step.add_argument(
                "--offset", type=Path, help="offset file of this cohort, written by `heteroage calibrate`"
            )
        if name == "pipeline-predict":
            step.add_argument(
                "--contributions", type=Path, help="also write the contribution of each feature, in years"
            )
            step.add_argument("--summary", type=Path, help="also write the table's n, MAE, bias, r, coverage (JSON)")
            add_published(step, "--compare", required=False)


def _add_comparisons(steps: argparse._SubParsersAction) -> None:
    """Add the commands that compare, check and calibrate on a table."""
    compare = steps.add_parser("compare", help="errors of published clocks on a table with ages, without training")
    compare.add_argument("--input", type=Path, required=True, nargs="+", help=TABLES)
    add_published(compare, "--coefficients", required=True)
    compare.add_argument("--artifact-dir", type=Path, help="a trained clock to compare them with")
    compare.add_argument("--public-key", type=Path, help="PEM; the folder must be signed by its owner")
    compare.add_argument("--out", type=Path, help="also write the ages of every sample")
    add_conventions(compare)
    compare.set_defaults(run=_compare)
    check = add_step(
        steps, "check", "report the clock's CpGs that a table or a platform is missing, and their cost in years", _check
    )
    what = check.add_mutually_exclusive_group(required=True)
    what.add_argument("--input", type=Path, nargs="+", help=TABLES)
    what.add_argument(
        "--platform", type=Path, help="probe list: one name per line, or a CSV such as Illumina's manifests"
    )
    check.add_argument("--out", type=Path, help="CSV or Parquet file for the missing CpGs")
    add_conventions(check)
    calibrate = add_step(steps, "calibrate", "estimate a cohort's offset from samples of known age", _calibrate)
    calibrate.add_argument("--input", type=Path, required=True, nargs="+", help=f"{TABLES}; with Age")
    calibrate.add_argument("--out", type=Path, required=True, help="JSON file to write, for pipeline-predict --offset")
    calibrate.add_argument("--allow-missing", action="store_true", help="as in pipeline-predict")
    add_conventions(calibrate)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="heteroage", description="Apply a trained heteroage clock.")
    parser.add_argument("--version", action="version", version=f"heteroage {__version__}")
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    _add_predictions(steps)
    _add_comparisons(steps)
    export = add_step(steps, "export", "write the anchor as a plain coefficient CSV for other tools", _export)
    export.add_argument("--out", type=Path, required=True, help="CSV file to write")
    export.add_argument(
        "--style", choices=("biolearn", "methylclock"), default="biolearn", help="name of the intercept's row"
    )
    verify = steps.add_parser(
        "verify", help="check that a folder is complete and predicts the stored ages of its reference samples"
    )
    verify.add_argument("folder", type=Path, help="assembled folder (holds MANIFEST.json)")
    verify.add_argument("--public-key", type=Path, help="PEM; the folder must be signed by its owner")
    verify.set_defaults(run=_verify)
    sign = steps.add_parser("sign", help="sign a folder (Ed25519)")
    sign.add_argument("folder", type=Path, help="assembled folder (holds MANIFEST.json)")
    sign.add_argument("--private-key", type=Path, required=True, help="PEM, without a password")
    sign.set_defaults(run=_sign)
    keys = steps.add_parser("make-keys", help="create a pair of keys for signing folders")
    keys.add_argument("--private-key", type=Path, required=True, help="PEM file to write; keep it to yourself")
    keys.add_argument("--public-key", type=Path, required=True, help="PEM file to write; give it to your users")
    keys.set_defaults(run=_make_keys)
    return parser


if __name__ == "__main__":
    run()
