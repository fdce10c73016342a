"""The commands: what is written, and when nothing is."""

import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from command_line import run

import heteroage
from heteroage.age import inverse_transform_age
from heteroage.clock.apply import run_step
from heteroage.clock.loading import load_clock
from heteroage.errors import HeteroAgeError
from heteroage.files import read_json, write_table


@pytest.fixture
def master(clock, tmp_path):
    write_table(clock.master, tmp_path / "m.csv")
    return tmp_path / "m.csv"


def arguments(clock, master, out, *more):
    return ["pipeline-predict", "--artifact-dir", clock.folder, "--input", master, "--out", out, *more]


# Whole or not at all


def test_a_full_disk_leaves_the_old_file(clock, master, tmp_path):
    """The limit on a file's size stands for the disk's."""
    out = tmp_path / "out.csv"
    out.write_text("old")

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    for name in ("out.csv", "out.parquet"):
        command = [sys.executable, "-m", "heteroage.cli", *map(str, arguments(clock, master, tmp_path / name))]
        done = subprocess.run(command, preexec_fn=limit, capture_output=True, text=True, check=False)
        assert done.returncode == 1, done.stderr
        assert f"cannot write {tmp_path / name}" in done.stderr
        assert "Traceback" not in done.stderr
    assert out.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.csv", "out.csv"]


SLOWLY = """
import sys, time
from pathlib import Path
from heteroage.clock import apply
from heteroage.clock.apply import run_step
write = apply.RowWriter.write
def slowly(self, rows):
    write(self, rows)
    print(self.rows, flush=True)
    time.sleep(60 if self.rows == int(sys.argv[1]) else 0)
apply.RowWriter.write = slowly
folder, table, out = map(Path, sys.argv[2:])
run_step("predict", folder, [table], out)
"""


