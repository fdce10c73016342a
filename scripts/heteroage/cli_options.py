"""Options that several subcommands of `heteroage` share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from heteroage.errors import HeteroAgeError


def add_conventions(step: argparse.ArgumentParser) -> None:
    """Add options for tables whose conventions differ from those of the training tables."""
    step.add_argument("--columns", type=_pair, nargs="+", metavar="OURS=THEIRS", help="e.g. Sex=gender Age=age_months")
    step.add_argument("--sex-codes", type=_pair, nargs="+", metavar="CODE=SEX", help="e.g. 0=F 1=M (or =unknown)")
    step.add_argument("--age-unit", help="years, months, weeks, days or hours")
    step.add_argument("--missing-values", nargs="+", metavar="VALUE", help="codes for missing values, e.g. -9 999")
    step.add_argument("--allow-prenatal", action="store_true", help="accept ages from -0.77 to 0 years")


def add_published(step: argparse.ArgumentParser, option: str, required: bool) -> None:
    """Add options for published clocks: coefficient tables, transforms and intercepts."""
    step.add_argument(
        option,
        dest="published",
        type=_pair,
        nargs="+",
        metavar="NAME=FILE",
        required=required,
        help="coefficient tables of published clocks, e.g. Horvath2013=horvath.csv",
    )
    step.add_argument(
        "--transform", type=_pair, nargs="+", metavar="NAME=TRANSFORM", help="identity (default), horvath or log"
    )
    step.add_argument(
        "--intercept", type=_pair, nargs="+", metavar="NAME=NUMBER", help="intercept, if a table has no row for it"
    )
    step.add_argument(
        "--z-scores", nargs="+", metavar="NAME", help="clocks whose inputs are z-scores over all CpGs of a sample"
    )


def published_of(options: argparse.Namespace) -> dict[str, dict[str, object]]:
    """Convert the options to the form of the config's `compare`."""
    found: dict[str, dict[str, object]] = {}
    for name, path in options.published or ():
        if name in found:
            raise HeteroAgeError(f"{name} names two coefficient tables. Give each clock a name of its own.")
        found[name] = {"coefficients": path}
    for key in ("transform", "intercept"):
        for name, value in getattr(options, key) or ():
            _named(found, name)[key] = value
    for name in options.z_scores or ():
        _named(found, name)["input"] = "z"
    return found


def _named(published: dict[str, dict[str, object]], name: str) -> dict[str, object]:
    if name not in published:
        raise HeteroAgeError(f"{name} is not the name of a coefficient table ({', '.join(published) or 'none given'}).")
    return published[name]


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name.strip() and equals and value.strip()):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return name.strip(), value.strip()


def conventions_of(options: argparse.Namespace) -> dict[str, object]:
    """Convert the options to keyword arguments of `load_clock`."""
    columns: dict[str, list[str]] = {}
    for ours, theirs in options.columns or ():
        columns.setdefault(ours, []).append(theirs)
    return {
        "columns": columns,
        "sex_codes": dict(options.sex_codes or ()),
        "age_unit": options.age_unit,
        "missing_values": options.missing_values or (),
        "allow_prenatal": options.allow_prenatal,
    }


def add_step(
    steps: argparse._SubParsersAction, name: str, summary: str, run: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    """Add a subcommand that applies a clock."""
    step = steps.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    step.add_argument("--artifact-dir", type=Path, required=True, help="assembled folder (holds MANIFEST.json)")
    step.add_argument("--public-key", type=Path, help="PEM; the folder must be signed by its owner")
    step.set_defaults(run=run)
    return step
