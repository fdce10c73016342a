"""The workflow from another folder, and as a module of another workflow: in the study's folder, with the same bytes."""

import sys

import pytest
import yaml
from mini_study import call, job_counts

PREDICTIONS = "results/predictions/held_back.csv"
LAB = """\
configfile: "lab.yaml"

module clock:
    snakefile: config["clone"]
    config: config["clock"]

use rule * from clock as clock_*

rule copy_ages:
    default_target: True
    input: "results/predictions/held_back.csv"
    output: "ages.csv"
    shell: "cp {input} {output}"

rule count_rows:
    input: "{name}.csv"
    output: "rows/{name}.txt"  # `name` is a wildcard of the module too, constrained there
    shell: "wc -l < {input} > {output}"
"""


@pytest.fixture
def listing(repository):
    """What files the checkout has, and when each was changed: Python's own caches aside."""
    return lambda: {
        path: path.stat().st_mtime_ns
        for path in repository.rglob("*")
        if path.is_file() and not {"__pycache__", ".snakemake"} & set(path.relative_to(repository).parts[:-1])
    }


@pytest.fixture
def lab(study_copy):
    """A workflow of somebody's own beside the finished study, with ours as a module; returns how to run it."""
    settings = {"clone": str(study_copy.repository / "Snakefile"), "clock": study_copy.config}
    study_copy.path("lab.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    study_copy.path("Snakefile").write_text(LAB, encoding="utf-8")

    def run(*arguments):
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
        done = call(command, study_copy.folder, study_copy.repository)
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


def test_a_study_with_a_config_of_its_own_runs_from_another_folder(study_copy, repository, listing, tmp_path):
    (study_copy.path("config")).mkdir()
    study_copy.path("config.yaml").rename(study_copy.path("config/config.yaml"))
    study_copy.path(PREDICTIONS).unlink()
    before, elsewhere = listing(), tmp_path / "elsewhere"
    elsewhere.mkdir()
    command = [sys.executable, "-m", "snakemake", "-s", str(repository / "Snakefile"), "-d", str(study_copy.folder)]
    done = call([*command, "--cores", "2", PREDICTIONS], elsewhere, repository)
    assert job_counts(done.stdout) == {"predict_samples": 1}, done.stdout
    assert study_copy.path(PREDICTIONS).is_file()
    assert listing() == before
    assert not list(elsewhere.iterdir())


def test_the_snakefile_that_the_catalog_looks_for_is_the_same_workflow(study_copy, repository):
    command = [sys.executable, "-m", "snakemake", "-s", str(repository / "workflow/Snakefile"), "-n"]
    done = call([*command, "--configfile", "config.yaml"], study_copy.folder, repository)
    assert job_counts(done.stdout) == {}


def test_as_a_module_it_makes_the_same_bytes_in_the_folder_of_the_study(lab, study, study_copy, listing):
    study_copy.path(PREDICTIONS).unlink()
    before = listing()
    assert job_counts(lab()) == {"clock_predict_samples": 1, "copy_ages": 1}  # what was trained before, stands
    assert study_copy.path("ages.csv").read_bytes() == study.path(PREDICTIONS).read_bytes()
    assert listing() == before


def test_the_nested_runs_and_the_report_of_a_module_are_planned_whole(lab, study_copy):
    lab("results/store/outer_folds.txt")  # a checkpoint: only then are the nested runs known
    folds = study_copy.path("results/store/outer_folds.txt").read_text(encoding="utf-8").split()
    jobs = job_counts(lab("-n", "clock_report"))
    assert jobs["clock_assemble_nested_run"] == len(folds)
    # Of the outer rules none: they do not belong to the pictures of the report.
    assert jobs["clock_write_report"] == 2 and "copy_ages" not in jobs  # the report, and the page of one training run


def test_a_log_that_the_other_workflow_sets_is_kept(lab, study_copy):
    with study_copy.path("Snakefile").open("a", encoding="utf-8") as snakefile:
        snakefile.write(
            '\nuse rule predict_samples from clock as clock_predict_samples with:\n    log: "mine/{name}.log"\n'
        )
    study_copy.path(PREDICTIONS).unlink()
    lab()
    assert study_copy.path("mine/held_back.log").is_file()
    assert study_copy.path("results/benchmarks/predict_samples/held_back.tsv").is_file()


def test_rules_of_the_other_workflow_keep_their_own_wildcards(lab):
    assert job_counts(lab("-n", "rows/ages.txt"))["count_rows"] == 1


def test_a_prefix_is_refused(lab, study_copy):
    snakefile = study_copy.path("Snakefile")
    snakefile.write_text(LAB.replace('config["clock"]', 'config["clock"]\n    prefix: "clock"'), encoding="utf-8")
    done = call([sys.executable, "-m", "snakemake", "-n"], study_copy.folder, study_copy.repository)
    assert done.returncode == 1
    assert "this module knows no prefix" in done.stdout
