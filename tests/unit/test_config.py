"""A configuration is checked before anything else: each problem is named by its key."""

import copy
import dataclasses
import json
import re
from pathlib import Path

import pytest
import yaml

from heteroage.config import (
    check_config,
    check_files,
    geo_entries,
    geo_files,
    lab_conventions,
    predict_entries,
    table_entries,
)
from heteroage.errors import HeteroAgeError
from heteroage.inputs.store import TableEntry

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def schema():
    return yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def config():
    return yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))


def refused(config, schema, text):
    with pytest.raises(HeteroAgeError, match=re.escape(text)):
        check_config(config, schema)


def objects(schema, place=""):
    """Every object of the schema that has keys of its own."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield place, schema
        for key, value in schema.items():
            yield from objects(value, f"{place}.{key}")


def test_the_shipped_configuration_is_valid(config, schema):
    check_config(config, schema)


def test_the_schema_knows_no_stray_keys_and_describes_each(schema):
    for place, part in objects(schema):
        assert part.get("additionalProperties") is False, place
        for key, value in part["properties"].items():
            assert value.get("description"), f"{place}.{key}"


def test_a_misspelt_key_is_named_with_the_nearest_known_one(config, schema):
    config["stage1"]["alphas"] = config["stage1"].pop("alpha")
    refused(config, schema, "stage1.alphas: unknown key. Did you mean alpha?")


def test_an_unknown_section_is_named(config, schema):
    config["stage9"] = {}
    refused(config, schema, "stage9: unknown key. Did you mean stage")
    config.pop("stage9")
    config["zzzzzz"] = 1
    refused(config, schema, "zzzzzz: unknown key; known here: ")


def test_all_problems_are_in_one_message(config, schema):
    config["zzzzzz"] = 1
    config["inputs"]["hallmarks"] = 5
    with pytest.raises(HeteroAgeError) as caught:
        check_config(config, schema)
    assert "zzzzzz" in str(caught.value)
    assert "inputs.hallmarks: 5 is not of type 'string'" in str(caught.value)


def test_geo_alone_is_enough_and_becomes_tables_of_beta_values(config, schema):
    for modality in ("beta", "chalm", "camda"):
        config["inputs"].pop(modality, None)
    config["inputs"]["geo"] = ["GSE40279", "GSE41037-GPL8490"]
    config["geo"]["series"] = {"GSE40279": {"Tissue": "Blood", "values": "m_values"}}
    check_config(config, schema)
    tables, sheets = geo_entries(config)
    assert [(table["file"], table["values"]) for table in tables] == [
        ("results/geo/GSE40279/beta.parquet", "m_values"),
        ("results/geo/GSE41037-GPL8490/beta.parquet", "beta"),
    ]
    assert [sheet["file"] for sheet in sheets] == [
        "results/geo/GSE40279/samples.csv",
        "results/geo/GSE41037-GPL8490/samples.csv",
    ]


def test_what_the_config_says_of_tables_goes_into_the_clock():
    inputs = {
        "columns": {"Sex": "gender"},
        "sex_codes": {1: "M"},
        "missing_values": [-9],
        "allow_prenatal": False,
        "beta": [{"file": "a", "age_unit": "months", "columns": {"Age": ["months"]}}, "b"],
        "sample_sheet": {"file": "c", "columns": {"Age": "mo"}, "age_unit": "months"},
    }
    said = lab_conventions(inputs)
    assert said == {
        "columns": {"Sex": ["gender"], "Age": ["months", "mo"]},
        "age_unit": "months",
        "sex_codes": {1: "M"},
        "missing_values": [-9],
        "allow_prenatal": False,
    }
    # Some of the tables that may have ages are in years, as nothing else is said of them.
    assert lab_conventions(inputs | {"sample_sheet": None})["age_unit"] is None
    sheets = [inputs["sample_sheet"], {"file": "d", "age_unit": "days"}]
    assert lab_conventions(inputs | {"sample_sheet": sheets})["age_unit"] is None


def test_tables_to_predict_may_have_options():
    paths, options = predict_entries({"a": "a.csv", "b": {"file": "b.csv", "sex_codes": {1: "M"}}, "c": ["c", "sheet"]})
    assert paths == {"a": ["a.csv"], "b": ["b.csv"], "c": ["c", "sheet"]}
    assert options == {"a": {}, "b": {"sex_codes": {1: "M"}}, "c": {}}


def test_a_series_matrix_at_hand_says_of_which_series_it_is(tmp_path):
    named, unnamed = tmp_path / "GSE1-GPL2_series_matrix.txt.gz", tmp_path / "matrix.txt"
    unnamed.write_text('!Series_title\t"x"\n!Series_geo_accession\t"GSE77"\n')
    given = [{"file": str(named)}, {"file": str(unnamed)}, "GSE5", {"file": "x.txt", "series": "GSE6"}]
    files = {"GSE1-GPL2": str(named), "GSE77": str(unnamed), "GSE5": None, "GSE6": "x.txt"}
    assert geo_files({"geo": given}) == files
    assert geo_files({"geo": {"file": str(unnamed)}}) == {"GSE77": str(unnamed)}
    unnamed.write_text("no series")
    with pytest.raises(HeteroAgeError, match="does not contain the accession of its series"):
        geo_files({"geo": given})
    with pytest.raises(HeteroAgeError, match="names GSE5 twice"):
        geo_files({"geo": ["GSE5", {"file": "GSE5_series_matrix.txt.gz"}]})


def test_what_is_no_series_is_named(config, schema):
    config["inputs"]["geo"] = ["GSE40279", "GSM1"]
    refused(config, schema, "inputs.geo.1: 'GSM1' does not match")
    config["inputs"]["geo"] = ["GSE40279"]
    config["geo"]["series"] = {"GSE40278": {"Tissue": "Blood"}}
    refused(config, schema, "geo.series.GSE40278: inputs.geo does not name this series")
    config["geo"]["series"] = {"GSE40279": {"Tisue": "Blood"}}
    refused(config, schema, "geo.series.GSE40279.Tisue: unknown key. Did you mean Tissue?")


def test_gene_sets_need_an_annotation(config, schema):
    config["inputs"]["hallmarks"] = "resources/hallmark_genes.tsv"
    refused(config, schema, "inputs.annotation: not given; it finds the CpGs of the gene sets")
    config["inputs"]["annotation"] = "manifest.csv"
    check_config(config, schema)


def test_one_modality_must_be_there(config, schema):
    for modality in ("beta", "chalm", "camda"):
        config["inputs"][modality] = None
    refused(config, schema, "inputs: no modality is given. Name at least one table: beta, chalm, camda")
    config["inputs"]["camda"] = "camda.csv"
    check_config(config, schema)


def test_alpha_grids_fall(config, schema):
    grid = config["stage1"]["alpha"]
    grid["lowest"], grid["highest"] = grid["highest"], grid["lowest"]
    refused(config, schema, "stage1.alpha: ")


def test_files_that_do_not_exist_are_named_by_their_keys(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there = copy.deepcopy(config)
    there["inputs"] = {"beta": "beta.csv", "chalm": None, "hallmarks": "hallmarks.json", "context_pcs": "compute"}
    there["predict"] = {"new": "new.csv"}
    there["stage1"]["sweep_report"] = "report.csv"
    with pytest.raises(HeteroAgeError) as caught:
        check_files(there)
    for text in (
        "4: ",
        "inputs.beta: beta.csv",
        "predict.new: new.csv",
        "stage1.sweep_report: report.csv",
        str(tmp_path),
    ):
        assert text in str(caught.value)
    for name in ("beta.csv", "hallmarks.json", "new.csv", "report.csv"):
        Path(name).touch()
    check_files(there)


@pytest.mark.parametrize(
    ("start_from", "text"),
    [
        ({"coefficients": "a.csv", "transform": "logit"}, "stage1.start_from.transform: 'logit' is not one of"),
        ({"strengths": [1]}, "stage1.start_from: 'coefficients' is a required property"),
        (
            {"coefficients": "a.csv", "strength": [1]},
            "stage1.start_from.strength: unknown key. Did you mean strengths?",
        ),
        ({"coefficients": "a.csv", "strengths": [-1]}, "stage1.start_from.strengths.0: -1 is less than the minimum"),
    ],
)
def test_a_published_clock_to_start_from_is_checked(config, schema, start_from, text):
    config["stage1"]["start_from"] = start_from
    refused(config, schema, text)


@pytest.mark.parametrize(
    ("clock", "text"),
    [
        ({"coefficients": "a.csv", "transform": "logit"}, "compare.H.transform: 'logit' is not one of"),
        ({"transform": "log"}, "compare.H: 'coefficients' is a required property"),
        ({"coefficients": "a.csv", "intersept": 1}, "compare.H.intersept: unknown key. Did you mean intercept?"),
        ({"coefficients": "a.csv", "intercept": "1"}, "compare.H.intercept: '1' is not of type 'number'"),
        ({"coefficients": "a.csv", "input": "m"}, "compare.H.input: 'm' is not one of ['beta', 'z']"),
    ],
)
def test_published_clocks_to_compare_with_are_checked(config, schema, clock, text):
    config["compare"] = {"H": clock}
    refused(config, schema, text)


def test_published_clocks_to_compare_with_are_looked_for(config, schema, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config["compare"] = {"H": {"coefficients": "data/horvath.csv", "source": "doi", "licence": "see the source"}}
    check_config(config, schema)
    with pytest.raises(HeteroAgeError, match=re.escape("compare.H.coefficients: data/horvath.csv")):
        check_files(config)


def test_the_published_clock_is_looked_for(config, schema, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config["stage1"]["start_from"] = {"coefficients": "data/horvath.csv", "trained_on": ["GSE40279"]}
    check_config(config, schema)
    with pytest.raises(HeteroAgeError, match=re.escape("stage1.start_from.coefficients: data/horvath.csv")):
        check_files(config)


def test_what_the_demo_makes_need_not_be_there_yet(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config["inputs"] = {"beta": "results/demo/beta.parquet", "hallmarks": "results/demo/hallmarks.json"}
    config["predict"], config["stage1"]["sweep_report"] = None, None
    check_files(config)


def test_the_key_table_of_the_readme_is_the_schema(schema):
    """config/README.md lists each key with the schema's default and description, and no other key."""
    readme = (ROOT / "config/README.md").read_text(encoding="utf-8")
    section = readme.split("## Keys")[1].split("\n## ")[0]
    listed = dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", section, re.MULTILINE))
    assert listed == dict(_key_rows(schema))