def test_killed_while_writing_the_old_file_stands(clock, tmp_path):
    """Killed after the first part and after the last: the old file stands, and the next run is whole."""
    table, out = tmp_path / "m.parquet", tmp_path / "out.csv"
    clock.master.to_parquet(table, index=False, row_group_size=1)
    run_step("predict", clock.folder, [table], out)
    whole = out.read_bytes()
    for rows in (1, 14):
        out.write_text("old")
        command = [sys.executable, "-c", SLOWLY, *map(str, (rows, clock.folder, table, out))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            while process.stdout.readline().strip() != str(rows):
                assert process.poll() is None
            process.kill()
        assert out.read_text() == "old"
    run_step("predict", clock.folder, [table], out)
    assert out.read_bytes() == whole


def test_no_right_to_write(clock, master, tmp_path, capsys):
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    code, _, err = run(capsys, *arguments(clock, master, folder))
    assert (code, f"cannot write {folder}" in err) == (1, True)


def test_inputs_are_not_overwritten(clock, master, tmp_path, capsys):
    before = master.read_bytes()
    code, _, err = run(capsys, *arguments(clock, master, master))
    assert (code, "is an input and would be overwritten" in err) == (1, True)
    code, _, err = run(capsys, *arguments(clock, master, tmp_path / "o.csv", "--contributions", tmp_path / "o.csv"))
    assert (code, "two outputs have the same file name" in err) == (1, True)
    assert master.read_bytes() == before


def test_ctrl_c_is_said_in_a_line(clock, master, tmp_path, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("heteroage.clock.apply.run_step", interrupted)
    assert run(capsys, *arguments(clock, master, tmp_path / "o.csv"))[0] == 130


# Contributions


def test_contributions_are_written_beside_the_ages(clock, loaded, master, tmp_path, capsys):
    why = tmp_path / "why.parquet"
    assert run(capsys, *arguments(clock, master, tmp_path / "o.csv", "--contributions", why))[0] == 0
    expected = loaded.contributions(clock.master)
    pd.testing.assert_frame_equal(pd.read_parquet(why).astype({"sample_id": object}), expected, check_dtype=False)


def test_the_cohort_as_a_whole_is_summed_up(clock, loaded, master, tmp_path, capsys):
    assert run(capsys, *arguments(clock, master, tmp_path / "o.csv", "--summary", tmp_path / "s.json"))[0] == 0
    output, said = loaded.predict(clock.master), read_json(tmp_path / "s.json")
    error = output["HeteroAge"] - output["Age"]
    assert (said["samples"], said["n"], said["flagged"]) == (14, 14, output["Flags"].ne("").sum())
    expected = {"MAE": error.abs().mean(), "MedAE": error.abs().median(), "bias": error.mean()}
    expected["r"] = output["HeteroAge"].corr(output["Age"])
    assert {name: said[name] for name in expected} == pytest.approx(expected)
    write_table(clock.master.drop(columns="Age"), tmp_path / "no_age.csv")
    assert (
        run(capsys, *arguments(clock, tmp_path / "no_age.csv", tmp_path / "o.csv", "--summary", tmp_path / "s.json"))[0]
        == 0
    )
    assert set(read_json(tmp_path / "s.json")) == {"samples", "flagged", "without_predicted_age"}


def test_the_python_interface(clock, loaded):
    assert heteroage.load_clock is load_clock
    assert isinstance(loaded, heteroage.Clock)
    with pytest.raises(AttributeError):
        _ = heteroage.nothing
    with pytest.raises(HeteroAgeError):
        loaded.predict(pd.DataFrame({"a": [1]}))


def test_nothing_slow_is_imported_to_predict(clock, master, tmp_path):
    """pandas, scikit-learn and LightGBM take seconds to import, and prediction does without."""
    script = (
        "import sys; from heteroage.cli import main; code = main(sys.argv[1:]); "
        "slow = {'pandas', 'sklearn', 'lightgbm', 'scipy', 'joblib', 'matplotlib'} & set(sys.modules); "
        "print(sorted(slow)); sys.exit(code)"
    )
    command = [sys.executable, "-c", script, *map(str, arguments(clock, master, tmp_path / "o.csv"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
    done = subprocess.run(
        [sys.executable, "-c", "import sys, heteroage.cli; print('numpy' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"


def test_the_example_in_the_docs_runs_and_prints_what_it_says(monkeypatch, capsys):
    repository = Path(__file__).parents[3]
    text = (repository / "docs/apply.md").read_text(encoding="utf-8")
    code, printed = text.split("```python\n")[1].split("```")[0], text.split("```\n\n```\n")[1].split("```")[0]
    monkeypatch.chdir(repository)
    exec(compile(code, "docs/apply.md", "exec"), {})
    assert capsys.readouterr().out == printed


def test_the_exported_coefficients_predict_the_anchor(clock, loaded, tmp_path, capsys):
    """As biolearn's linear models do: joined by name, the intercept's row a 1, and the transform after the sum."""
    out = tmp_path / "c.csv"
    code, said, _ = run(capsys, "export", "--artifact-dir", clock.folder, "--out", out)
    assert (code, "chalm keep their suffix" in said) == (0, True)
    table = pd.read_csv(out, index_col=0)
    assert list(table.columns) == ["CoefficientTraining"]
    cpgs = [name for name in clock.master.columns if name.startswith("cg")]
    whole = clock.master.assign(**clock.master[cpgs].fillna(0.5))
    matrix = whole.set_index("sample_id")[cpgs].rename(columns=lambda name: name.removesuffix("_beta")).T
    matrix.loc["intercept"] = 1
    joined = table.join(matrix, how="inner")
    assert len(joined) == len(table)
    ages = inverse_transform_age(joined.iloc[:, 1:].multiply(joined["CoefficientTraining"], axis=0).sum())
    np.testing.assert_allclose(ages, loaded.predict(whole)["Stage1_Pred_Age"], rtol=0, atol=1e-9)
    run(capsys, "export", "--artifact-dir", clock.folder, "--out", out, "--style", "methylclock")
    assert pd.read_csv(out)["CpGmarker"][0] == "(Intercept)"


def test_coefficients_cannot_hold_pcs_from_a_file(clock_without_loadings, tmp_path, capsys):
    code, _, err = run(capsys, "export", "--artifact-dir", clock_without_loadings, "--out", tmp_path / "c.csv")
    assert (code, "RF_PCs from a file" in err) == (1, True)
