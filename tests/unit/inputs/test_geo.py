"""Series matrices: characteristics into a sample sheet, values into a table."""

import gzip
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from series_matrix import series_matrix

from heteroage.errors import HeteroAgeError
from heteroage.inputs import conversion
from heteroage.inputs.conversion import write_values
from heteroage.inputs.geo import Mapped, map_samples, matrix_url, read_samples
from heteroage.tables import text

HOW = Mapped(
    {"Age": ["age", "age (months)"], "Sex": ["gender", "Sex"], "Tissue": ["tissue"], "Is_Healthy": ["disease state"]},
    ["normal", "Healthy control"],
)


@pytest.fixture
def betas():
    rng = np.random.default_rng(0)
    values = np.round(rng.random((50, 4)), 4)
    values[rng.random(values.shape) < 0.1] = np.nan
    return pd.DataFrame(values, [f"cg{k:08d}" for k in range(50)], [f"GSM{k}" for k in (40, 30, 20, 10)])


CHARACTERISTICS = [
    ["age: 67", "age: 3 months", "Age: 40.5 years", "age: NA"],
    ["gender: F", "gender: M", "gender: unknown", ""],
    # GEO lets one line hold different things.
    ["disease state: normal", "batch: 2", "disease state: asthma", "disease state: HEALTHY  control"],
]


@pytest.fixture
def write(tmp_path, betas):
    def make(characteristics=CHARACTERISTICS, betas=betas, **options):
        path = tmp_path / "matrix.txt.gz"
        path.write_bytes(series_matrix(betas, characteristics, **options))
        return path

    return make


@pytest.mark.parametrize(
    ("series", "path"),
    [
        ("GSE40279", "GSE40nnn/GSE40279/matrix/GSE40279_series_matrix.txt.gz"),
        ("GSE41037-GPL8490", "GSE41nnn/GSE41037/matrix/GSE41037-GPL8490_series_matrix.txt.gz"),
        ("GSE123456", "GSE123nnn/GSE123456/matrix/GSE123456_series_matrix.txt.gz"),
        ("GSE999", "GSEnnn/GSE999/matrix/GSE999_series_matrix.txt.gz"),
        ("GSE1000", "GSE1nnn/GSE1000/matrix/GSE1000_series_matrix.txt.gz"),
    ],
)
def test_where_geo_keeps_a_series_matrix(series, path):
    assert matrix_url("https://host/series/", series) == f"https://host/series/{path}"


def test_characteristics_become_a_sample_sheet(write):
    sheet = map_samples(read_samples(write()), "GSE1-GPL2", HOW)
    assert list(sheet["sample_id"]) == ["GSM40", "GSM30", "GSM20", "GSM10"]
    assert set(sheet["project_id"]) == {"GSE1"}
    np.testing.assert_array_equal(sheet["Age"].astype(float), [67, 0.25, 40.5, np.nan])
    assert list(sheet["Sex"]) == ["F", "M", "", ""]
    assert list(sheet["Is_Healthy"]) == [True, None, False, True]
    assert set(sheet["Tissue"]) == {"whole blood"}  # the source name, where no characteristic has it


def test_lines_that_are_not_of_samples_are_passed_by(write):
    path = write()
    others = "\n".join(
        ["", "  ", "\r", "!", "!Sample_", "!Series_sample_id\tGSM40 GSM30", "# a remark", '"', "Age\t1\t2\t3\t4"]
    )
    text = gzip.decompress(path.read_bytes()).decode()
    mixed = path.with_name("mixed.txt.gz")
    mixed.write_bytes(gzip.compress("".join(f"{others}\n{line}\n" for line in text.split("\n", 11)).encode()))
    assert read_samples(mixed) == read_samples(path)


def test_the_first_name_that_a_sample_has_counts(write):
    rows = [["age: 5", "x: 1", "age: NA", "age: 7"], ["age (months): 1", "age (months): 24", "age (months): 36", ""]]
    sheet = map_samples(read_samples(write([*rows, CHARACTERISTICS[2]])), "GSE1", HOW)
    np.testing.assert_array_equal(sheet["Age"].astype(float), [5, 2, np.nan, 7])


