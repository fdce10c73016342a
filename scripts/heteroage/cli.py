"""The command `heteroage`: apply a trained clock, and check, verify or export it."""

from __future__ import annotations

import argparse
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from heteroage import __version__
from heteroage.errors import HeteroAgeError

CONVENTIONS = " --columns --sex-codes --age-unit --missing-values --allow-prenatal --least-coverage"
PUBLISHED = " --transform --intercept --z-scores"
# Of each command that predicts: the method of `Clock`, a summary, and its own options.
PREDICT_COMMANDS = {
    "pipeline-predict": (
        "predict",
        "all three stages: ages, corrections and acceleration",
        f"--allow-missing --offset --contributions --summary --compare{PUBLISHED}",
    ),
    "stage1-predict": ("predict_stage1", "the age of the anchor (the Stage 1 elastic net)", "--allow-missing"),
    "stage2-predict": ("predict_stage2", "each hallmark's correction", "--allow-missing"),
    "stage3-predict": ("predict_stage3", "HeteroAge, from a table with the columns of Stages 1 and 2", "--offset"),
}
TABLES = "table(s) of samples: CSV, Parquet, Feather or Bismark coverage files; several are joined on sample_id"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code (0 success, 1 invalid input, 2 wrong usage, 130 interrupted)."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
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


def _say(text: str) -> int:
    """Print to standard output; returns exit code 0. A closed pipe (`| head`) is ignored; a full disk is an error."""
    try:
        print(text, flush=True)
    except OSError as error:
        with suppress(OSError, ValueError):  # discard the buffer of standard output
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            raise HeteroAgeError(
                f"cannot write to standard output: {error.strerror}. The output files are complete."
            ) from error
    return 0


def _run(options: Namespace) -> int:
    """Run a command; returns its exit code."""
    from heteroage.clock import apply, artifacts, check, loading, published  # so that --version and --help are fast
    from heteroage.files import write_json

    if options.step == "verify":
        return _say(loading.verify_folder(options.folder, options.public_key))
    if options.step == "sign":
        artifacts.verify(options.folder)
        artifacts.sign(options.folder, options.private_key)
        return 0
    if options.step == "make-keys":
        artifacts.make_keys(options.private_key, options.public_key)
        return 0
    conventions, clock = _conventions(options) if "columns" in options else {}, None
    if options.step in PREDICT_COMMANDS:
        names = ("contributions", "summary", "offset", "allow_missing", "public_key")
        given = {name: getattr(options, name) for name in names if name in options}
        given |= {"compare": _published(options)} if "published" in options else {}
        places = (options.artifact_dir, options.input, options.out)
        said = apply.run_step(PREDICT_COMMANDS[options.step][0], *places, **given, conventions=conventions)
        print(f"heteroage: {said}", file=sys.stderr)  # --out may be standard output
        return 0
    if options.artifact_dir is not None:
        clock = loading.load_clock(options.artifact_dir, options.public_key, **conventions)
    if options.step == "export":
        coefficients, said = published.export_coefficients(clock, options.style)
        with apply.writing([options.out]) as (writer,):
            writer.write(coefficients)
        return _say(f"{options.out}: {said}")
    if options.step == "calibrate":
        apply.check_places(options.input, [options.out])
        offset = clock.calibrate(options.input, options.allow_missing)
        write_json(offset.as_json(), options.out)
        return _say(f"{options.out}: {offset.line()}")
    if options.step == "compare":
        return _say(apply.compare(options.input, _published(options), clock, options.out, conventions))
    report, missing, accepted = check.check(clock, options.input or [], options.platform)
    if options.out is not None:
        with apply.writing([options.out]) as (writer,):
            writer.write(missing)
    _say(report)
    return 0 if accepted else 1


def _published(options: Namespace) -> dict[str, dict[str, object]]:
    """Convert the options for published clocks to the form of the config's `compare`."""
    found: dict[str, dict[str, object]] = {}
    for name, path in options.published or ():
        if name in found:
            raise HeteroAgeError(f"{name} names two coefficient tables. Give each clock a name of its own.")
        found[name] = {"coefficients": path}
    given = [(name, key, value) for key in ("transform", "intercept") for name, value in getattr(options, key) or ()]
    for name, key, value in [*given, *((name, "input", "z") for name in options.z_scores or ())]:
        if name not in found:
            raise HeteroAgeError(f"{name} is not the name of a coefficient table ({', '.join(found) or 'none given'}).")
        found[name][key] = value
    return found


def _conventions(options: Namespace) -> dict[str, object]:
    """Convert the options for conventions of tables to keyword arguments of `load_clock`."""
    columns: dict[str, list[str]] = {}
    for ours, theirs in options.columns or ():
        columns.setdefault(ours, []).append(theirs)
    names = [option.removeprefix("--").replace("-", "_") for option in CONVENTIONS.split()]
    return {name: getattr(options, name) for name in names} | {"columns": columns}


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name.strip() and equals and value.strip()):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return name.strip(), value.strip()


def _pairs(metavar: str, text: str) -> dict[str, object]:
    return {"type": _pair, "nargs": "+", "metavar": metavar, "help": text}


