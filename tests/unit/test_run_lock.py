"""One run at a time in a folder; what a killed run leaves, goes."""

import os
import subprocess
import sys
import time

import pytest

from heteroage.errors import HeteroAgeError
from heteroage.run_lock import cancel_leftover_jobs, earlier_runs, hold

HOLD = "import sys, time; from pathlib import Path; from heteroage.run_lock import hold; hold(Path(sys.argv[1]))"


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
    script = "import sys, time; from heteroage.run_lock import end_with; end_with(int(sys.argv[1])); time.sleep(60)"
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
    script = "import sys; from heteroage.run_lock import end_with; end_with(int(sys.argv[1])); print('went on')"
    done = subprocess.run([sys.executable, "-c", script, str(gone.pid)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
