"""What rules declare as their code, and how scripts report."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from heteroage import SNAKEMAKE_PID, workflow
from heteroage.errors import HeteroAgeError
from heteroage.workflow import SCRIPTS, bind, code_digest, in_processes, modules_used, reporting


def names(script):
    return {path.stem for path in modules_used(script)[0]}


def test_modules_are_found_through_other_modules(tmp_path):
    for k, (code, expected) in enumerate(
        (
            ("import json\nfrom heteroage.metrics import score_predictions\n", {"metrics"}),
            ("from heteroage.stages.context import project\n", {"context", "errors", "matrix", "files"}),
            ("def main():\n    from heteroage.age import transform_age\n", {"age"}),
            ("from heteroage import age, metrics\n", {"age", "metrics"}),
            ("if TYPE_CHECKING:\n    from heteroage.age import transform_age\n", set()),
            ("from select_training_samples import main\n", {"select_training_samples", "folds"}),
            ("import numpy\n", set()),
        )
    ):
        script = tmp_path / f"script_{k}.py"
        script.write_text(code)
        assert expected <= names(script)
        assert bool(expected) == bool(names(script))


def test_libraries_whose_numbers_count_are_found():
    assert "lightgbm" in modules_used(SCRIPTS / "train_stage3.py")[1]
    assert {"numba", "numpy", "scikit-learn"} <= set(modules_used(SCRIPTS / "train_stage1.py")[1])


READS_NO_TABLES = ("train_stage1", "train_expert", "train_experts", "collect_experts", "train_stage3")
READS_NO_TABLES += ("score_random_sets", "compare_scorings", "plot_training", "score_nested_runs", "write_report")


@pytest.mark.parametrize("script", READS_NO_TABLES)
def test_a_change_of_how_tables_are_read_retrains_and_redraws_nothing(script):
    """What is read from tables is in the store."""
    assert not {"tables", "inputs"} & {path.parent.name for path in modules_used(SCRIPTS / f"{script}.py")[0]}


CODE = '''
"""A script."""
import logging


def main(age):
    """Write the age."""
    if age < 0:
        raise ValueError(f"{age} is no age. Correct it.")
    logging.info("age %d", age)
    return {"age": age + 1}  # in years
'''


def digest(folder, number, code):
    script = folder / f"script_{number}.py"
    script.write_text(code)
    return code_digest(script)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""A script."""', '"""Another text, of the module."""\n# and a comment'),
        ("Write the age", "Write it"),
        ("is no age. Correct it.", "is not an age."),
        ('"age %d"', '"%d years"'),
        ("  # in years", ""),
        ("    return", "\n\n    return"),
    ],
)
def test_rewording_does_not_change_the_digest(tmp_path, old, new):
    assert old in CODE
    assert digest(tmp_path, 0, CODE) == digest(tmp_path, 1, CODE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"), [("< 0", "<= 0"), ('{"age"', '{"Age"'), ("{age} is", "{-age} is"), ("+ 1", "+ 2")]
)
def test_a_change_of_what_is_computed_changes_the_digest(tmp_path, old, new):
    assert old in CODE
    assert digest(tmp_path, 0, CODE) != digest(tmp_path, 1, CODE.replace(old, new))


def test_another_version_of_a_library_changes_the_digest(tmp_path, monkeypatch):
    code = "import sklearn\nimport json\n"
    before = digest(tmp_path, 0, code)
    code_digest.cache_clear()
    monkeypatch.setattr(workflow, "_version", lambda library: {"scikit-learn": "0.1"}[library])
    assert digest(tmp_path, 0, code) != before


class Named(dict):
    """Stands for Snakemake's lists of named files."""

    def __iter__(self):
        return iter(self.values())


def job(**changes):
    parts = {
        "input": Named(samples="samples.csv", pcs=[]),
        "output": Named(model="model.joblib"),
        "params": Named(seed=3, code="code 1"),
        "wildcards": Named(run="full"),
        "threads": 2,
        "log": ["log"],
        "rule": "train",
    }
    return SimpleNamespace(**parts | changes)


def test_a_script_gets_what_its_main_names():
    def main(run, samples, model, seed, threads, inputs, outputs):
        pass

    bound = bind(main, job())
    assert (bound["run"], bound["samples"], bound["model"]) == ("full", "samples.csv", "model.joblib")
    assert (bound["seed"], bound["threads"], bound["outputs"]) == (3, 2, {"model": "model.joblib"})
    assert bound["inputs"] == {"samples": "samples.csv", "pcs": []}  # no file of RF_PCs was given


def test_a_name_that_a_rule_does_not_have_or_has_twice_is_refused():
    def main(samples, alpha):
        pass

    with pytest.raises(TypeError, match="rule train has no input, output, parameter or wildcard alpha"):
        bind(main, job())
    with pytest.raises(TypeError, match="rule train uses the name samples for two things"):
        bind(main, job(output=Named(samples="other.csv")))


