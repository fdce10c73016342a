"""Missing CpGs, and a cohort that is off as a whole: what whole clocks do, nested, on real studies.

    python benchmarks/nested_clocks.py FOLDER --scratch scratch

The workflow trains `blood_beta.parquet` (columns as in real_data.py) without each group in turn, in the folder
`scratch`. Each clock then predicts the healthy samples of the group that it has not seen, by the package's own code:
from tables that have lost CpGs, and after calibration on ten known ages. Without a folder of tables, the nested runs in
`scratch/results` are taken, of whatever study. `--manifest` adds the absence of each Infinium type: Illumina's
manifest of the array as CSV, or any table with the columns `Name` and `Infinium_Design_Type`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from heteroage.clock.loading import load_clock
from heteroage.clock.predict import Clock
from heteroage.evaluation.nested import held_out_samples, master_table
from heteroage.files import read_table
from heteroage.matrix import open_matrix, values_of

ROOT = Path(__file__).parents[1]
SHARES = (0.05, 0.18, 0.4)  # of the CpGs, absent; EPICv2 lacks about 18% of the 450k's
DRAWS = 5
KNOWN, CALIBRATIONS = 10, 50


@dataclass(frozen=True)
class Nested:
    """A nested run's clock, the samples that it has not seen, and its training medians by feature."""

    clock: Clock
    samples: pd.DataFrame
    master: pd.DataFrame
    median: pd.Series


def train(tables: Path, scratch: Path) -> None:
    """Train without each group of the blood table in turn."""
    scratch.mkdir(parents=True, exist_ok=True)
    config = {
        "inputs": {
            "beta": str((tables / "blood_beta.parquet").resolve()),
            "hallmarks": str((tables / "hallmark_cpgs.json").resolve()),
            "context_pcs": "compute",
        },
        "cross_validation": {"outer_folds": "leave_one_group_out"},
    }
    (scratch / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "-s", ROOT / "Snakefile", "-d", scratch, "--cores", "2", "-q", "all"]
    command += ["--configfile", scratch / "config.yaml", "--", "results/evaluation/nested_predictions.csv"]
    subprocess.run(list(map(str, command)), check=True)


def nested_clocks(results: Path, pcs: Path | None = None) -> Iterator[Nested]:
    """Go through the nested runs of a results folder; `pcs`: the table of RF_PCs that they were given, if any."""
    known = None if pcs is None else read_table(pcs)
    store, names = open_matrix(results / "store/features.npy", results / "store/feature_names.txt")
    everyone = read_table(results / "store/samples.csv")
    for folder in sorted(results.glob("nested-*_artifacts")):
        fold = int(folder.name.removeprefix("nested-").removesuffix("_artifacts"))
        samples = held_out_samples(everyone, fold)
        samples = samples[samples["Is_Healthy"]]
        if samples.empty:
            continue
        training = read_table(results / f"nested-{fold}/training/samples.csv")["store_column"].to_numpy()
        median = pd.Series(np.nanmedian(values_of(store, names, names, training), axis=0), index=names)
        clock = load_clock(folder).for_our_tables()
        master = master_table(clock.cpgs_read, store, names, samples, known)
        yield Nested(clock, samples.reset_index(drop=True), master, median)


def missing_cpgs(runs: list[Nested], absent: list[str]) -> pd.DataFrame:
    """Predict without some CpGs: a row per sample, with the ages of each way of filling them."""
    parts = []
    for run in runs:
        gone = [name for name in absent if name in run.master]
        less = run.clock.predict(run.master.drop(columns=gone), allow_missing=True)
        filled = run.master.assign(**{name: run.median[name] for name in gone})
        part = run.samples[["project_id", "Age"]].assign(
            complete=run.clock.predict(run.master)["HeteroAge"],
            conditional=less["HeteroAge"],
            median=run.clock.predict(filled)["HeteroAge"],
            Imputed_Years=less["Imputed_Years"],
        )
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def macro_mae(table: pd.DataFrame, column: str) -> float:
    """Mean over projects of the MAE, years."""
    return float((table[column] - table["Age"]).abs().groupby(table["project_id"]).mean().mean())


