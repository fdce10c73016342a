"""What metadata columns mean, for training and prediction alike."""

import json
import re

import pytest

from heteroage.errors import HeteroAgeError
from heteroage.tables import metadata as m
from heteroage.tables.ages import ages
from heteroage.tables.metadata import Conventions
from heteroage.tables.table import possible_ids


def refused(text, function, *arguments):
    with pytest.raises(HeteroAgeError, match=re.escape(text)):
        function(*arguments)


def test_columns_are_found_in_any_case_and_by_their_usual_other_names():
    header = ["Sample ID", " tissue ", "GENDER", "age_months", "is healthy", "PROJECT_ID", "cg00000001"]
    found = m.find_columns(header, Conventions(), "t")
    assert found == {"sample_id": 0, "Tissue": 1, "Sex": 2, "Age": 3, "Is_Healthy": 4, "project_id": 5}


def test_the_exact_name_comes_before_similar_ones_and_the_configs_names_are_found_too():
    years = Conventions(age_unit="years")
    assert m.find_columns(["Age", "age_days", "Sex", "gender"], years, "t") == {"Age": 0, "Sex": 2}
    refused("so that the unit of Age is unknown", m.find_columns, ["Age", "AGE_weeks"], Conventions(), "t")
    conventions = Conventions.of(columns={"Age": ["months", "AoS"], "sample_id": "Array"})
    assert m.find_columns(["array ", "aos"], conventions, "t") == {"sample_id": 0, "Age": 1}
    refused(
        "t has 2 columns for Age (2: aos, Age). Keep one",
        m.find_columns,
        ["aos", "Age"],
        Conventions.of(columns={"Age": "aos"}),
        "t",
    )
    refused("t has 2 columns for Sex (2: sex, SEX)", m.find_columns, ["sex", "SEX"], Conventions(), "t")


def test_codes_of_sex():
    cells = ["1", "2.0", "Female", None, "NA", "other"]
    conventions = Conventions.of(sex_codes={1: "M", 2: "F"})
    assert m.sexes(cells, "t", conventions) == ["M", "F", "F", "unknown", "unknown", "unknown"]
    assert m.sexes(cells[2:], "t", Conventions()) == ["F", "unknown", "unknown", "unknown"]
    refused(
        "column Sex of t has unknown codes (2: 1, 2.0). Explain them (in the config",
        m.sexes,
        cells,
        "t",
        Conventions(),
    )


def test_a_code_that_yaml_takes_for_a_truth_value():
    assert m.sexes(["no", "YES"], "t", Conventions.of(sex_codes={False: "F", True: "M"})) == ["F", "M"]


def test_spellings_of_tissues():
    assert m.tissues(["WHOLE  blood", "Liver", "n/a"], Conventions(tissues=("Whole Blood",))) == [
        "Whole Blood",
        "Liver",
        "unknown",
    ]


def test_impossible_ages_name_the_missing_value_or_the_unit_that_explains_them():
    text = (
        "ages outside 0 to 122 years (2: -9 at a, 999 at b). They look like codes for a missing value: set "
        "inputs.missing_values: [-9, 999]."
    )
    refused(text, ages, ["-9", "999", "50"], "Age", list("abc"), "t", Conventions())
    refused(
        "They look like months (then the oldest is 42): set age_unit: months",
        ages,
        ["400", "500", "20"],
        "Age",
        list("abc"),
        "t",
        Conventions(),
    )
    refused(
        "ages before birth (1: -0.5 at a). Set inputs.allow_prenatal: true",
        ages,
        ["-0.5"],
        "Age",
        ["a"],
        "t",
        Conventions(),
    )
    assert ages(["36"], "age_months", ["a"], "t", Conventions()) == [3]
    assert ages(["36"], "age_months", ["a"], "t", Conventions(age_unit="years")) == [36]


def test_ids_that_a_spreadsheet_or_pandas_made_numbers_of():
    assert m.sample_ids(["203952880001.0", " x "], "t") == ["203952880001", "x"]
    assert m.names(["1.0", None, "2"]) == ["1", None, "2"]
    assert m.names(["1.5", "2.0"]) == ["1.5", "2.0"]
    refused(
        "t has sample_ids that a spreadsheet has rounded (1: 2.03953E+11): their last digits are lost",
        m.sample_ids,
        ["2.03953E+11"] * 2,
        "t",
    )
    refused("t has rows without a sample_id (2: row 1, row 3)", m.sample_ids, ["", "a", None], "t")


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (["7_R01C01", "7_R02C01"], ["7_R01C01", "7_R02C01"]),
        (["7"], ["7", "7"]),
        ([], ["7", "7"]),
    ],
)
def test_slide_and_position_of_illuminas_sheets(known, expected):
    header = ["Sentrix_ID", "Sentrix_Position"]
    assert possible_ids(header, 0, [["7", "7.0"], ["R01C01", "R02C01"]], known)[0][:1] == expected[:1]


def test_the_sheets_own_column_of_ids_may_hold_paths():
    assert possible_ids(["Basename"], 0, [["/idat/7_R01C01", "b\\x"]], ["x"])[0] == ["7_R01C01", "x"]


def test_names_that_r_has_changed_are_explained():
    assert "R changed names (1: X2000.01 is 2000-01)" in m.mangled_by_r(["X2000.01", "b"], ["2000-01", "b"])
    assert m.mangled_by_r(["a"], ["a", "b"]) == ""


def test_a_reading_survives_json_and_is_updated_by_another():
    one = Conventions.of(
        columns={"Sex": "gender"}, sex_codes={1: "M"}, missing_values=[-9, "x"], tissues=["Blood"], allow_prenatal=True
    )
    assert Conventions.from_json(json.loads(json.dumps(one.as_json())), "Reading.json") == one
    both = one.updated(Conventions.of(sex_codes={2: "F"}, age_unit="months"))
    assert (both.sex_codes, both.age_unit, both.missing_values) == ({"1": "M", "2": "F"}, "months", ("-9", "x"))
    refused("Reading.json is not valid", Conventions.from_json, {"colums": {}}, "Reading.json")
    refused(
        "age_unit has unknown names (1: decades). Known are years, months", lambda: Conventions.of(age_unit="decades")
    )
