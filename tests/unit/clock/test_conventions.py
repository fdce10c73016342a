"""A clock remembers how its lab writes tables, and takes other conventions for tables of others."""

import json
import re

import numpy as np
import pytest

from heteroage import load_clock
from heteroage.cli import main
from heteroage.clock import artifacts
from heteroage.errors import HeteroAgeError
from heteroage.files import read_table, write_table
from heteroage.tables.metadata import Conventions

WRITTEN = {"columns": {"Sex": ["gender"], "Age": ["age"]}, "sex_codes": {1: "M", 2: "F"}, "missing_values": [-9]}


def as_others_write(master):
    """The same samples with other names of columns, codes of sex and spellings of tissues, and ages in months."""
    theirs = master.assign(Sex=master["Sex"].map({"F": 2, "M": 1}), Tissue=" " + master["Tissue"].str.upper())
    theirs = theirs.assign(Age=(theirs["Age"] * 12).round(6))
    return theirs.rename(columns={"Sex": "gender", "Age": "age_months", "sample_id": "Sample_ID"})


def assert_same(one, other):
    assert one["Sex"].tolist() == other["Sex"].tolist()
    assert one["Tissue"].tolist() == other["Tissue"].tolist()
    np.testing.assert_array_equal(one["HeteroAge"], other["HeteroAge"])
    np.testing.assert_allclose(one["Age"], other["Age"], atol=1e-6)


def test_the_clock_knows_its_labs_conventions(clock, clock_copy, reseal):
    (clock_copy / artifacts.READING).write_text(json.dumps(Conventions.of(**WRITTEN).as_json()))
    reseal(clock_copy)
    assert_same(
        load_clock(clock_copy).predict(as_others_write(clock.master)), load_clock(clock.folder).predict(clock.master)
    )


def test_tables_of_others_are_described_on_the_command_line(clock, tmp_path):
    write_table(as_others_write(clock.master), tmp_path / "theirs.csv")
    write_table(clock.master, tmp_path / "ours.csv")
    common = ["pipeline-predict", "--artifact-dir", str(clock.folder), "--input"]
    assert main([*common, str(tmp_path / "ours.csv"), "--out", str(tmp_path / "1.csv")]) == 0
    said = ["--columns", "Sex=gender", "Age=age_months", "--sex-codes", "1=M", "2=F", "--missing-values", "-9"]
    assert main([*common, str(tmp_path / "theirs.csv"), "--out", str(tmp_path / "2.csv"), *said]) == 0
    assert_same(read_table(tmp_path / "2.csv"), read_table(tmp_path / "1.csv"))


def test_codes_that_nobody_explained_are_refused(clock):
    text = "has unknown codes (2: 1, 2). Explain them"
    with pytest.raises(HeteroAgeError, match=re.escape(text)):
        load_clock(clock.folder).predict(as_others_write(clock.master))


def test_ages_of_an_earlier_stage_are_years_whatever_the_lab_writes(clock):
    months = load_clock(clock.folder, age_unit="months")
    master = clock.master.assign(Age=clock.master["Age"] * 12)
    stage1 = months.predict_stage1(master)
    np.testing.assert_allclose(stage1["Age"], clock.master["Age"])
    both = stage1.merge(months.predict_stage2(master)[[*("sample_id",), *months.corrections]])
    np.testing.assert_allclose(months.predict_stage3(both)["Age"], clock.master["Age"])


def test_a_column_that_names_its_unit_is_read_in_it_beside_an_earlier_stage(clock):
    loaded = load_clock(clock.folder)
    both = loaded.predict_stage1(clock.master).merge(
        loaded.predict_stage2(clock.master)[["sample_id", *loaded.corrections]]
    )
    months = both.assign(age_months=both["Age"] * 12).drop(columns="Age")
    np.testing.assert_allclose(loaded.predict_stage3(months)["Age"], both["Age"])


@pytest.mark.parametrize("content", ['{"colums": {}}', "[]", '{"sex_codes": ["F"]}', '{"columns": {"Agee": ["x"]}}'])
def test_a_reading_that_is_not_valid_is_refused(clock_copy, reseal, content):
    (clock_copy / artifacts.READING).write_text(content)
    reseal(clock_copy)
    with pytest.raises(HeteroAgeError, match=r"Reading.json|unknown names"):
        load_clock(clock_copy)


def test_what_is_no_pair_is_wrong_usage(clock, capsys):
    with pytest.raises(SystemExit):
        main(
            ["pipeline-predict", "--artifact-dir", str(clock.folder), "--input", "x", "--out", "y", "--sex-codes", "1"]
        )
    assert "'1' is not of the form NAME=VALUE" in capsys.readouterr().err
