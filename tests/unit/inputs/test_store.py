"""The store holds exactly the union of the modality tables."""

import numpy as np
import pandas as pd
import pytest
from input_tables import cohorts_of

from heteroage import matrix as matrix_module
from heteroage.errors import HeteroAgeError
from heteroage.inputs import scatter
from heteroage.inputs.grid import Spool
from heteroage.inputs.intake import Intake
from heteroage.inputs.merge import InputOptions, read_cohorts
from heteroage.inputs.store import write_store
from heteroage.inputs.tables import TableEntry
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
    monkeypatch.setattr(matrix_module, "BLOCK", request.param)


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


@pytest.fixture
def only_table(tmp_path, monkeypatch):
    """A way to make the store of one CSV with CpGs in rows, `{name: values}`, in a spool's place or beside it."""
    monkeypatch.chdir(tmp_path)
    samples = ["s3", "s1", "s4", "s2"]
    sheet = pd.DataFrame({"sample_id": samples, "project_id": "p", "Tissue": "Blood", "Sex": "F", "Age": 40.0})
    sheet.assign(Is_Healthy=True).to_csv("samples.csv", index=False)
    become, taken = Spool.become, []

    def spied(spool, path):
        taken.append(path)
        return become(spool, path)

    def make(rows, in_place, values="beta"):
        monkeypatch.setattr(scatter, "LARGE", 0 if in_place else 1 << 30)
        monkeypatch.setattr(Spool, "become", spied)
        pd.DataFrame(rows, index=samples).T.to_csv("beta.csv", index_label="ID_REF")
        intake, entries = Intake(), {"beta": [TableEntry("beta.csv", values=values)]}
        cohorts = read_cohorts(entries, [TableEntry("samples.csv")], InputOptions(), tmp_path, intake)
        write_store(cohorts, tmp_path / "features.npy", tmp_path / "feature_names.txt", intake)
        content = [(tmp_path / name).read_bytes() for name in ("features.npy", "feature_names.txt")]
        return content, intake.steps, intake.tables, bool(taken)

    return make


ROWS = {f"cg{k:08d}": np.random.default_rng(k).random(4).round(3) for k in (5, 2, 9, 1, 7)}
GAPS = {"cg00000003": [0.5, np.nan, 0.25, 0.75]}
OTHERS = {"rs10": [0.1, 0.2, 0.3, 0.4]}
REPLICATES = {"cg00000004_TC11": [0.5, 0.25, 0.5, 0.75], "cg00000004_TC12": [0.25, 0.5, 0.5, np.nan]}


@pytest.mark.parametrize(
    ("rows", "values", "in_place"),
    [
        (ROWS | GAPS, "beta", True),
        (OTHERS | ROWS | {"rs2": [0, 0, 1, 1]} | GAPS, "beta", True),
        (ROWS | REPLICATES, "beta", False),
        ({name: 100 * row for name, row in ROWS.items()}, "percent", False),
    ],
    ids=["all CpGs", "others left out", "replicates", "percent"],
)
def test_an_only_tables_spool_becomes_the_same_store(only_table, rows, values, in_place):
    beside, within = only_table(rows, False, values), only_table(rows, True, values)
    assert within[:3] == beside[:3]
    assert (beside[3], within[3]) == (False, in_place)


def test_where_a_spool_can_have_no_name_the_store_is_written_beside_it(only_table, monkeypatch):
    expected = only_table(ROWS, False)
    monkeypatch.setattr("os.link", lambda *a, **k: (_ for _ in ()).throw(OSError(18, "another file system")))
    assert only_table(ROWS, True)[:3] == expected[:3]


def test_values_that_are_refused_leave_no_store(only_table, tmp_path):
    for bad, message in ((np.inf, "infinite values"), ("n/d", "text where numbers belong")):
        with pytest.raises(HeteroAgeError, match=message):
            only_table(ROWS | {"cg00000003": [0.5, bad, 0.25, 0.75]}, True)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["beta.csv", "samples.csv"]


def test_the_store_is_mapped_not_read(tmp_path):
    matrix, _ = open_matrix(*written(tmp_path, cohorts_of(tables())))
    assert isinstance(matrix, np.memmap)
