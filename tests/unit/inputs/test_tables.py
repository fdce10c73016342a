"""The same values from any format, orientation, order and block size give the same store."""

import gzip
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bad_tables import cpgs_in_rows, sheet_of, study
from input_tables import merged, stored, table
from scipy.sparse import csr_matrix

from heteroage.errors import HeteroAgeError
from heteroage.inputs import columnar, delimited, frames, grid, scatter, store
from heteroage.inputs.intake import Intake
from heteroage.inputs.merge import InputOptions, read_cohorts
from heteroage.inputs.tables import TableEntry, open_reader, open_table


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


pytestmark = pytest.mark.filterwarnings("ignore:The 'future.infer_string' option")


@pytest.fixture(params=[40, 1 << 24])
def block_bytes(request, monkeypatch):
    """Blocks of a few values, or of all of them."""
    for module in (grid, columnar, frames):
        monkeypatch.setattr(module, "BLOCK_BYTES", request.param)
    monkeypatch.setattr(columnar, "STRIP", 3)
    monkeypatch.setattr(columnar, "AT_ONCE", 2)
    monkeypatch.setattr(columnar, "STRIP_BYTES", request.param)
    monkeypatch.setattr(store, "PART", request.param)
    monkeypatch.setattr(scatter, "LARGE", request.param)
    monkeypatch.setattr(delimited, "CHUNK", request.param)
    monkeypatch.setattr(delimited, "ROWS_BYTES", request.param)


@pytest.fixture(params=[0, 1 << 20])
def small(request, monkeypatch):
    """Text is parsed by compiled code, or by plain Python."""
    monkeypatch.setattr(delimited, "SMALL", request.param)


def float32(frame):
    return frame.round(3).astype({c: np.float32 for c in frame.columns if c.startswith("cg")})


def read(entries, sheets=(), **options):
    intake = Intake()
    entries = {m: [e if isinstance(e, TableEntry) else TableEntry(e) for e in es] for m, es in entries.items()}
    sheets = [TableEntry(sheet) for sheet in sheets]
    cohorts = read_cohorts(entries, sheets, InputOptions(**options), Path(), intake)
    return stored(cohorts, intake)


def write(frame, name):
    path = Path(name)
    if path.suffix == ".parquet":
        frame.to_parquet(path, row_group_size=3)
    elif path.suffix == ".feather":
        frame.to_feather(path, chunksize=3)
    elif path.suffix == ".pkl":
        frame.to_pickle(path)
    elif path.suffix == ".h5ad":
        write_h5ad(frame, path)
    else:
        text = frame.to_csv(index=False, sep="\t" if ".tsv" in name else ",")
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def write_h5ad(frame, path, sparse=False):
    anndata = pytest.importorskip("anndata")
    label = frame.columns[0]
    values = frame[[c for c in frame.columns if frame[c].dtype == np.float32]]
    obs = frame[[c for c in frame.columns if c not in values.columns and c != label]]
    matrix = values.to_numpy()
    with pd.option_context("future.infer_string", False):  # anndata cannot write pandas' new text yet
        obs = pd.DataFrame({c: [str(v) for v in obs[c]] for c in obs}, index=pd.Index(list(frame[label]), name=label))
        var = pd.DataFrame(index=pd.Index(list(values.columns)))
        anndata.AnnData(csr_matrix(matrix) if sparse else matrix, obs=obs, var=var).write_h5ad(path)


def same(one, two):
    pd.testing.assert_frame_equal(one.samples, two.samples)
    assert list(one.betas) == list(two.betas)
    for modality, frame in one.betas.items():
        pd.testing.assert_frame_equal(frame, two.betas[modality], check_exact=True)


