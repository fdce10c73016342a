"""What rules declare as their code, and how scripts report."""

import logging
from pathlib import Path

import pytest

from heteroage.errors import HeteroAgeError
from heteroage.workflow import SCRIPTS, modules_used, reporting


def names(script):
    return {Path(path).stem for path in modules_used(script)}


def test_modules_are_found_through_other_modules(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import json\nfrom heteroage.metrics import score_predictions\n")
    assert names(script) == {"metrics"}
    script.write_text("from heteroage.stages.context import project\n")
    assert {"context", "cohorts", "errors", "store", "files"} <= names(script)
    script.write_text(
        "def main():\n    from heteroage.age import transform_age\n    import heteroage.stages.sampling\n"
    )
    assert {"age", "sampling", "errors"} <= names(script)
    script.write_text("from heteroage import age, metrics\n")
    assert {"age", "metrics"} <= names(script)
    script.write_text("import numpy\n")
    assert modules_used(script) == []


def test_every_script_of_a_rule_uses_modules_that_are_there():
    scripts = sorted(SCRIPTS.glob("*.py"))
    assert scripts
    for script in scripts:
        used = modules_used(script)
        assert used == sorted(used)
        assert all(Path(path).is_file() for path in used)


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
