"""The command `heteroage`: exit codes, where messages go, and nothing written on error."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from heteroage import __version__
from heteroage.cli import PREDICT_COMMANDS, main
from heteroage.clock.loading import load_clock
from heteroage.files import read_table, write_table


@pytest.fixture
def master(clock, tmp_path):
    path = tmp_path / "master.csv"
    write_table(clock.master, path)
    return path


def run(step, folder, inputs, out):
    return main([step, "--artifact-dir", str(folder), "--input", *map(str, inputs), "--out", str(out)])


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_predictions_are_written_and_summed_up_in_a_line(clock, master, tmp_path, capsys, name):
    assert run("pipeline-predict", clock.folder, [master], tmp_path / name) == 0
    out, err = capsys.readouterr()
    expected = load_clock(clock.folder).predict(clock.master)
    mae = (expected["HeteroAge"] - expected["Age"]).abs().mean()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"heteroage: {tmp_path / name}: 14 samples; MAE {mae:.2f} years, bias ")
    assert "(of 14 with an Age)" in err
    table = read_table(tmp_path / name)
    assert list(table.columns) == list(expected.columns)
    assert table["HeteroAge"].tolist() == expected["HeteroAge"].tolist()


@pytest.mark.parametrize("step", list(PREDICT_COMMANDS))
def test_problems_go_to_stderr_with_code_1_and_nothing_is_written(clock, tmp_path, capsys, step):
    before = sorted(tmp_path.iterdir())
    assert run(step, clock.folder, [tmp_path / "absent.csv"], tmp_path / "out.csv") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"heteroage: no file {tmp_path / 'absent.csv'}. Check the path")
    assert "Traceback" not in err
    assert sorted(tmp_path.iterdir()) == before


def test_an_old_output_survives_a_problem(clock, tmp_path, capsys):
    twice = clock.master.assign(sample_id=["a", "a", *clock.master["sample_id"][2:]])
    write_table(twice, tmp_path / "bad.csv")
    (tmp_path / "out.csv").write_text("old")
    assert run("pipeline-predict", clock.folder, [tmp_path / "bad.csv"], tmp_path / "out.csv") == 1
    assert "duplicate sample_ids (1: a)" in capsys.readouterr().err
    assert (tmp_path / "out.csv").read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.csv", "out.csv"]


def test_a_changed_folder_predicts_nothing(clock_copy, master, tmp_path, capsys):
    (clock_copy / "stage3/model.txt").write_text("tree")
    assert run("pipeline-predict", clock_copy, [master], tmp_path / "out.csv") == 1
    assert "files changed (1: stage3/model.txt). Nothing was predicted." in capsys.readouterr().err
    assert not (tmp_path / "out.csv").exists()


def test_stage3_names_the_step_that_makes_its_columns(clock, master, tmp_path, capsys):
    assert run("stage1-predict", clock.folder, [master], tmp_path / "stage1.csv") == 0
    assert run("stage3-predict", clock.folder, [tmp_path / "stage1.csv"], tmp_path / "out.csv") == 1
    err = capsys.readouterr().err
    assert "2: Genomic_Instability_Correction, Telomere_Attrition_Correction" in err
    assert "`heteroage stage2-predict` makes them" in err


def test_a_missing_output_folder_is_said_before_anything_is_read(tmp_path, capsys):
    assert run("pipeline-predict", tmp_path / "no_clock", ["no_table.csv"], tmp_path / "nowhere" / "out.csv") == 1
    assert "there is no folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "STEP"),
        (["predict-ages"], "predict-ages"),
        (["pipeline-predict"], "--artifact-dir"),
        (["pipeline-predict", "--artifact-dir", "x", "--input", "y"], "--out"),
        (["pipeline-predict", "--artifact-dir", "x", "--out", "y", "--input"], "--input"),
    ],
)
def test_wrong_usage_is_code_2(arguments, text, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert text in err


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"heteroage {__version__}\n"


def test_help_names_every_step(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert all(step in out for step in ("pipeline-predict", "stage1-predict", "stage2-predict", "stage3-predict"))


def test_the_module_runs_and_hands_on_its_exit_code(tmp_path):
    arguments = ["pipeline-predict", "--artifact-dir", "absent", "--input", "absent.csv", "--out", "out.csv"]
    done = subprocess.run(
        [sys.executable, "-m", "heteroage.cli", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("heteroage: there is no artifact folder absent")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["check", "verify"])
def test_a_reader_that_has_gone_is_no_error_and_a_full_disk_is(clock, master, step):
    arguments = ["verify", clock.folder]
    if step == "check":
        arguments = ["check", "--artifact-dir", clock.folder, "--input", master]
    command = [sys.executable, "-m", "heteroage.cli", *map(str, arguments)]
    reading, writing = os.pipe()
    os.close(reading)
    gone = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (gone.returncode, gone.stderr) == (0, "")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("heteroage: cannot write to standard output: No space left on device.")