def infinium_types(manifest: Path) -> dict[str, str]:
    """The Infinium type (I or II) of each CpG in Illumina's manifest, whose header follows a few lines of its own."""
    with manifest.open(encoding="utf-8-sig") as stream:
        above = next(k for k, line in enumerate(stream) if "Infinium_Design_Type" in line)
    table = pd.read_csv(manifest, skiprows=above, usecols=["Name", "Infinium_Design_Type"], dtype=str).dropna()
    table = table[table["Infinium_Design_Type"].isin(["I", "II"])]  # the rows below are of control probes
    return dict(zip(table["Name"], table["Infinium_Design_Type"], strict=True))


def show_missing(runs: list[Nested], types: Mapping[str, str]) -> None:
    """Print the table of missing CpGs: random ones, and whole blocks: modalities where there are several, and types."""
    names = sorted({name for run in runs for name in run.median.index})
    rng = np.random.default_rng(1)
    cases = {
        f"{share:.0%}": [list(rng.choice(names, round(share * len(names)), replace=False)) for _ in range(DRAWS)]
        for share in SHARES
    }
    modalities = sorted({name.rpartition("_")[2] for name in names})
    if len(modalities) > 1:
        cases |= {f"all {one}": [[name for name in names if name.endswith(f"_{one}")]] for one in modalities}
    for one in sorted(set(types.values())):
        block = [name for name in names if types.get(name.rpartition("_")[0]) == one]
        cases[f"all {len(block)} of Infinium type {one}"] = [block]
    print(
        "| absent | medians | conditional | complete | changed, rms | Imputed_Years, rms |\n|---|---|---|---|---|---|"
    )
    for title, draws in cases.items():
        rows = []
        for absent in draws:
            table = missing_cpgs(runs, absent)
            errors = [macro_mae(table, column) for column in ("median", "conditional", "complete")]
            change = ((table["conditional"] - table["complete"]) ** 2).mean()
            rows.append([*errors, change, (table["Imputed_Years"] ** 2).mean()])
        mean = np.mean(rows, axis=0)
        cells = [*mean[:3], *np.sqrt(mean[3:])]
        print(f"| {title} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |", flush=True)


def show_calibration(runs: list[Nested]) -> None:
    """Print what ten known ages of a project change for its other samples: MAE, mean over projects."""
    rng, rows = np.random.default_rng(1), []
    for run in runs:
        ages = run.clock.predict(run.master)["HeteroAge"].to_numpy()
        error = ages - run.samples["Age"].to_numpy()
        for project, own in run.samples.groupby("project_id").groups.items():
            if len(own) < 2 * KNOWN or run.clock.studies is None:
                continue
            row = {"project": project, "n": len(own), "bias": error[own].mean()}
            for _ in range(CALIBRATIONS):
                known = rng.choice(own, KNOWN, replace=False)
                others = np.setdiff1d(own, known)
                offset = run.clock.calibrate(run.master.iloc[known])
                for name, shift in (("before", 0.0), ("after", offset.years), ("plain", -offset.bias)):
                    row[name] = row.get(name, 0.0) + np.abs(error[others] + shift).mean() / CALIBRATIONS
            rows.append(row)
    table = pd.DataFrame(rows)
    print(table.round(2).to_string(index=False))
    gain = table["after"] - table["before"]
    paired = f"{gain.mean():+.2f} ± {gain.std(ddof=1) / np.sqrt(len(gain)):.2f}"
    print(f"mean over {len(table)} projects: {table['before'].mean():.2f} -> {table['after'].mean():.2f} ({paired}), ")
    print(f"without shrinkage {table['plain'].mean():.2f}")


def show_tables(scratch: Path, pcs: Path | None = None, manifest: Path | None = None) -> None:
    """Print both tables of the nested runs in a folder."""
    runs = list(nested_clocks(scratch / "results", pcs))
    show_missing(runs, {} if manifest is None else infinium_types(manifest))
    show_calibration(runs)


def main() -> None:
    """Print the tables of docs/evaluation.md and docs/apply.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="folder with blood_beta.parquet and hallmark_cpgs.json")
    parser.add_argument(
        "--scratch", type=Path, required=True, help="where the workflow runs, or has run with nested runs"
    )
    parser.add_argument("--pcs", type=Path, help="table of RF_PCs, where the runs in the scratch folder were given one")
    parser.add_argument("--manifest", type=Path, help="Illumina's manifest: adds the absence of each Infinium type")
    given = parser.parse_args()
    if given.folder is not None:
        train(given.folder, given.scratch)
    show_tables(given.scratch, given.pcs, given.manifest)


if __name__ == "__main__":
    main()