@pytest.mark.parametrize("orientation", ["samples_in_rows", "cpgs_in_rows"])
@pytest.mark.parametrize("name", ["t.csv", "t.tsv.gz", "t.parquet", "t.feather", "t.pkl", "t.h5ad"])
def test_every_format_and_orientation_gives_the_same_store(folder, block_bytes, small, name, orientation):
    frame = float32(study(n=10, n_cpgs=7))
    frame.loc[3, "cg00000002"] = np.nan
    expected = merged({"beta": frame})
    shuffled = frame.sample(frac=1, random_state=1)
    cpgs = list(shuffled.filter(like="cg").sample(frac=1, axis=1, random_state=2).columns)
    sheets = []
    if orientation == "cpgs_in_rows":
        write(sheet_of(frame), "sheet.csv")
        sheets = ["sheet.csv"]
        shuffled = cpgs_in_rows(shuffled[["sample_id", *cpgs]])
    else:
        shuffled = shuffled[[*sheet_of(frame).columns, *cpgs]]
    write(shuffled, name)
    found = read({"beta": [name]}, sheets, allow_pickle=True)
    same(found, expected)
    assert found.intake.tables[0]["orientation"] == orientation
    assert found.intake.tables[0]["n_missing"] == 1


def test_a_sparse_matrix_is_read_as_the_zeros_that_it_means(folder):
    frame = float32(study())
    frame[["cg00000001", "cg00000002"]] = np.float32(0)
    write_h5ad(frame, Path("t.h5ad"), sparse=True)
    same(read({"beta": ["t.h5ad"]}), merged({"beta": frame}))


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet", "t.feather"])
def test_no_block_is_larger_than_it_may_be(folder, monkeypatch, name):
    for module in (grid, columnar):
        monkeypatch.setattr(module, "BLOCK_BYTES", 400)
    write(float32(study(n=40, n_cpgs=30)), name)
    opened = open_table(TableEntry(name), "beta", Path(), Intake())
    sizes = [values.nbytes for _, _, values in opened.blocks()]
    assert len(sizes) > 10
    assert max(sizes) <= 400


def test_row_names_without_a_header_as_r_writes_them(folder):
    frame = float32(study())
    text = cpgs_in_rows(frame).to_csv(index=False, sep="\t").removeprefix("ID_REF\t")
    Path("t.txt").write_text(text, encoding="utf-8")
    write(sheet_of(frame), "sheet.csv")
    same(read({"beta": ["t.txt"]}, ["sheet.csv"]), merged({"beta": frame}))


def test_an_index_is_a_column(folder):
    frame = float32(study())
    frame.set_index("sample_id").to_parquet("named.parquet")
    frame.set_index("sample_id").rename_axis(None).to_parquet("unnamed.parquet")
    same(read({"beta": ["named.parquet"]}), merged({"beta": frame}))
    same(read({"beta": ["unnamed.parquet"]}), merged({"beta": frame}))


def halves():
    """Two tables of one modality: different samples, one CpG each that the other has not."""
    frame = float32(study(n=10, n_cpgs=4))
    first, second = frame.iloc[::2].drop(columns="cg00000001"), frame.iloc[1::2].drop(columns="cg00000004")
    return frame, first, second


@pytest.mark.parametrize("join", ["union", "intersection"])
def test_tables_of_a_modality_are_joined_whatever_their_order(folder, block_bytes, join):
    frame, first, second = halves()
    write(first, "a.parquet")
    write(second, "b.csv")
    one, two = (read({"beta": files}, join=join) for files in (["a.parquet", "b.csv"], ["b.csv", "a.parquet"]))
    same(one, two)
    assert one.intake.as_json() == two.intake.as_json()
    expected = frame.set_index("sample_id").filter(like="cg").add_suffix("_beta")
    expected.loc[first["sample_id"], "cg00000001_beta"] = np.nan
    expected.loc[second["sample_id"], "cg00000004_beta"] = np.nan
    kept = expected.columns if join == "union" else expected.columns[1:3]
    np.testing.assert_array_equal(one.betas["beta"], expected.sort_index()[kept])


