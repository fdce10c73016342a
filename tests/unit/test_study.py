"""A results folder belongs to one study; files given and made are known by more than their time stamps."""

import json
import os
import re
import subprocess
import sys
import time

import pytest

from heteroage import study
from heteroage.errors import HeteroAgeError
from heteroage.study import (
    cancel_leftover_jobs,
    closing_words,
    command_with_options,
    earlier_runs,
    hold,
    nested_error,
    record,
    remember_study,
    state_of,
    unseal_incomplete,
    verify_unchanged,
)

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
    verify_unchanged(["results/samples.csv", "data/beta.csv"])
    path.write_bytes(b"age\n51\n")
    text = "results have changed since the workflow wrote them (1: results/samples.csv). Delete them and run again"
    with pytest.raises(HeteroAgeError, match=re.escape(text)):
        verify_unchanged(["results/samples.csv"])
    monkeypatch.setattr(study, "RECORDED", 0)  # of large results, parts are digested
    monkeypatch.setattr(study, "PART", 4)
    record(["results/samples.csv"])
    verify_unchanged(["results/samples.csv"])


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


HOLD = "import sys, time; from pathlib import Path; from heteroage.study import hold; hold(Path(sys.argv[1]))"


@pytest.fixture
def other_run(tmp_path):
    """Another process that holds the folder."""
    wait = f"{HOLD}; print('held', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", wait, str(tmp_path / "lock")], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_run_is_refused_and_told_of_the_first(other_run, tmp_path):
    with pytest.raises(HeteroAgeError, match=rf"another run is at work in this folder \(process {other_run.pid} on"):
        hold(tmp_path / "lock")


def test_a_killed_run_leaves_no_lock(other_run, tmp_path):
    other_run.kill()
    other_run.wait()
    assert (tmp_path / "lock").read_text()
    hold(tmp_path / "lock")
    assert str(os.getpid()) in (tmp_path / "lock").read_text()


def test_a_run_that_ended_leaves_no_name(tmp_path):
    subprocess.run([sys.executable, "-c", HOLD, str(tmp_path / "lock")], check=True)
    assert (tmp_path / "lock").read_text() == ""


def test_a_run_that_another_machine_did_not_end_is_for_a_person_to_look_at(tmp_path):
    (tmp_path / "lock").write_text("node17 4242\n")
    with pytest.raises(HeteroAgeError, match=r"a run on node17 \(process 4242\) .* delete .*lock and start again"):
        hold(tmp_path / "lock")


def test_a_script_ends_with_the_process_that_started_it(tmp_path):
    parent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    script = "import sys, time; from heteroage.study import end_with; end_with(int(sys.argv[1])); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", script, str(parent.pid)])
    time.sleep(1)
    assert child.poll() is None
    parent.kill()
    parent.wait()
    assert child.wait(timeout=30) == 1


@pytest.fixture
def queue(tmp_path, monkeypatch):
    """A squeue and an scancel of our own: the queue is a file."""
    programs = tmp_path / "bin"
    programs.mkdir()
    listed = tmp_path / "queue"
    (programs / "squeue").write_text(f"#!/bin/sh\ncat {listed}\n")
    (programs / "scancel").write_text(f'#!/bin/sh\nfor job; do sed -i "/^$job|/d" {listed}; done\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return listed


RUN, OTHER_RUN = "6f1d9a0e-3f7c-4b1a-9c55-0d9f6f2b8a11", "0d9f6f2b-3f7c-4b1a-9c55-6f1d9a0e8a11"


def test_jobs_that_a_killed_run_left_in_the_queue_are_cancelled_and_no_others(queue, tmp_path):
    ours = [f"11|{RUN}|{tmp_path}", f"12|clock_{RUN}|{tmp_path}"]
    others = [f"13|{RUN}|/elsewhere", f"14|jupyter|{tmp_path}", f"15|{OTHER_RUN}|{tmp_path}"]
    queue.write_text("\n".join([*ours, *others, ""]))
    assert cancel_leftover_jobs(tmp_path, {RUN}) == ["11", "12"]
    assert queue.read_text().split() == others


def test_without_slurm_there_is_nothing_to_cancel(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cancel_leftover_jobs(tmp_path, {RUN}) == []


def test_earlier_runs_are_known_by_the_logs_of_this_workflow(tmp_path):
    (tmp_path / ".snakemake").mkdir()
    first, second = tmp_path / "first.log", tmp_path / "second.log"
    first.write_text(f"host: here\nSLURM run ID: {RUN}\n")
    (tmp_path / "of_another_workflow.log").write_text(f"SLURM run ID: {OTHER_RUN}\n")
    assert earlier_runs(tmp_path, str(first)) == set()
    assert earlier_runs(tmp_path, str(second)) == {RUN}
    assert earlier_runs(tmp_path, None) == {RUN}


def test_a_script_whose_snakemake_is_gone_does_not_begin():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    script = "import sys; from heteroage.study import end_with; end_with(int(sys.argv[1])); print('went on')"
    done = subprocess.run([sys.executable, "-c", script, str(gone.pid)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
