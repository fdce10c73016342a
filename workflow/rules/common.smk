"""Takes in the configuration; gives out what every other file of rules uses: the checked `config`, the
constraints of wildcards, and a few helpers."""

import os
import re
import sys
import time
from functools import cache
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

# The package of this checkout, installed or not.
sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from heteroage.cohorts import MODALITIES
from heteroage.config import check_config, check_files
from heteroage.errors import HeteroAgeError
from heteroage.hallmarks import features_digest, orthogonalise_files, read_dictionary
from heteroage.workflow import modules_used

STARTED = time.time()
SCHEMA = Path(workflow.basedir) / "workflow/schemas/config.schema.yaml"

try:
    check_config(config, yaml.safe_load(SCHEMA.read_text()))
    validate(config, str(SCHEMA))  # fills in the defaults
    check_files(config)
    HALLMARKS = list(read_dictionary(config["inputs"]["hallmarks"]))
except HeteroAgeError as problem:
    raise WorkflowError(str(problem))

MODALITY_TABLES = {m: config["inputs"][m] for m in MODALITIES if config["inputs"][m]}
SIMULATED = "'results/demo/" in str([config["inputs"][m] for m in MODALITIES])
COMPUTE_PCS = config["inputs"]["context_pcs"] == "compute"


wildcard_constraints:
    run=r"full|nested-\d+|altered-\d+|random-split|shuffled-ages|planted-study",
    fold=r"\d+",
    scored="out_of_fold|nested",
    page="index|training",
    hallmark="|".join(map(re.escape, HALLMARKS)),
    name="|".join(map(re.escape, config["predict"] or ["no-table"])),


def code_of(rule):
    """The package's modules that a rule's script uses: editing one reruns the rule, moving the checkout does not."""
    return [os.path.relpath(path) for path in modules_used(Path(workflow.basedir) / "scripts" / f"{rule}.py")]


@cache
def orthogonalised(run, stamp):
    """The run's features by hallmark, worked out from the dictionary and the correlations on disk."""
    folder = f"results/{run}/training"
    return orthogonalise_files(
        config["inputs"]["hallmarks"], f"{folder}/feature_names.txt", f"{folder}/feature_correlation.npy"
    )


def own_features(wildcards):
    """A digest of one hallmark's own features: when it changes, this expert is trained again, and no other.

    Correlations that are not there yet raise FileNotFoundError, which Snakemake takes for "to be determined".
    """
    stamp = os.stat(f"results/{wildcards.run}/training/feature_correlation.npy").st_mtime_ns
    return features_digest(orthogonalised(wildcards.run, stamp)[wildcards.hallmark])


def store_samples(wildcards):
    """The table of all samples that a run chooses from: `altered-<k>` sees other labels in outer fold k."""
    altered = wildcards.run.startswith("altered-")
    return "results/{run}/store/samples.csv" if altered else "results/store/samples.csv"


store_samples.paths = ["results/store/samples.csv"]


def of_each_expert(pattern):
    """Spell out a pattern for every hallmark; {run} stays a wildcard."""
    return collect(pattern, hallmark=HALLMARKS, allow_missing=True)


def held_out(pattern):
    """Spell out a pattern for each nested run; there may be fewer groups than the outer folds asked for."""

    def of_each_outer_fold(wildcards):
        folds = checkpoints.list_outer_folds.get().output.folds
        return collect(pattern, run=[f"nested-{fold}" for fold in Path(folds).read_text().split()])

    of_each_outer_fold.paths = [pattern]
    return of_each_outer_fold


def evaluation_of(wildcards):
    """What the full run's model card tells of nested runs and falsification, if the config asks for it."""
    if wildcards.run != "full" or not config["model_card"]["evaluated"]:
        return {}
    return {
        "accuracy": "results/evaluation/accuracy.csv",
        "coverage": "results/evaluation/coverage.csv",
        "certificate": "results/falsification/certificate.csv",
    }


def show_summary():
    """Print the summary, if it was made since this workflow was read."""
    summary = Path("results/summary.txt")
    if summary.is_file() and summary.stat().st_mtime >= STARTED:
        print(f"\n{summary.read_text()}", file=sys.stderr)
