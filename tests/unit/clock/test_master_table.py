"""A sample's row is its own, whatever stands beside it, in one table or several, whichever way round."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sample_tables import FORMS, cpgs_of, equal, from_files, predicted_bytes, refused, table_refused, write

from heteroage.clock.master_table import Wanted
from heteroage.errors import HeteroAgeError
from heteroage.files import write_table
from heteroage.labels import clean, is_missing
from heteroage.tables.layout import check_cpg_names
from heteroage.tables.metadata import Conventions

QUICK = [Phase.explicit, Phase.generate]  # an example takes a tenth of a second: to shrink one would take minutes


@pytest.fixture(scope="module")
def expected(clock, tmp_path_factory):
    """The bytes of the predictions of the master table."""
    folder = tmp_path_factory.mktemp("expected")
    clock.master.to_csv(folder / "m.csv", index=False)
    return predicted_bytes(clock, folder / "m.csv")


@pytest.fixture(scope="module")
def predicted(loaded, clock):
    return loaded.predict(clock.master)


# Rows


@settings(max_examples=25, phases=QUICK, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_samples_row_is_its_own(clock, expected, tmp_path_factory, data):
    """Any samples beside it, in any order, form and column order: the same bytes."""
    folder = tmp_path_factory.mktemp("own")
    n = len(clock.master)
    rows = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=n, unique=True))
    table = clock.master.iloc[rows]
    strangers = data.draw(st.integers(0, 3))
    if strangers:
        rng = np.random.default_rng(data.draw(st.integers(0, 99)))
        other = clock.master.iloc[:strangers].assign(sample_id=[f"x{k}" for k in range(strangers)], Tissue=None)
        other[cpgs_of(other)] = rng.random((strangers, len(cpgs_of(other))))
        other.loc[:, rng.choice(cpgs_of(other), 5, replace=False)] = np.nan
        table = pd.concat([other, table])
    columns = data.draw(st.permutations(list(table.columns)))
    table = table[columns].reset_index(drop=True)
    path = write(table, folder / f"m.{data.draw(st.sampled_from(FORMS))}")
    lines = expected.splitlines()
    assert predicted_bytes(clock, path).splitlines()[1 + strangers :] == [lines[1 + k] for k in rows]


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\r\0", exclude_categories=["Cs"]), min_size=1)


@settings(max_examples=15, phases=QUICK, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ids=st.lists(NAMES, min_size=1, max_size=5, unique_by=str.strip), tissue=NAMES)
def test_any_text_survives_the_way_through(loaded, clock, tmp_path_factory, ids, tissue):
    """Commas, quotes, line ends: what comes in as text comes out as text, from CSV as from Parquet."""
    ids = [one for one in dict.fromkeys(map(clean, ids)) if not is_missing(one)]
    if not ids:
        return
    folder = tmp_path_factory.mktemp("text")
    frame = clock.master.iloc[: len(ids)].assign(sample_id=ids, Tissue=tissue)
    csv, parquet = (predicted_bytes(clock, write(frame, folder / f"m.{form}")) for form in ("csv", "parquet"))
    assert csv == parquet
    back = pd.read_csv(folder / "predicted.csv", dtype=str, keep_default_na=False)
    assert back["sample_id"].tolist() == ids


# CpGs in rows


def transposed(frame):
    return frame.drop(columns=["Tissue", "Sex", "Age"]).set_index("sample_id").T.rename_axis("ID_REF")


def sheet(frame):
    return frame[["sample_id", "Tissue", "Sex", "Age"]]


@pytest.mark.parametrize("form", ["csv", "corner.csv", "tsv", "csv.gz", "parquet", "index.parquet", "feather"])
def test_cpgs_in_rows_beside_a_sample_sheet(clock, tmp_path, expected, form):
    path, values = tmp_path / f"betas.{form}", transposed(clock.master)
    if form == "corner.csv":  # as R's write.table does
        text = values.to_csv()
        path.write_text(text.partition(",")[2])
    elif form in ("csv", "csv.gz"):
        values.to_csv(path)
    elif form == "tsv":
        values.to_csv(path, sep="\t")
    elif form == "parquet":
        values.reset_index().to_parquet(path)
    elif form == "index.parquet":
        values.rename_axis(None).to_parquet(path)
    else:
        values.reset_index().to_feather(path)
    sheet(clock.master).iloc[::-1].to_csv(tmp_path / "sheet.csv", index=False)
    assert predicted_bytes(clock, path, tmp_path / "sheet.csv") == expected


def test_cpgs_in_rows_with_metadata_rows(clock, tmp_path, expected):
    clock.master.set_index("sample_id").T.to_csv(tmp_path / "m.csv")
    assert predicted_bytes(clock, tmp_path / "m.csv") == expected


def test_a_frame_with_cpgs_in_rows(loaded, clock):
    whole = loaded.predict(clock.master)
    values = transposed(clock.master)
    np.testing.assert_array_equal(loaded.predict(values)["Stage1_Pred_Age"], whole["Stage1_Pred_Age"])
    indexed = loaded.predict(clock.master.set_index("sample_id"))
    pd.testing.assert_frame_equal(indexed, whole, check_exact=True)


# What is refused


def test_no_rows_and_repeated_ids_and_ages(clock, tmp_path):
    for form in ("csv", "parquet", "feather"):
        table_refused(clock, write(clock.master.iloc[:0], tmp_path / f"none.{form}"), "has a header and no rows")
        twice = pd.concat([clock.master, clock.master.iloc[[2, 2]]], ignore_index=True)
        table_refused(clock, write(twice, tmp_path / f"twice.{form}"), "has duplicate sample_ids (1: n002)")
        old = clock.master.assign(Age=clock.master["Age"] + 200)
        table_refused(clock, write(old, tmp_path / f"old.{form}"), "has ages outside 0 to 122 years (14:")


def test_columns_full_of_nothing(clock, loaded, tmp_path):
    whole = loaded.predict(clock.master)
    name = cpgs_of(clock.master)[5]
    pd.testing.assert_frame_equal(
        loaded.predict(clock.master.assign(**{name: None})), loaded.predict(clock.master.drop(columns=name))
    )
    empty = clock.master.assign(**dict.fromkeys(cpgs_of(clock.master), np.nan))
    table_refused(clock, write(empty, tmp_path / "m.csv"), "every sample has more than 50% of the weight missing")
    beside = pd.concat([clock.master, empty.iloc[[0]].assign(sample_id="empty")], ignore_index=True)
    output = loaded.predict(beside)
    pd.testing.assert_frame_equal(output.iloc[:-1], whole)
    assert "mostly_imputed" in output["Flags"].iloc[-1]
    assert output["Imputed_Fraction"].iloc[-1] == 1


# Several tables


def test_several_tables_are_joined_by_sample(clock, tmp_path, loaded, predicted):
    names = list(clock.master.columns)
    parts = [["sample_id", *names[1:20]], ["sample_id", "Sex", *names[20:]]]
    order = np.random.default_rng(3).permutation(len(clock.master))
    write_table(clock.master[parts[0]], tmp_path / "a.csv")
    write_table(clock.master[parts[1]].iloc[order], tmp_path / "b.parquet")
    equal(from_files(loaded, tmp_path / "a.csv", tmp_path / "b.parquet"), predicted)
    swapped = from_files(loaded, tmp_path / "b.parquet", tmp_path / "a.csv")
    equal(swapped, predicted.iloc[order].reset_index(drop=True))


def test_tables_of_other_samples_are_not_joined(clock, loaded, tmp_path):
    write_table(clock.master, tmp_path / "a.csv")
    write_table(clock.master.iloc[2:], tmp_path / "b.csv")
    text = f"{tmp_path / 'b.csv'} does not have samples of {tmp_path / 'a.csv'} (2: n000, n001). Add them"
    refused(text, from_files, loaded, tmp_path / "a.csv", tmp_path / "b.csv")


def test_tables_that_disagree_are_not_joined(clock, loaded, tmp_path):
    write_table(clock.master, tmp_path / "a.csv")
    write_table(clock.master[["sample_id", "Age"]].assign(Age=1.5), tmp_path / "b.csv")
    write_table(clock.master[["sample_id", "Age"]], tmp_path / "c.csv")  # agrees with the first, so it is not named
    text = f"samples whose Age in {tmp_path / 'b.csv'} differs from that in {tmp_path / 'a.csv'} (14: n000: "
    refused(text, from_files, loaded, tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "c.csv")


def test_tables_may_have_ages_in_different_units(clock, loaded, predicted, tmp_path):
    write_table(clock.master, tmp_path / "a.csv")
    months = clock.master[["sample_id"]].assign(age_months=clock.master["Age"] * 12)
    write_table(months, tmp_path / "b.csv")
    equal(from_files(loaded, tmp_path / "a.csv", tmp_path / "b.csv"), predicted)
    write_table(months.assign(age_months=clock.master["Age"]), tmp_path / "b.csv")
    text = f"samples whose Age in {tmp_path / 'b.csv'} differs from that in {tmp_path / 'a.csv'} (14: n000: "
    refused(text, from_files, loaded, tmp_path / "a.csv", tmp_path / "b.csv")


# The columns that a clock can use


def test_both_with_and_without_suffix_is_refused():
    wanted = Wanted(["cg00000001_beta", "cg00000002_beta"])
    assert wanted.columns_of(["cg00000001", "cg00000002_TC11"]) == {
        "cg00000001_beta": ["cg00000001"],
        "cg00000002_beta": ["cg00000002_TC11"],
    }
    with pytest.raises(HeteroAgeError, match=r"both with and without .* \(1: cg00000001_beta\)"):
        check_cpg_names(["cg00000001", "cg00000001_beta"], "the table")
    # Of a clock with two modalities a bare name says nothing.
    assert Wanted(["cg00000001_beta", "cg00000002_chalm"]).columns_of(["cg00000001"]) == {}


def test_all_that_a_clock_may_use_is_found_among_a_tables_columns_and_nothing_else():
    wanted = Wanted(["cg00000001_beta", "cg00000002_beta", "chr1_10469_beta"])
    own = ["cg00000001", "cg00000002_beta", "cg00000001_TC21", "cg00000002_BC11_beta", "chr1_10469", "chr1_10469_beta"]
    others = ["Stage1_Pred_Age", "A_Correction", "RF_PC1", "RF_PC12"]
    strangers = ["cg00000003", "cg00000001_chalm", "cg00000001_note", "chr1", "chr1_10470", "age", "RF_PC", "PC1"]
    assert wanted.among([*strangers, *own, *others]) == [*own, *others]
    assert [wanted.feature(name) is not None for name in own] == [True] * len(own)
    assert [wanted.feature(name) for name in [*others, *strangers]] == [None] * (len(others) + len(strangers))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_most_exact_of_ages_rounded_differently_counts_in_any_order(clock, loaded, predicted, tmp_path, order):
    exact = clock.master["Age"]
    write_table(clock.master, tmp_path / "a.csv")
    write_table(clock.master[["sample_id"]].assign(Age=exact.astype(str) + " years"), tmp_path / "b.csv")
    write_table(clock.master[["sample_id"]].assign(Age=exact.round()), tmp_path / "c.csv")
    equal(from_files(loaded, *(tmp_path / ("a.csv", "b.csv", "c.csv")[k] for k in order)), predicted)


def test_what_one_table_leaves_empty_is_taken_from_another(clock, loaded, predicted, tmp_path):
    write_table(clock.master.assign(Tissue=None, Age=None), tmp_path / "a.csv")
    write_table(clock.master[["sample_id", "Tissue", "Age"]], tmp_path / "b.csv")
    equal(from_files(loaded, tmp_path / "a.csv", tmp_path / "b.csv"), predicted)


def test_codes_of_one_table_agree_with_words_of_another(clock, loaded, predicted, tmp_path):
    told = Conventions.of(sex_codes={1: "M", 2: "F"}, missing_values=[-9])
    lab = replace(loaded, conventions=loaded.conventions.updated(told))
    codes = clock.master["Sex"].map({"M": "1", "F": "2"}).fillna("-9")
    codes[0] = "-9"
    write_table(clock.master, tmp_path / "a.csv")
    write_table(clock.master[["sample_id"]].assign(Sex=codes), tmp_path / "b.csv")
    equal(lab.predict([tmp_path / "a.csv", tmp_path / "b.csv"]), predicted)
    write_table(clock.master[["sample_id"]].assign(Sex=codes.map({"1": "2", "2": "1", "-9": ""})), tmp_path / "b.csv")
    refused("samples whose Sex in", lab.predict, [tmp_path / "a.csv", tmp_path / "b.csv"])


def test_ages_of_a_sheet_keep_their_unit_beside_the_output_of_a_stage(clock, loaded, predicted, tmp_path):
    stage = loaded.predict_stage1(clock.master).drop(columns="Age")
    write_table(stage, tmp_path / "1.csv")
    write_table(clock.master.drop(columns="Age"), tmp_path / "m.csv")
    write_table(clock.master[["sample_id"]].assign(Age=clock.master["Age"] * 12), tmp_path / "sheet.csv")
    months = replace(loaded, conventions=replace(loaded.conventions, age_unit="months"))
    found = months.predict_stage2([tmp_path / name for name in ("1.csv", "m.csv", "sheet.csv")])
    np.testing.assert_allclose(found["Age"], predicted["Age"])
