"""The study of a results folder, and the commands that continue it."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from heteroage.errors import HeteroAgeError

ADVICE = re.compile(r"^Make the report.*\n.*\n", re.MULTILINE)  # two lines of the summary
OPTIONS = ("-s", "--snakefile", "--configfile", "--configfiles", "-d", "--directory", "--workflow-profile", "--profile")


def remember_study(record: Path, configfile: str, inputs: Mapping[str, object]) -> None:
    """Record the study of a results folder, or raise an error if the folder has results of another study.

    A study is the same if it has the same config file (possibly edited) or the same inputs.

    Raises HeteroAgeError: the results are from a study with another config file and other inputs.
    """
    # Paths are relative to the study's folder, which may be moved or copied.
    name = os.path.relpath(configfile) if Path(configfile).is_file() else configfile
    digest = hashlib.sha256(json.dumps(inputs, sort_keys=True, default=str).encode()).hexdigest()
    if record.is_file():
        before = json.loads(record.read_text(encoding="utf-8"))
        if before["configfile"] != name and before["inputs"] != digest:
            raise HeteroAgeError(
                f"{record.parent}/ has the results of another study, configured by {before['configfile']}; this run is "
                f"configured by {name} and has other inputs. To go on with that study, add --configfile "
                f"{before['configfile']}. To run this one, name another folder (-d), or delete {record} to replace "
                "the results."
            )
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps({"configfile": name, "inputs": digest}, indent=1) + "\n", encoding="utf-8")


def unseal_incomplete(folder: Path) -> list[str]:
    """Remove the manifest of an artifact folder with missing files, to assemble it again; returns the files."""
    manifest = folder / "MANIFEST.json"
    if not manifest.is_file():
        return []
    lost = [name for name in json.loads(manifest.read_text(encoding="utf-8"))["files"] if not (folder / name).is_file()]
    if lost:
        manifest.unlink()
    return lost


def command_with_options(text: str, arguments: Sequence[str]) -> str:
    """Add the options of this run that select the study to the snakemake commands in a text."""
    own: list[str] = []
    for position, argument in enumerate(arguments):
        name, equals, _ = argument.partition("=")
        if name in OPTIONS:
            own += [argument] if equals else arguments[position : position + 2]
    if not own:
        return text
    return text.replace("snakemake --cores 2 report", f"snakemake --cores 2 report {' '.join(own)}").replace(
        " (and the --configfile of this run, if it had one)", ""
    )


def closing_words(started: float, arguments: Sequence[str]) -> str:
    """Return the text printed at the end: findings, summary, nested error and report that this run created.

    started : start time, seconds since the epoch
    arguments : arguments of the command that started the run
    """

    def made(path: str) -> Path | None:
        file = Path(path)
        return file if file.is_file() and file.stat().st_mtime >= started else None

    report = made("results/report/index.html")
    words = []
    for text in filter(None, map(made, ("results/audit/findings.txt", "results/summary.txt"))):
        words.append(f"\n{command_with_options(text.read_text(encoding='utf-8'), arguments)}")
    if report:  # the advice to make it has been followed
        words = [ADVICE.sub("", text) for text in words]
    if accuracy := made("results/evaluation/accuracy.csv"):
        words.append(nested_error(accuracy))
    if page := report or made("results/report/training.html"):
        words.append(f"The report is written. Open {page.resolve()}")
    return "\n".join(words)


def nested_error(accuracy: Path) -> str:
    """Describe the nested error in `results/evaluation/accuracy.csv`."""
    with accuracy.open(encoding="utf-8", newline="") as table:
        overall = {row["model"]: row for row in csv.DictReader(table) if row["stratum"] == "all"}
    clock, anchor = overall["HeteroAge"], overall["Stage1_Pred_Age"]
    return (
        f"Nested error, the one to quote: HeteroAge {float(clock['MAE']):.2f} years, mean over projects "
        f"{float(clock['MacroMAE']):.2f}; anchor alone {float(anchor['MAE']):.2f} and {float(anchor['MacroMAE']):.2f}."
    )