def _key_rows(node, prefix=""):
    for key, child in node["properties"].items():
        if "properties" in child:
            yield from _key_rows(child, f"{prefix}{key}.")
            continue
        default = child.get("default", "required")
        shown = {"required": "required", None: ""}.get(default if isinstance(default, str | None) else 0)
        shown = f"`{json.dumps(default)}`" if shown is None else shown
        yield f"{prefix}{key}", f"{shown} | {child['description']}"


# Tables


@pytest.mark.parametrize(
    ("value", "files"),
    [
        (None, []),
        ("a.csv", ["a.csv"]),
        (["a.csv", {"file": "b.csv", "values": "percent"}], ["a.csv", "b.csv"]),
        ({"file": "b.csv"}, ["b.csv"]),
    ],
)
def test_tables_are_named_alone_in_a_list_or_with_options(config, schema, value, files):
    config["inputs"]["chalm"] = value
    check_config(config, schema)
    entries = table_entries(config["inputs"], "chalm")
    assert [entry["file"] for entry in entries] == files
    for entry in entries:
        TableEntry(**entry)


def test_a_tables_own_columns_come_before_those_of_all_tables(config):
    config["inputs"] |= {"columns": {"Age": "age", "Sex": ["sex", "gender"]}}
    config["inputs"]["beta"] = {"file": "b.csv", "columns": {"Age": ["months"]}}
    assert table_entries(config["inputs"], "beta")[0]["columns"] == {"Age": ["months"], "Sex": ["sex", "gender"]}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([{"file": "a.csv", "orientaton": "x"}], "inputs.beta.0.orientaton: unknown key. Did you mean orientation?"),
        ({"file": "a.csv", "values": "betas"}, "inputs.beta.values: 'betas' is not one of ['beta', 'm_values'"),
        ({"values": "beta"}, "inputs.beta: 'file' is a required property"),
        (5, "inputs.beta: 5 is not valid under any of the given schemas"),
        ([], "inputs.beta: [] should be non-empty"),
    ],
)
def test_what_is_wrong_with_a_tables_options_is_named(config, schema, value, text):
    config["inputs"]["beta"] = value
    refused(config, schema, text)


def test_each_file_of_a_list_is_looked_for(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config["inputs"] |= {"beta": ["a.csv", {"file": "b.csv"}], "sample_sheet": "s.csv"}
    with pytest.raises(HeteroAgeError) as caught:
        check_files(config)
    for text in ("inputs.beta.0: a.csv", "inputs.beta.1: b.csv", "inputs.sample_sheet: s.csv"):
        assert text in str(caught.value)


def test_the_readme_describes_each_option_of_a_table(schema):
    readme = (ROOT / "config/README.md").read_text(encoding="utf-8")
    options = schema["$defs"]["table"]["anyOf"][1]["properties"]
    of_coverage_files = {"least_coverage"}  # which become a table before it is read
    assert set(options) == {field.name for field in dataclasses.fields(TableEntry)} | of_coverage_files
    for name, option in options.items():
        assert f"\n| `{name}` | " in readme
        for value in option.get("enum", []):
            assert f"`{value}`" in readme
