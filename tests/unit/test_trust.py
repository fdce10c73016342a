"""A folder from someone else predicts the same for ever, and spoilt folders and tables do no harm."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from heteroage.files import read_json, read_table, sha256_of

DATA = Path(__file__).parents[1] / "data"
GOLDEN = [DATA / "golden_clock", DATA / "golden_clock_2"]  # of format versions 1 and 2


# The same ages for ever


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda folder: folder.name)
@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet", "feather"])
def test_golden_ages(tmp_path, form, golden):
    """A clock that an earlier version trained gets the ages that it gave: a change belongs into CHANGELOG.md."""
    from heteroage.clock.apply import run_step

    run_step("predict", golden / "folder", [golden / f"tables/samples.{form}"], tmp_path / "ages.csv")
    expected, ages = read_table(golden / "ages.csv"), read_table(tmp_path / "ages.csv")
    assert set(expected.columns) <= set(ages.columns)
    for name in expected.select_dtypes("number").columns:
        np.testing.assert_allclose(ages[name], expected[name], rtol=0, atol=1e-9, err_msg=name)
    for name in ("sample_id", "Tissue", "Sex", "Flags"):
        assert ages[name].equals(expected[name]), name


# Hostile folders and tables


def test_a_slice_of_the_fuzzing():
    """Of tests/fuzz/fuzz_apply.py, which anyone can run in full."""
    script = Path(__file__).parents[1] / "fuzz/fuzz_apply.py"
    done = subprocess.run([sys.executable, str(script), "--cases", "40"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "refused" in done.stdout
    assert "done" in done.stdout


# The golden folder itself


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda folder: folder.name)
def test_sizes_of_the_golden_folders(golden):
    """It is kept in the repository: small."""
    files = [path for path in golden.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 500_000
    assert not [path for path in files if path.suffix == ".joblib"]
    manifest = read_json(golden / "folder/MANIFEST.json")
    assert all(sha256_of(golden / "folder" / name) == digest for name, digest in manifest["files"].items())
    assert pd.read_csv(golden / "ages.csv")["HeteroAge"].std() > 5
