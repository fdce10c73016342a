"""The store holds exactly the union of the modality tables; the record is in one order, whatever the tables'."""

import itertools

import numpy as np
import pandas as pd
import pytest
from input_tables import cohorts_of

from heteroage import matrix as matrix_module
from heteroage.errors import FIRST, HeteroAgeError
from heteroage.inputs.cohorts import InputOptions, read_cohorts
from heteroage.inputs.store import STEPS, Intake, TableEntry, write_store
from heteroage.matrix import open_matrix


def tables(order=None):
    rng = np.random.default_rng(1)
    made = {}
    for modality, ids, cpgs in (
        ("beta", ["s3", "s1", "s2"], [4, 1, 7, 2, 9]),
        ("chalm", ["s4", "s2"], [2, 3, 4]),
        ("camda", ["s5", "s1", "s3"], [11, 1]),
    ):
        table = pd.DataFrame({"sample_id": ids, "project_id": "p", "Tissue": "Blood", "Sex": "F"})
        table["Age"], table["Is_Healthy"] = 40.0, True
        for cpg in cpgs:
            table[f"cg{cpg:08d}"] = rng.random(len(ids))
        made[modality] = table
    made["beta"].loc[1, "cg00000007"] = np.nan
    return {modality: made[modality] for modality in order or made}


@pytest.fixture(params=[1, 2, 4096])
def block(request, monkeypatch):
    """Blocks of any size must give the same store."""
    monkeypatch.setattr(matrix_module, "FEATURES_PER_BLOCK", request.param)


def written(folder, cohorts):
    features, names = folder / "features.npy", folder / "feature_names.txt"
    write_store(cohorts, features, names, Intake())
    return features, names


def test_store_is_the_union_of_the_tables(tmp_path, block):
    made = tables()
    cohorts = cohorts_of(made)
    matrix, names = open_matrix(*written(tmp_path, cohorts))
    union = pd.concat(
        [t.set_index("sample_id").filter(like="cg").add_suffix(f"_{m}") for m, t in made.items()], axis=1
    ).sort_index()
    assert cohorts.samples["sample_id"].tolist() == ["s1", "s2", "s3", "s4", "s5"]
    assert names == sorted(union.columns)
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, union[names].to_numpy(np.float32).T)
    # 30 values are in no table: 2 samples without beta, 3 without chalm, 2 without camda, and one gap.
    assert np.isnan(matrix).sum() == 2 * 5 + 3 * 3 + 2 * 2 + 1


def test_order_of_the_tables_changes_no_byte(tmp_path):
    contents = []
    for k, order in enumerate((["beta", "chalm", "camda"], ["camda", "beta", "chalm"])):
        folder = tmp_path / str(k)
        folder.mkdir()
        contents.append([path.read_bytes() for path in written(folder, cohorts_of(tables(order)))])
    assert contents[0] == contents[1]


def test_values_that_are_refused_leave_no_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sheet = pd.DataFrame({"sample_id": ["s3", "s1"], "project_id": "p", "Tissue": "Blood", "Sex": "F", "Age": 40.0})
    sheet.assign(Is_Healthy=True).to_csv("samples.csv", index=False)
    for bad, message in ((np.inf, "infinite values"), ("n/d", "text in place of numbers"), (-9, "missing_values: ")):
        rows = {"cg00000001": [0.25, 0.5], "cg00000003": [0.5, bad]}
        pd.DataFrame(rows, index=["s3", "s1"]).T.to_csv("beta.csv", index_label="ID_REF")
        intake, entries = Intake(), {"beta": [TableEntry("beta.csv")]}
        cohorts = read_cohorts(entries, [TableEntry("samples.csv")], InputOptions(), intake)
        with pytest.raises(HeteroAgeError, match=message):
            write_store(cohorts, tmp_path / "features.npy", tmp_path / "feature_names.txt", intake)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["beta.csv", "samples.csv"]


def test_the_store_is_mapped_not_read(tmp_path):
    matrix, _ = open_matrix(*written(tmp_path, cohorts_of(tables())))
    assert isinstance(matrix, np.memmap)


NOTES = [
    ("join_cpgs", "beta tables", 2, "left out", ["cg1", "cg2"]),
    ("map_columns", "the beta table b", 0, "renamed", ["x"]),
    ("map_columns", "the beta table a", 1, "renamed", ["x"]),
    ("unknown_age", "the chalm table c", 9, "left unknown", range(9)),
]


def test_the_order_of_notes_and_tables_does_not_matter():
    tables = [{"modality": m, "file": f} for m, f in (("chalm", "a"), ("beta", "b"), ("beta", "a"))]
    records = []
    for notes, rows in zip(
        itertools.permutations(NOTES), itertools.cycle(itertools.permutations(tables)), strict=False
    ):
        intake = Intake(tables=list(rows), modalities=[{"modality": row["modality"]} for row in rows])
        for note in notes:
            intake.note(*note)
        records.append(intake.as_json())
    assert all(record == records[0] for record in records)
    assert [row["file"] for row in records[0]["tables"]] == ["a", "b", "a"]
    steps = [(row["step"], row["where"]) for row in records[0]["steps"]]
    assert steps == sorted(steps, key=lambda pair: (list(STEPS).index(pair[0]), pair[1]))


def test_a_step_that_found_nothing_is_recorded_without_words_and_examples():
    intake = Intake()
    intake.note("convert_values", "the beta table x", 0, "divided by 100", ["s1"])
    assert intake.steps == [
        {"step": "convert_values", "where": "the beta table x", "found": 0, "done": "", "first": []}
    ]


def test_of_many_the_first_few_are_kept_as_text():
    intake = Intake()
    intake.note("unknown_age", "x", 1000, "left unknown", itertools.count())
    assert intake.steps[0]["first"] == [str(k) for k in range(FIRST)]
    assert intake.steps[0]["found"] == 1000
