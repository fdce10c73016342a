"""A results folder belongs to one study; files given and made are known by more than their time stamps."""

import json
import os
import re

import pytest

from heteroage import file_states
from heteroage.errors import HeteroAgeError
from heteroage.file_states import record, state_of, verify
from heteroage.study import closing_words, command_with_options, nested_error, remember_study, unseal_incomplete

INPUTS = {"beta": "data/beta.parquet"}


def test_another_studys_results_are_not_replaced(tmp_path):
    place, other = tmp_path / "results/study.json", {"beta": "results/demo/beta.parquet"}
    remember_study(place, "my-study.yaml", INPUTS)
    remember_study(place, "my-study.yaml", INPUTS | {"chalm": "data/chalm.parquet"})  # edited
    remember_study(place, "renamed.yaml", INPUTS | {"chalm": "data/chalm.parquet"})  # renamed
    with pytest.raises(HeteroAgeError, match=r"results of another study, configured by renamed\.yaml") as caught:
        remember_study(place, "config/config.yaml", other)
    assert "add --configfile renamed.yaml" in str(caught.value)
    assert f"delete {place} to replace the results" in str(caught.value)
    assert json.loads(place.read_text())["configfile"] == "renamed.yaml"


def test_next_commands_carry_the_options_of_this_run():
    text = "  snakemake --cores 2 report                  (and the --configfile of this run, if it had one)"
    arguments = ["--cores", "4", "--configfile", "my.yaml", "-d=there"]
    assert command_with_options(text, arguments).split() == (
        ["snakemake", "--cores", "2", "report", "--configfile", "my.yaml", "-d=there"]
    )
    assert command_with_options(text, ["--cores", "4"]) == text


def test_a_folder_that_lost_a_file_is_unsealed(tmp_path):
    (tmp_path / "a").touch()
    (tmp_path / "MANIFEST.json").write_text(json.dumps({"files": {"a": "1"}}))
    assert unseal_incomplete(tmp_path) == []
    (tmp_path / "a").unlink()
    assert unseal_incomplete(tmp_path) == ["a"]
    assert not (tmp_path / "MANIFEST.json").exists()


@pytest.mark.parametrize("size", [10, 3 << 20])
def test_an_input_replaced_by_an_older_file_has_another_state(tmp_path, size):
    path = tmp_path / "beta.csv"
    path.write_bytes(b"0" * size)
    before = state_of([str(path)])
    path.write_bytes(b"1" * size)
    os.utime(path, (1, 1))
    assert state_of([str(path)]) != before
    assert state_of(["results/demo/beta.parquet"]) == {}
    path.unlink()
    assert state_of([str(path)]) == {str(path): "missing"}


def test_a_flipped_byte_of_a_result_is_noticed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    path = tmp_path / "results/samples.csv"
    path.write_bytes(b"age\n50\n")
    record(["results/samples.csv"])
    verify(["results/samples.csv", "data/beta.csv"])
    path.write_bytes(b"age\n51\n")
    text = "results have changed since the workflow wrote them (1: results/samples.csv). Delete them and run again"
    with pytest.raises(HeteroAgeError, match=re.escape(text)):
        verify(["results/samples.csv"])
    monkeypatch.setattr(file_states, "RECORDED", 0)  # of large results, parts are digested
    monkeypatch.setattr(file_states, "PART", 4)
    record(["results/samples.csv"])
    verify(["results/samples.csv"])


def test_the_nested_error_is_said_in_a_line(tmp_path):
    rows = ["model,stratum,level,MAE,MacroMAE", "HeteroAge,project_id,p1,9,9"]
    rows += ["HeteroAge,all,all,4.366,3.526", "Stage1_Pred_Age,all,all,4.5,3.6"]
    (tmp_path / "accuracy.csv").write_text("\n".join(rows) + "\n")
    assert nested_error(tmp_path / "accuracy.csv") == (
        "Nested error, the one to quote: HeteroAge 4.37 years, mean over projects 3.53; anchor alone 4.50 and 3.60."
    )


def test_a_run_ends_with_what_it_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert closing_words(0.0, []) == ""
    for name, text in {
        "summary.txt": "A clock.\nMake the report (a nested error):\n  snakemake --cores 2 report\nApply it.\n",
        "report/training.html": "",
        "report/index.html": "",
    }.items():
        path = tmp_path / "results" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    page = tmp_path / "results/report/index.html"
    assert closing_words(0.0, []) == f"\nA clock.\nApply it.\n\nThe report is written. Open {page}"
    page.unlink()
    assert "Make the report" in closing_words(0.0, [])
    assert closing_words(0.0, []).endswith("training.html")
    assert closing_words((tmp_path / "results/summary.txt").stat().st_mtime + 1, []) == ""