def test_a_value_given_for_all_comes_before_characteristics(write):
    how = Mapped(HOW.characteristics, HOW.healthy, {"Is_Healthy": True, "Tissue": "Skin"})
    sheet = map_samples(read_samples(write()), "GSE1", how)
    assert sheet["Is_Healthy"].all()
    assert set(sheet["Tissue"]) == {"Skin"}


def test_a_series_without_ages_names_what_it_has(write):
    with pytest.raises(
        HeteroAgeError, match=r"GSE1 has no characteristic for Age \(it has 3: gender, disease state, b"
    ):
        map_samples(read_samples(write(CHARACTERISTICS[1:])), "GSE1", HOW)


def test_ages_that_cannot_be_read_are_named_and_left_empty(write, caplog):
    rows = [["age: >89", "age: 67M", "age: 50", "age: 60"], CHARACTERISTICS[2]]
    sheet = map_samples(read_samples(write(rows)), "GSE1", HOW)
    assert list(sheet["Age"].isna()) == [True, True, False, False]
    assert "(2: '>89' of GSM40, '67M' of GSM30)" in caplog.text


@pytest.mark.parametrize("label", ["age_months", "age in months", "age [months]", "Age (mo)", "AGE.MONTHS"])
def test_a_unit_in_the_name_of_a_characteristic_counts(write, label):
    rows = [[f"{label}: {months}" for months in (36, 24, "unknown", "5 years")], CHARACTERISTICS[2]]
    sheet = map_samples(read_samples(write(rows)), "GSE1", HOW)
    np.testing.assert_array_equal(sheet["Age"].astype(float), [3, 2, np.nan, 5])


def test_a_unit_that_only_the_config_knows(write):
    rows = [["age: 36", "age: 24", "Age (years): 7", "age: 1 day"], CHARACTERISTICS[2]]
    sheet = map_samples(read_samples(write(rows)), "GSE1", replace(HOW, age_unit="months"))
    assert list(sheet["Age"]) == pytest.approx([3, 2, 7 / 12, 1 / 365.25])


def test_gestational_ages_are_refused_or_become_ages_before_birth(write):
    how = replace(HOW, characteristics=HOW.characteristics | {"Age": ["gestational age (weeks)"]})
    lines = read_samples(write([[f"gestational age (weeks): {k}" for k in (38, 39, 40, 41)], CHARACTERISTICS[2]]))
    with pytest.raises(HeteroAgeError, match=r"GSE1 has ages before birth in 1: gestational.*allow_prenatal"):
        map_samples(lines, "GSE1", how)
    ages = map_samples(lines, "GSE1", replace(how, allow_prenatal=True))["Age"]
    assert list(ages) == pytest.approx([-14 / 365.25, -7 / 365.25, 0, 0], abs=1e-6)


def test_ages_most_of_which_cannot_be_read_are_refused(write):
    rows = [["age: adult", "age: adult", "age: old", "age: 5"], CHARACTERISTICS[2]]
    with pytest.raises(HeteroAgeError, match=r"GSE1 has ages that cannot be read in 1: age \(3: 'adult' of GSM40"):
        map_samples(read_samples(write(rows)), "GSE1", HOW)


def test_the_configs_words_for_healthy_come_before_those_for_unknown(write):
    rows = [CHARACTERISTICS[0], ["disease state: None", "disease state: SLE", "disease state: NA", "disease state: no"]]
    lines = read_samples(write(rows))
    assert list(map_samples(lines, "GSE1", replace(HOW, healthy=["none"]))["Is_Healthy"]) == [True, False, None, False]
    assert list(map_samples(lines, "GSE1", replace(HOW, healthy=[False]))["Is_Healthy"]) == [None, False, None, True]


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\n\n"])
def test_a_value_with_a_line_break_stays_one_value(write, end):
    rows = [[f"age: {k}{end}" for k in (10, 20, 30, 40)], [f"disease{end}state: normal" for _ in range(4)]]
    sheet = map_samples(read_samples(write(rows)), "GSE1", HOW)
    assert list(sheet["Age"]) == [10, 20, 30, 40]
    assert sheet["Is_Healthy"].all()


