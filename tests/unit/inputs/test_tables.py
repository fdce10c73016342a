"""The same values from any format, orientation, order and block size give the same store."""

from pathlib import Path

import numpy as np
import pytest
from bad_tables import cpgs_in_rows, sheet_of, study
from input_files import float32, read, same, write
from input_tables import merged

from heteroage.inputs import columnar, grid
from heteroage.inputs.intake import Intake
from heteroage.inputs.tables import TableEntry, open_table

pytestmark = pytest.mark.filterwarnings("ignore:The 'future.infer_string' option")


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
