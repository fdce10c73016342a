"""Applying a clock installs little: the core alone, in a new environment, gets the golden clock's ages."""

import csv
import re
import shutil
import subprocess
import sys
import time
import tomllib

import pytest
import yaml
from mini_study import REPOSITORY

GOLDEN = REPOSITORY / "tests/data/golden_clock"
MOST_PACKAGES = 8
NO_NETWORK = ("No matching distribution", "Temporary failure", "Connection", "Could not find a version")


def installed(folder, *constraints):
    """A new environment with the package's core; skips where packages cannot be downloaded."""
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "scripts"):
        copy = shutil.copytree if name == "scripts" else shutil.copyfile
        copy(REPOSITORY / name, source / name)
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv/bin/python"
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", source, *constraints]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and any(word in done.stderr for word in NO_NETWORK):
        pytest.skip(f"packages cannot be downloaded: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return python


def floors():
    """Each core package at the oldest version that pyproject.toml allows."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [re.sub(r">=", "==", entry) for entry in project["dependencies"]]


@pytest.mark.parametrize("versions", ["newest", "oldest"])
def test_the_core_alone_predicts(tmp_path, versions):
    python = installed(tmp_path, *(floors() if versions == "oldest" else []))
    listed = subprocess.run([python, "-m", "pip", "list"], capture_output=True, text=True, check=True).stdout
    packages = {line.split()[0] for line in listed.splitlines()[2:]} - {"pip", "setuptools"}
    assert {"heteroage-clock", "numpy", "pyarrow"} <= packages
    assert len(packages) <= MOST_PACKAGES
    for ending in ("csv", "csv.gz", "parquet", "feather"):
        command = [python.with_name("heteroage"), "pipeline-predict", "--artifact-dir", GOLDEN / "folder"]
        command += ["--input", GOLDEN / f"tables/samples.{ending}", "--out", tmp_path / "ages.csv"]
        start = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - start
        assert done.returncode == 0, done.stderr
        assert ages(tmp_path / "ages.csv") == pytest.approx(ages(GOLDEN / "ages.csv"), abs=1e-9)
    assert seconds < 5  # it takes one; the machine may be busy
    why = subprocess.run([*command, "--contributions", "why.csv"], capture_output=True, text=True, check=False)
    assert (why.returncode, why.stderr.count("\n")) == (1, 1)
    assert "contributions need LightGBM" in why.stderr
    for script in ("verify", "check --input"):
        name, *options = script.split()
        inputs = [*options, GOLDEN / "tables/samples.csv"] if options else []
        folder = ["--artifact-dir", GOLDEN / "folder"] if options else [GOLDEN / "folder"]
        subprocess.run([python.with_name("heteroage"), name, *folder, *inputs], capture_output=True, check=True)


def ages(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return [float(row["HeteroAge"]) for row in csv.DictReader(stream)]


def test_the_snakefile_is_read_with_snakemake_alone(tmp_path):
    """Of what only scripts need, reading the rules imports nothing: `--sdm conda` needs no more than Snakemake."""
    for name in ("numpy", "pandas", "pyarrow", "sklearn", "scipy", "numba", "lightgbm", "matplotlib", "joblib"):
        (tmp_path / f"{name}.py").write_text(f"raise ImportError('{name} is not installed')")
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "all", "--directory", tmp_path / "study"]
    (tmp_path / "study").mkdir()
    for name in ("config", "resources"):
        shutil.copytree(REPOSITORY / name, tmp_path / "study" / name)
    (tmp_path / "study/published.csv").write_text("cpg,coefficient\ncg00000001,1\n", encoding="utf-8")
    config = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text(encoding="utf-8"))
    config["compare"] = {"Published": {"coefficients": "published.csv"}}
    config["stage1"]["start_from"] = {"coefficients": "published.csv"}
    (tmp_path / "study/config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    done = subprocess.run(
        [*command, "--snakefile", REPOSITORY / "Snakefile", "--configfile", tmp_path / "study/config.yaml"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(tmp_path), "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