def test_a_line_with_too_few_values_is_refused(write):
    with pytest.raises(
        HeteroAgeError, match=r"has 4 samples, but some lines have a different number of values \(1: !Sample_cha"
    ):
        read_samples(write([["age: 1", "age: 2"], CHARACTERISTICS[2]]))


def test_a_matrix_that_is_not_compressed(write, betas, tmp_path):
    plain = tmp_path / "matrix.txt"
    plain.write_bytes(gzip.decompress(write().read_bytes()))
    assert read_samples(plain) == read_samples(write())
    assert write_values(plain, tmp_path / "beta.parquet") == (50, 4)


@pytest.mark.parametrize("block", [None, 300])
def test_values_arrive_as_they_are(write, betas, tmp_path, monkeypatch, block):
    if block:
        monkeypatch.setattr(text, "BYTES_PER_BLOCK", block)
        monkeypatch.setattr(conversion, "VALUES_PER_ROW_GROUP", 60)
    assert write_values(write(), tmp_path / "beta.parquet") == (50, 4)
    table = pd.read_parquet(tmp_path / "beta.parquet").set_index("cpg")
    pd.testing.assert_frame_equal(table, betas.astype(np.float32), check_names=False)


def test_crlf_and_null(write, tmp_path, betas):
    text = gzip.decompress(write().read_bytes()).decode().replace("\t\t", "\tnull\t").replace("\n", "\r\n")
    (tmp_path / "crlf.gz").write_bytes(gzip.compress(text.encode()))
    write_values(tmp_path / "crlf.gz", tmp_path / "beta.parquet")
    table = pd.read_parquet(tmp_path / "beta.parquet").set_index("cpg")
    pd.testing.assert_frame_equal(table, betas.astype(np.float32), check_names=False)
    assert list(read_samples(tmp_path / "crlf.gz")["geo_accession"]) == list(betas.columns)


def refused(path, tmp_path, message):
    with pytest.raises(HeteroAgeError, match=message):
        write_values(path, tmp_path / "beta.parquet")
    assert not (tmp_path / "beta.parquet").exists()
    assert list(tmp_path.glob(".*.part")) == []


def test_a_series_without_values(write, betas, tmp_path):
    refused(write(betas=betas.iloc[:0]), tmp_path, "samples but no values; .* supplementary files")


def test_text_among_the_values(write, betas, tmp_path):
    betas = betas.astype(object)
    betas.iloc[7, 2] = "low"
    refused(write(betas=betas), tmp_path, "cannot read the values of .*'low'")


def test_a_table_that_ends_early(write, tmp_path):
    refused(write(end=False), tmp_path, "ends early: 50 rows and no !series_matrix_table_end")


def test_a_truncated_file(write, tmp_path):
    path = write()
    path.write_bytes(path.read_bytes()[:-30])
    refused(path, tmp_path, "cannot read .*download it again")


def test_a_row_of_another_width(write, tmp_path):
    text = gzip.decompress(write().read_bytes()).decode().replace('"cg00000003"\t', '"cg00000003"\t0.5\t')
    (tmp_path / "wide.gz").write_bytes(gzip.compress(text.encode()))
    refused(tmp_path / "wide.gz", tmp_path, "has 6 fields in line 15 and 5 in its header")


def test_what_is_no_series_matrix(tmp_path):
    (tmp_path / "soft.gz").write_bytes(gzip.compress(b"^DATABASE = GeoMiame\n"))
    refused(tmp_path / "soft.gz", tmp_path, "not a series matrix")
    with pytest.raises(HeteroAgeError, match="not a series matrix"):
        read_samples(tmp_path / "soft.gz")
