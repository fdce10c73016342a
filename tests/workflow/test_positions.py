"""Bisulfite sequencing: positions in three modalities, coverage files among them, from tables to a report."""

import gzip

import numpy as np
import pandas as pd
import pytest
from mini_study import ASSEMBLED, TABLES

from heteroage.clock.loading import load_clock
from heteroage.files import write_json, write_table

METADATA = ["sample_id", "project_id", "donor_id", "Tissue", "Sex", "Age", "Is_Healthy"]
GAPS = 0.1  # of the positions of a sample that too few reads cover
POSITIONS = 2000  # of each modality


def place_of(name):
    """A position for each CpG of the mini study."""
    number = int(name.partition("_")[0].removeprefix("cg"))
    return 1 + number % 22, 10_000 + number


def sequenced(table, rng):
    """Add positions that say nothing of age, up to 2,000 in all."""
    names = [f"cg{90_000_000 + k}" for k in range(POSITIONS - sum(c.startswith("cg") for c in table.columns))]
    noise = rng.normal(rng.uniform(0.2, 0.8, len(names)), 0.05, (len(table), len(names))).clip(0, 1).round(4)
    return pd.concat([table, pd.DataFrame(noise, columns=names)], axis=1)


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
    beta = sequenced(study.table(TABLES["beta"]), rng)
    ids = beta["sample_id"]
    to_predict = ["data/coverage/*.bismark.cov.gz", "data/sheet.csv"]
    for modality, separator in (("chalm", ":"), ("camda", "_")):
        table = sequenced(study.table(TABLES[modality]), rng)
        sheets.append(table[METADATA])
        values = table.set_index("sample_id").filter(regex="^cg").T
        values = values.mask(rng.random(values.shape) < GAPS)
        values.index = [
            "{}{}{}".format(*(f"chr{c}" if separator == "_" else c, separator, p))
            for c, p in map(place_of, values.index)
        ]
        values.rename_axis("position").reset_index().to_csv(study.path(f"data/{modality}.tsv"), sep="\t", index=False)
        # Tables to predict have the same samples, of which training may lack some in a modality.
        values.index = [f"chr{c}_{p}_{modality}" for c, p in map(place_of, table.filter(regex="^cg").columns)]
        values.reindex(columns=ids).to_csv(study.path(f"data/new_{modality}.tsv"), sep="\t", index_label="position")
        to_predict.append(f"data/new_{modality}.tsv")
    write_coverage_files(study.path("data/coverage"), beta, rng)
    write_table(pd.concat([*sheets, beta[METADATA]]).drop_duplicates("sample_id"), study.path("data/sheet.csv"))
    named = {h: ["chr{}_{}".format(*place_of(cpg)) for cpg in cpgs] for h, cpgs in study.hallmarks.items()}
    write_json(named, study.path("data/hallmarks.json"))
    study.configure(
        inputs__beta={"file": "data/coverage/*.bismark.cov.gz", "least_coverage": 5},
        inputs__chalm="data/chalm.tsv",
        inputs__camda="data/camda.tsv",
        inputs__sample_sheet="data/sheet.csv",
        inputs__context_pcs="compute",
        predict={"new": {"file": to_predict, "least_coverage": 5}},
    )
    study.run("all", "results/report/training.html")
    return study


def test_positions_go_from_coverage_files_to_a_report(positions):
    names = positions.path("results/store/feature_names.txt").read_text().splitlines()
    assert all(name.startswith("chr") for name in names)
    assert len(names) == 3 * POSITIONS
    assert positions.path("results/report/training.html").stat().st_size > 10_000
    assert positions.path(f"{ASSEMBLED}/MANIFEST.json").is_file()
    found = {table["modality"]: table for table in positions.json("results/store/intake.json")["tables"]}
    for table in found.values():
        assert GAPS / 2 < table["n_missing"] / table["n_values"] < 2 * GAPS


def test_coverage_files_are_predicted_as_the_table_that_training_made_of_them(positions):
    predicted = positions.table("results/predictions/new.csv").set_index("sample_id")
    sheet = positions.table("data/sheet.csv").set_index("sample_id")
    assert set(predicted.index) == set(sheet.index)
    table = pd.read_parquet(positions.path("results/coverage/0.parquet"))
    table["cpg"] += "_beta"
    table.to_parquet(positions.path("data/as_table.parquet"))
    others = [positions.path(f"data/{name}") for name in ("sheet.csv", "new_chalm.tsv", "new_camda.tsv")]
    clock = load_clock(positions.path(ASSEMBLED))
    again = clock.predict([positions.path("data/as_table.parquet"), *others]).set_index("sample_id")
    predicted["Flags"] = predicted["Flags"].fillna("")  # an empty cell
    # Numbers are written with 15 digits or more.
    pd.testing.assert_frame_equal(predicted.loc[again.index], again, check_dtype=False, rtol=1e-9)
    assert clock.conventions.least_coverage == 5
