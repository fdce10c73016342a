"""A folder from someone else: whose it is, whether it still predicts the same, and that it can do no harm."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from heteroage import artifacts
from heteroage.cli import main
from heteroage.errors import HeteroAgeError
from heteroage.files import read_json, read_table, sha256_of, write_table
from heteroage.loading import load_clock

GOLDEN = Path(__file__).parents[1] / "data/golden_clock"


def command(capsys, *arguments):
    """Run `heteroage`; returns its code and what it said."""
    code = main(list(map(str, arguments)))
    out, err = capsys.readouterr()
    return code, out + err


# The same ages for ever


@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet", "feather"])
def test_golden_ages(tmp_path, form):
    """A clock that an earlier version trained gets the ages that it gave: a change belongs into CHANGELOG.md."""
    from heteroage.apply import run_step

    run_step("predict", GOLDEN / "folder", [GOLDEN / f"tables/samples.{form}"], tmp_path / "ages.csv")
    expected, ages = read_table(GOLDEN / "ages.csv"), read_table(tmp_path / "ages.csv")
    assert set(expected.columns) <= set(ages.columns)
    for name in expected.select_dtypes("number").columns:
        np.testing.assert_allclose(ages[name], expected[name], rtol=0, atol=1e-9, err_msg=name)
    for name in ("sample_id", "Tissue", "Sex", "Flags"):
        assert ages[name].equals(expected[name]), name


def test_verify_predicts_the_reference_samples_anew(clock, clock_copy, reseal, capsys):
    code, said = command(capsys, "verify", clock.folder)
    assert code == 0
    assert "8 reference samples get their stored ages" in said
    ages = read_table(clock_copy / artifacts.REFERENCE_PREDICTIONS)
    assert ages["HeteroAge"].std() > 5
    assert ages["Imputed_Fraction"].max() > 0
    ages.loc[3, "HeteroAge"] += 1e-6
    write_table(ages, clock_copy / artifacts.REFERENCE_PREDICTIONS)
    reseal(clock_copy)
    code, said = command(capsys, "verify", clock_copy)
    assert code == 1
    assert "this version predicts other numbers than were stored (1: HeteroAge of reference_4 by 1e-06)" in said


def test_reference_samples_are_nobodys(clock):
    """They follow from the clock's stored means and scales alone: no training sample's values are among them."""
    invented = read_table(clock.folder / artifacts.REFERENCE_SAMPLES)
    cpgs = [name for name in clock.training.columns if name.startswith("cg")]
    assert not set(np.round(clock.training[cpgs].to_numpy().ravel(), 6)) >= set(invented[cpgs].to_numpy().ravel())
    assert set(invented["sample_id"]).isdisjoint(clock.training["sample_id"])


def test_a_folder_without_reference_samples_is_verified_as_far_as_it_goes(clock_copy, reseal, capsys):
    for name in (artifacts.REFERENCE_SAMPLES, artifacts.REFERENCE_PREDICTIONS):
        (clock_copy / name).unlink()
    reseal(clock_copy)
    code, said = command(capsys, "verify", clock_copy)
    assert (code, "holds no reference samples" in said) == (0, True)


# Signatures


def test_signing_and_checking(clock, clock_copy, tmp_path, capsys):
    mine, public, other = (tmp_path / name for name in ("key.pem", "key.pub", "other.pem"))
    assert command(capsys, "make-keys", "--private-key", mine, "--public-key", public)[0] == 0
    assert oct(mine.stat().st_mode & 0o777) == "0o600"
    assert command(capsys, "make-keys", "--private-key", other, "--public-key", tmp_path / "other.pub")[0] == 0
    code, said = command(capsys, "make-keys", "--private-key", mine, "--public-key", tmp_path / "new.pub")
    assert (code, "a key is there already" in said) == (1, True)

    write_table(clock.master, tmp_path / "m.csv")
    predict = ["pipeline-predict", "--artifact-dir", clock_copy, "--input", tmp_path / "m.csv", "--out"]
    code, said = command(capsys, *predict, tmp_path / "o.csv", "--public-key", public)
    assert (code, "has no signature (MANIFEST.json.sig)" in said) == (1, True)
    assert command(capsys, "sign", clock_copy, "--private-key", mine)[0] == 0
    assert command(capsys, *predict, tmp_path / "o.csv", "--public-key", public)[0] == 0
    assert command(capsys, "verify", clock_copy, "--public-key", public)[0] == 0
    assert command(capsys, "verify", clock_copy)[0] == 0  # whoever has no key sees a whole folder

    code, said = command(capsys, "verify", clock_copy, "--public-key", tmp_path / "other.pub")
    assert (code, "was not signed by the owner" in said) == (1, True)
    # Changed and sealed anew, so that the manifest agrees: the signature does not.
    meta = read_json(clock_copy / artifacts.STAGE3_META)
    meta["boosting_rounds"] += 1
    (clock_copy / artifacts.STAGE3_META).write_text(json.dumps(meta))
    artifacts.seal(clock_copy, {})
    assert command(capsys, "verify", clock_copy)[0] == 0
    code, said = command(capsys, "verify", clock_copy, "--public-key", public)
    assert (code, "was not signed by the owner" in said) == (1, True)
    for wrong in (tmp_path / "m.csv", mine, tmp_path / "absent"):
        assert command(capsys, "verify", clock_copy, "--public-key", wrong)[0] == 1
    assert command(capsys, "sign", clock_copy, "--private-key", public)[0] == 1


# Hostile folders


def with_text(name, change):
    def spoil(folder):
        path = folder / name
        path.write_text(change(path.read_text()))

    return spoil


def as_pipe(folder):
    (folder / artifacts.STAGE1_WEIGHTS).unlink()
    os.mkfifo(folder / artifacts.STAGE1_WEIGHTS)


def huge(name, size):
    def spoil(folder):
        with (folder / name).open("ab") as stream:
            stream.truncate(size)

    return spoil


def edit_meta(**changes):
    def change(text):
        return json.dumps(json.loads(text) | changes)

    return with_text(artifacts.STAGE3_META, change)


HOSTILE = {
    "a pipe": (as_pipe, "files missing (1: stage1/Stage1_Global_Model_Weights.csv)", False),
    "a terabyte": (huge("stage1/model.joblib", 2**40), "holds 1024.0 GiB: no clock does", False),
    "a huge manifest": (huge("MANIFEST.json", 2**33), "MANIFEST.json is larger than 8 MiB", False),
    "huge JSON": (huge(artifacts.STAGE3_META, 2**25), "larger than 8 MiB", True),
    "deep JSON": (with_text(artifacts.STAGE3_META, lambda text: "[" * 100_000), "is not valid JSON", True),
    "NaN in JSON": (edit_meta(acceleration_reference={"slope": float("nan"), "intercept": 0}), "not valid JSON", True),
    "text for a number": (edit_meta(acceleration_reference={"slope": "1", "intercept": 0}), "holds text or no", True),
    "no list": (edit_meta(feature_order=None), "lacks or misspells", True),
    "twice": (edit_meta(feature_order=["Stage1_Pred_Age"] * 7), "does not list the fusion's features", True),
    "other features": (
        edit_meta(feature_order=["Stage1_Pred_Age", "Tissue", "Sex"]),
        "name different features",
        True,
    ),
    "intervals of nothing": (edit_meta(intervals={"half_width": -1}), "intervals of negative width", True),
    "NaN weights": (with_text(artifacts.STAGE1_WEIGHTS, lambda t: t.replace("cg", "x,nan,cg", 1)), "no table of", True),
    "empty weights": (with_text(artifacts.STAGE1_WEIGHTS, lambda text: ""), "no table of weights", True),
    "features twice": (
        with_text(artifacts.STAGE1_WEIGHTS, lambda t: t + t.splitlines()[-1] + "\n"),
        "name each feature once",
        True,
    ),
    "no expert": (with_text(artifacts.STAGE2_WEIGHTS, lambda t: t.replace("Telomere", "T")), "lacks hallmarks", True),
    "a tree in a circle": (
        with_text(artifacts.STAGE3_MODEL, lambda t: t.replace("left_child=", "left_child=0 ", 1)),
        "tree 0 is no tree",
        True,
    ),
    "no covariance": (with_text(artifacts.COVARIANCE, lambda t: t.splitlines()[0] + "\n"), "does not fit", True),
}


@pytest.mark.parametrize("name", list(HOSTILE))
def test_hostile_folders_get_a_message(clock, clock_copy, reseal, tmp_path, capsys, name):
    spoil, text, sealed_anew = HOSTILE[name]
    spoil(clock_copy)
    if sealed_anew:
        reseal(clock_copy)
    write_table(clock.master, tmp_path / "m.csv")
    arguments = ["--artifact-dir", clock_copy, "--input", tmp_path / "m.csv", "--out", tmp_path / "o.csv"]
    code, said = command(capsys, "pipeline-predict", *arguments)
    assert code == 1
    assert text in said
    assert len(said) < 2000
    assert not (tmp_path / "o.csv").exists()


def test_a_file_that_changes_after_the_check_is_not_read(clock_copy, monkeypatch):
    checked = artifacts.verify

    def verify_then_change(folder, key=None):
        manifest = checked(folder, key)
        (folder / artifacts.STAGE3_MODEL).write_text("tree\n")
        return manifest

    monkeypatch.setattr(artifacts, "verify", verify_then_change)
    with pytest.raises(HeteroAgeError, match="changed while it was read"):
        load_clock(clock_copy)


def test_a_slice_of_the_fuzzing():
    """Of tests/fuzz/fuzz_apply.py, which anyone can run in full."""
    script = Path(__file__).parents[1] / "fuzz/fuzz_apply.py"
    done = subprocess.run([sys.executable, str(script), "--cases", "40"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "refused" in done.stdout
    assert "done" in done.stdout


# The golden folder itself


def test_sizes_of_the_golden_folder():
    """It is kept in the repository: small."""
    files = [path for path in GOLDEN.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 500_000
    assert not [path for path in files if path.suffix == ".joblib"]
    manifest = read_json(GOLDEN / "folder/MANIFEST.json")
    assert all(sha256_of(GOLDEN / "folder" / name) == digest for name, digest in manifest["files"].items())
    assert pd.read_csv(GOLDEN / "ages.csv")["HeteroAge"].std() > 5