@pytest.fixture(autouse=True)
def logging_as_before():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    for handler in root.handlers[:]:
        root.removeHandler(handler)
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)


def test_progress_goes_to_the_log(tmp_path):
    with reporting(str(tmp_path / "log"), "train_stage1"):
        logging.getLogger("heteroage.stage1").info("fold 3 done")
    assert "train_stage1: fold 3 done" in (tmp_path / "log").read_text()


def test_a_problem_with_the_input_ends_the_script_in_plain_words(tmp_path, capsys):
    with pytest.raises(SystemExit) as caught, reporting(str(tmp_path / "log"), "train_stage1"):
        raise HeteroAgeError("no sample can train")
    assert caught.value.code == 1
    assert "no sample can train" in (tmp_path / "log").read_text()
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert "train_stage1: no sample can train" in capsys.readouterr().err


def test_an_unexpected_error_leaves_its_traceback_in_the_log(tmp_path):
    with pytest.raises(ZeroDivisionError), reporting(str(tmp_path / "log"), "train_stage1"):
        1 / 0  # noqa: B018
    assert "ZeroDivisionError" in (tmp_path / "log").read_text()
    assert "Traceback" in (tmp_path / "log").read_text()


def test_one_blas_thread(tmp_path):
    import numpy as np
    from threadpoolctl import threadpool_info

    np.ones((2, 2)) @ np.ones((2, 2))
    with reporting(str(tmp_path / "log"), "train_stage1"):
        assert all(pool["num_threads"] == 1 for pool in threadpool_info())


def test_an_input_that_changed_while_it_was_read_fails_the_script(tmp_path, capsys):
    given = [tmp_path / "beta.csv", tmp_path / "absent.csv"]
    given[0].write_text("sample_id,cg01\n")
    with pytest.raises(SystemExit), reporting(str(tmp_path / "log"), "build_feature_store", map(str, given)):
        given[0].write_text("sample_id,cg01,cg02\n")
    assert "1 input files changed while they were read" in capsys.readouterr().err
    with reporting(str(tmp_path / "log"), "build_feature_store", map(str, given)):
        given[0].read_text()


def test_a_script_alone_says_which_wildcards_it_needs():
    command = [sys.executable, SCRIPTS / "train_stage1.py"]
    done = subprocess.run(command, cwd=SCRIPTS.parent, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (1, "train_stage1 needs run=..., as arguments.")


@pytest.mark.parametrize("of_snakemake", [True, False])
def test_garbage_is_searched_for_except_during_the_imports_of_a_job(tmp_path, of_snakemake):
    script = tmp_path / "no_rule.py"
    script.write_text(
        "import gc\nfrom heteroage.workflow import script\nimports = gc.isenabled()\n"
        "try:\n    @script\n    def main() -> None: pass\n"
        "except BaseException: print(imports, gc.isenabled())\n"
    )
    environment = {**os.environ, SNAKEMAKE_PID: "1"} if of_snakemake else os.environ
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.stdout.split() == [str(not of_snakemake), "True"], done.stderr


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere one process does all")


@on_linux
def test_processes_share_the_work_and_keep_its_order():
    done = list(in_processes(lambda k: (k, os.getpid(), time.sleep(0.05)), range(7), 2))
    assert [k for k, _, _ in done] == list(range(7))
    workers = {worker for _, worker, _ in done}
    assert len(workers) == 2 and os.getpid() not in workers
    assert set(in_processes(lambda _: os.getpid(), range(7), 1)) == {os.getpid()}


@on_linux
def test_an_error_in_another_process_reaches_the_script():
    def refuse(k):
        raise HeteroAgeError(f"set {k} is empty")

    with pytest.raises(HeteroAgeError, match="set 0 is empty"):
        list(in_processes(refuse, range(3), 2))


@on_linux
def test_a_process_that_is_killed_is_named_with_a_remedy():
    with pytest.raises(HeteroAgeError, match="one of 2 processes of this step was killed, usually because memory"):
        list(in_processes(lambda _: os.kill(os.getpid(), signal.SIGKILL), range(3), 2))


@on_linux
def test_processes_end_with_a_script_that_is_killed(tmp_path):
    started = tmp_path / "started"
    code = f"""
import os, time
from heteroage.workflow import in_processes

def work(k):
    with open({str(started)!r}, "a") as file:
        file.write(f"{{os.getpid()}}\\n")
    time.sleep(60)

list(in_processes(work, range(2), 2))
"""
    script = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(SCRIPTS)})
    wait_until(lambda: started.is_file() and len(started.read_text().split()) == 2)
    script.send_signal(signal.SIGKILL)
    script.wait()
    wait_until(lambda: not any(map(runs, started.read_text().split())))


def runs(pid: str) -> bool:
    """Whether a process exists and has not ended (an ended one may wait for its parent)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition) -> None:
    for _ in range(200):  # ten seconds: far below the minute for which the processes would sleep
        if condition():
            return
        time.sleep(0.05)
    pytest.fail("nothing happened in ten seconds")
