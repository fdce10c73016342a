"""Bisulfite sequencing: positions in three modalities, coverage files among them, from tables to a report."""

import gzip

import numpy as np
import pandas as pd
import pytest
from mini_study import ASSEMBLED, TABLES

from heteroage.files import write_json, write_table

METADATA = ["sample_id", "project_id", "donor_id", "Tissue", "Sex", "Age", "Is_Healthy"]
GAPS = 0.1  # of the positions of a sample that too few reads cover


def place_of(name):
    """A position for each CpG of the mini study."""
    number = int(name.partition("_")[0].removeprefix("cg"))
    return 1 + number % 22, 10_000 + number


def write_coverage_files(folder, table, rng):
    folder.mkdir()
    cpgs = [name for name in table.columns if name.startswith("cg")]
    for _, row in table.iterrows():
        lines = []
        for name in cpgs:
            reads = rng.integers(1, 5) if rng.random() < GAPS else 1000
            if row[name] == row[name]:
                methylated = round(row[name] * reads)
                chromosome, start = place_of(name)
                fraction = 100 * methylated / reads
                lines.append(f"chr{chromosome}\t{start}\t{start}\t{fraction}\t{methylated}\t{reads - methylated}\n")
        (folder / f"{row['sample_id']}.bismark.cov.gz").write_bytes(gzip.compress("".join(lines).encode(), 1, mtime=0))


@pytest.fixture(scope="module")
def positions(inputs, tmp_path_factory):
    """The mini study as if it had been sequenced."""
    study = inputs.inputs_alone(tmp_path_factory.mktemp("positions") / "study")
    rng = np.random.default_rng(0)
    sheets = []
    for modality, separator in (("chalm", ":"), ("camda", "_")):
        table = study.table(TABLES[modality])
        sheets.append(table[METADATA])
        values = table.set_index("sample_id").filter(regex="^cg").T
        values.index = [
            "{}{}{}".format(*(f"chr{c}" if separator == "_" else c, separator, p))
            for c, p in map(place_of, values.index)
        ]
        values.rename_axis("position").reset_index().to_csv(study.path(f"data/{modality}.tsv"), sep="\t", index=False)
    beta = study.table(TABLES["beta"])
    write_coverage_files(study.path("data/coverage"), beta, rng)
    write_table(pd.concat([*sheets, beta[METADATA]]).drop_duplicates("sample_id"), study.path("data/sheet.csv"))
    named = {h: ["chr{}_{}".format(*place_of(cpg)) for cpg in cpgs] for h, cpgs in study.hallmarks.items()}
    write_json(named, study.path("data/hallmarks.json"))
    study.configure(
        inputs__beta={"file": "data/coverage/*.bismark.cov.gz", "least_coverage": 5},
        inputs__chalm="data/chalm.tsv",
        inputs__camda="data/camda.tsv",
        inputs__sample_sheet="data/sheet.csv",
        predict={},
    )
    study.run("all", "results/report/training.html")
    return study


def test_positions_go_from_coverage_files_to_a_report(positions, study):
    names = positions.path("results/store/feature_names.txt").read_text().splitlines()
    assert all(name.startswith("chr") for name in names)
    assert len(names) == len(study.path("results/store/feature_names.txt").read_text().splitlines())
    assert positions.path("results/report/training.html").stat().st_size > 10_000
    assert positions.path(f"{ASSEMBLED}/MANIFEST.json").is_file()
    found = {table["modality"]: table for table in positions.json("results/store/intake.json")["tables"]}
    missing = found["beta"]["n_missing"] / found["beta"]["n_values"]
    assert GAPS / 2 < missing < 2 * GAPS