PATHS = {
    **dict.fromkeys(("folder", "--artifact-dir"), "assembled folder (holds MANIFEST.json)"),
    "--public-key": "PEM; the folder must be signed by its owner",
    "--private-key": "PEM, without a password",
    "--out": "file to write: .csv, .tsv, .csv.gz, .parquet or .feather",
    "--platform": "probe list: one name per line, or a CSV such as Illumina's manifests",
    "--offset": "offset file of this cohort, written by `heteroage calibrate`",
    "--contributions": "also write the contribution of each feature, in years",
    "--summary": "also write the table's n, MAE, bias, r, coverage (JSON)",
}
FLAGS = {
    "--allow-missing": "predict even if most of the clock's weight is missing",
    "--allow-prenatal": "accept ages from -0.77 to 0 years",
}
COEFFICIENTS = _pairs("NAME=FILE", "coefficient tables of published clocks, e.g. Horvath2013=horvath.csv")
OPTIONS: dict[str, dict[str, object]] = {
    **{name: {"type": Path, "help": text} for name, text in PATHS.items()},
    **{name: {"action": "store_true", "help": text} for name, text in FLAGS.items()},
    "--input": {"type": Path, "nargs": "+", "help": TABLES},
    "--style": {"choices": ("biolearn", "methylclock"), "default": "biolearn", "help": "name of the intercept's row"},
    "--columns": _pairs("OURS=THEIRS", "e.g. Sex=gender Age=age_months"),
    "--sex-codes": _pairs("CODE=SEX", "e.g. 0=F 1=M (or =unknown)"),
    "--age-unit": {"help": "years, months, weeks, days or hours"},
    "--missing-values": {"nargs": "+", "metavar": "VALUE", "help": "codes for missing values, e.g. -9 999"},
    "--least-coverage": {"type": int, "help": "minimum reads per position of coverage files (.cov, .cov.gz)"},
    "--compare": COEFFICIENTS | {"dest": "published"},
    "--coefficients": COEFFICIENTS | {"dest": "published"},
    "--transform": _pairs("NAME=TRANSFORM", "identity (default), horvath or log"),
    "--intercept": _pairs("NAME=NUMBER", "intercept, if a table has no row for it"),
    "--z-scores": {"nargs": "+", "metavar": "NAME", "help": "clocks whose inputs are z-scores over a sample's CpGs"},
}
# Of each command: its summary, required options and other options.
COMMANDS = {
    **{
        name: (f"predict {what}", "--artifact-dir --input --out", f"--public-key{CONVENTIONS} {more}")
        for name, (_, what, more) in PREDICT_COMMANDS.items()
    },
    "compare": (
        "errors of published clocks on a table with ages, without training",
        "--input --coefficients",
        f"--artifact-dir --public-key --out{PUBLISHED}{CONVENTIONS}",
    ),
    "check": (
        "report the clock's CpGs that a table or a platform is missing, and their cost in years",
        "--artifact-dir",
        f"--input --platform --public-key --out{CONVENTIONS}",
    ),
    "calibrate": (
        "estimate a cohort's offset from samples of known age",
        "--artifact-dir --input --out",
        f"--public-key --allow-missing{CONVENTIONS}",
    ),
    "export": (
        "write the anchor as a plain coefficient CSV for other tools",
        "--artifact-dir --out",
        "--public-key --style",
    ),
    "verify": (
        "check that a folder is complete and predicts the stored ages of its reference samples",
        "folder",
        "--public-key",
    ),
    "sign": ("sign a folder (Ed25519)", "folder --private-key", ""),
    "make-keys": ("create a pair of keys for signing folders", "--private-key --public-key", ""),
}
# Where an option means something else than in the other commands.
OTHER_HELP = {
    ("compare", "--artifact-dir"): "a trained clock to compare them with",
    ("compare", "--out"): "also write the ages of every sample",
    ("check", "--out"): "CSV or Parquet file for the missing CpGs",
    ("calibrate", "--input"): f"{TABLES}; with Age",
    ("calibrate", "--out"): "JSON file to write, for pipeline-predict --offset",
    ("export", "--out"): "CSV file to write",
    ("make-keys", "--private-key"): "PEM file to write; keep it to yourself",
    ("make-keys", "--public-key"): "PEM file to write; give it to your users",
}


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="heteroage", description="Apply a trained heteroage clock.")
    parser.add_argument("--version", action="version", version=f"heteroage {__version__}")
    steps = parser.add_subparsers(dest="step", required=True, metavar="STEP")
    for name, (summary, required, others) in COMMANDS.items():
        step = steps.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        tables = step.add_mutually_exclusive_group(required=True) if "--platform" in others else step
        for option in (required + " " + others).split():
            details = OPTIONS[option] | ({"required": True} if option in required.split() and option[0] == "-" else {})
            details["help"] = OTHER_HELP.get((name, option), details["help"])
            (tables if option in ("--input", "--platform") else step).add_argument(option, **details)
    return parser


if __name__ == "__main__":
    run()