def test_replicate_probes_are_averaged_whatever_their_order(folder, block_bytes):
    frame = float32(study(n=6, n_cpgs=5))
    names = ["cg00000007_TC21", "cg00000003", "cg00000007_BC11", "cg00000007_TC22", "cg00000001_BO11"]
    frame = frame.rename(columns=dict(zip(frame.filter(like="cg").columns, names, strict=True)))
    frame.loc[0, names[0]] = np.nan
    frame.loc[1, [names[0], names[2], names[3]]] = np.nan
    write(frame, "t.parquet")
    write(frame[frame.columns[::-1]], "reversed.parquet")
    one, two = read({"beta": ["t.parquet"]}), read({"beta": ["reversed.parquet"]})
    same(one, two)
    mean = frame[[names[2], names[3], names[0]]].astype(float).mean(axis=1)
    np.testing.assert_array_equal(one.betas["beta"]["cg00000007_beta"], mean.astype(np.float32))
    assert list(one.betas["beta"]) == ["cg00000001_beta", "cg00000003_beta", "cg00000007_beta"]
    np.testing.assert_array_equal(one.betas["beta"]["cg00000001_beta"], frame[names[4]])


def test_m_values_and_percent_become_betas(folder):
    frame = study(n=6)
    cpgs = list(frame.filter(like="cg").columns)
    expected = frame.set_index("sample_id")[cpgs]
    for values, change in (("m_values", lambda b: np.log2(b / (1 - b))), ("percent", lambda b: 100 * b)):
        write(frame.assign(**change(frame[cpgs])), "t.parquet")
        found = read({"beta": [TableEntry("t.parquet", values=values)]})
        np.testing.assert_allclose(found.betas["beta"], expected, rtol=1e-6)
        assert found.intake.tables[0]["n_values"] == expected.size


def test_metadata_may_stand_in_a_sheet_and_in_tables(folder):
    frame = float32(study())
    write(frame.drop(columns="Age"), "t.parquet")
    write(frame[["sample_id", "Age"]].iloc[::-1], "ages.tsv")
    same(read({"beta": ["t.parquet"]}, ["ages.tsv"]), merged({"beta": frame}))


def test_names_that_are_numbers_are_the_same_text_in_every_format(folder):
    frame = float32(study())
    ids = np.arange(100, 100 + len(frame))
    for name, values in (
        ("t.csv", ids),
        ("t.parquet", ids),
        ("f.parquet", ids.astype(float)),
        ("s.parquet", ids.astype(str)),
    ):
        write(frame.assign(sample_id=values), name)
        assert read({"beta": [name]}).samples["sample_id"].tolist() == [str(k) for k in ids]


def test_text_in_a_number_column_of_parquet_names_the_cell(folder, block_bytes):
    frame = study().astype({"cg00000003": object})
    frame["cg00000003"] = frame["cg00000003"].map(str)
    write(frame, "t.parquet")
    same(read({"beta": ["t.parquet"]}), merged({"beta": study()}))
    frame.loc[5, "cg00000003"] = "n/d"
    write(frame, "t.parquet")
    with pytest.raises(HeteroAgeError, match=re.escape("(1: 'n/d' at sample s5, cg00000003)")):
        read({"beta": ["t.parquet"]})


def test_a_pickle_that_is_no_frame_and_one_that_is_none(folder):
    pd.to_pickle({"a": 1}, "t.pkl")
    with pytest.raises(HeteroAgeError, match="holds a dict, not a pandas DataFrame"):
        open_reader(Path("t.pkl"), allow_pickle=True)
    Path("t.pkl").write_bytes(b"nonsense")
    with pytest.raises(HeteroAgeError, match="cannot unpickle"):
        open_reader(Path("t.pkl"), allow_pickle=True)


def test_an_h5ad_cut_in_half(folder):
    write_h5ad(float32(study()), Path("t.h5ad"))
    whole = Path("t.h5ad").read_bytes()
    Path("t.h5ad").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(HeteroAgeError, match=r"cannot read t\.h5ad"):
        open_reader(Path("t.h5ad"))


def test_disjoint_modalities_where_they_are_allowed():
    chalm = table(seed=2).assign(sample_id=[f"x{k}" for k in range(6)])
    assert len(merged({"beta": table(), "chalm": chalm}, allow_disjoint_modalities=True).samples) == 12
