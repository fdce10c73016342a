"""Input: the configuration. Output: what every other file of rules uses: the checked `config`, the
constraints of wildcards, and a few helpers."""

import json
import os
import re
import sys
import time
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError
from snakemake.io import is_flagged
from snakemake.utils import validate

# Folder of this checkout. If another workflow uses it as a module, `workflow.basedir` is the folder of that workflow.
if not workflow.current_basedir.is_local:
    raise WorkflowError(
        "heteroage-clock is a package with a workflow around it: clone it, and name the clone's Snakefile."
    )
if workflow.modifier.path_modifier.prefix:
    raise WorkflowError("this module knows no prefix: its results go to results/ in the working directory (see -d).")
REPOSITORY = Path(workflow.current_basedir).parents[1]

# Its package, installed or not.
sys.path.insert(0, str(REPOSITORY / "scripts"))

# None of these modules loads pandas, because every job reads this file.
from heteroage import SNAKEMAKE_PID
from heteroage.clock.artifacts import APPLICABILITY, COVARIANCE, READING, REFERENCE_PREDICTIONS, REFERENCE_SAMPLES
from heteroage.config import check_coefficients, check_config, check_files, coverage_entries, geo_entries, geo_files
from heteroage.config import lab_conventions, predict_entries, table_entries
from heteroage.errors import HeteroAgeError
from heteroage.files import files_of
from heteroage.probes import MODALITIES
from heteroage.stages.hallmarks import are_gene_sets, features_digest, read_hallmark_names
from heteroage.study import cancel_leftover_jobs, closing_words, earlier_runs
from heteroage.study import hold, remember_study, state_of, unseal_incomplete
from heteroage.workflow import REJECTED, code_digest

CONFIG_NAME = str(workflow.configfiles[-1]) if workflow.configfiles else "the module that uses this workflow"
STARTED = time.time()
os.environ[SNAKEMAKE_PID] = str(os.getpid())
SCHEMA = REPOSITORY / "workflow/schemas/config.schema.yaml"

# YAML parses the name 2024 as a number.
config["predict"] = {str(name): table for name, table in (config.get("predict") or {}).items()}

try:
    check_config(config, yaml.safe_load(SCHEMA.read_text()))
    validate(config, str(SCHEMA))  # fills in the defaults
    config["predict"], PREDICT_CONVENTIONS = predict_entries(config["predict"])
    check_files(config)
    PREDICT_FILES = {name: files_of(paths) for name, paths in config["predict"].items()}
    check_coefficients(config)
    # The DAG needs only the names of the hallmarks, which are known for dictionaries and gene sets.
    HALLMARKS = read_hallmark_names(config["inputs"]["hallmarks"])
    CHECK_SEX = False
    if config["inputs"]["annotation"]:  # which may have genes alone
        from heteroage.probes import annotates

        CHECK_SEX = annotates(config["inputs"]["annotation"], "chromosome")
except HeteroAgeError as problem:
    raise WorkflowError(str(problem))

GEO_FILES = geo_files(config["inputs"])
GEO_TABLES, GEO_SHEETS = geo_entries(config)
MODALITY_TABLES = {m: table_entries(config["inputs"], m) + (GEO_TABLES if m == "beta" else []) for m in MODALITIES}
# {number of a table made from coverage files: (its files by sample, minimum number of reads)}
MODALITY_TABLES["beta"], COVERAGE = coverage_entries(MODALITY_TABLES["beta"])
MODALITY_TABLES = {modality: tables for modality, tables in MODALITY_TABLES.items() if tables}
SAMPLE_SHEETS = table_entries(config["inputs"], "sample_sheet") + GEO_SHEETS
BUILD_DICTIONARY = are_gene_sets(config["inputs"]["hallmarks"])
DICTIONARY = "results/hallmarks/dictionary.json" if BUILD_DICTIONARY else config["inputs"]["hallmarks"]
SIMULATED = any(table["file"].startswith("results/demo/") for tables in MODALITY_TABLES.values() for table in tables)
# The feature store of all samples; and a run's training samples with their features, as `TrainingData.open` reads them.
STORE = {"features": "results/store/features.npy", "names": "results/store/feature_names.txt"}
SAMPLES = "results/store/samples.csv"
TRAINING = {"samples": "results/{run}/training/samples.csv", "pcs": "results/{run}/training/context_pcs.csv"}
DATA = TRAINING | STORE
ORTHOGONALISED = "results/full/artifacts/stage1/Stage1_Orthogonalized_Hallmark_Dict.json"
# The coefficient table of stage1.start_from, an input of the rules that read it.
PUBLISHED = {"published": config["stage1"]["start_from"]["coefficients"]} if config["stage1"]["start_from"] else {}
# Ages predicted by the published clocks of `compare:`, and a description of these clocks.
PUBLISHED_AGES = "results/audit/published_ages.csv"
PUBLISHED_CLOCKS = "results/audit/published_clocks.csv"
COMPUTE_PCS = config["inputs"]["context_pcs"] == "compute"
GIVEN_PCS = {} if COMPUTE_PCS else {"given_pcs": config["inputs"]["context_pcs"]}
ALTERED_RUNS = "random-split|shuffled-ages|planted-study"
OTHER_RUNS = rf"nested-\d+|{ALTERED_RUNS}"  # than `full`


wildcard_constraints:
    run=f"full|{OTHER_RUNS}",
    page="index|training",
    hallmark="|".join(map(re.escape, HALLMARKS)),
    name="|".join(map(re.escape, config["predict"] or ["no-table"])),
    series=r"GSE\d+(?:-GPL\d+)?",


def code_of(name):
    """Return a digest of the code of a script, as a function for params: a job computes only its own."""
    return lambda wildcards: code_digest(REPOSITORY / "scripts" / f"{name}.py")


def given_to(rule):
    """Return the states of a rule's input files outside results/, as a function for params.

    Snakemake reruns a rule for newer inputs. It misses a file that is replaced by an older one, or that changes while
    the rule runs. Files in ancient() are left out.
    """
    # Without `input` among its parameters, because Snakemake compares no params that are derived from it. The names are
    # plain text, because Snakemake pickles params.
    return lambda wildcards: state_of(
        str(Path(path)) for path in rule.expand_input(wildcards)[0] if not is_flagged(path, "ancient")
    )


def complete_rules():
    """Set what follows from the names of rules with a script: environment, log, benchmark, and the parameters `code`
    and `given`.

    Logs are logs/<run>/<rule>/<other wildcard>.log, and benchmarks accordingly. What a rule sets itself is kept, because
    another workflow may set it (`use rule ... with`). A change of the code or of the user's files reruns a rule, except
    for downloads.
    """
    for one in workflow.rules:
        if not one.script or not Path(one.snakefile).is_relative_to(REPOSITORY):  # of a workflow that uses this one
            continue
        one.conda_env = one.conda_env or "../../envs/heteroage.yaml"
        one.log_modifier = one.benchmark_modifier = workflow.modifier.path_modifier
        name, first = Path(one.script).stem, next(iter(one.output), "")
        run = "{run}" if "run" in one.wildcard_names else "full" if first.startswith("results/full/") else ""
        place = Path(run, name, *(f"{{{wildcard}}}" for wildcard in one.wildcard_names - {"run"}))
        if not one.log:
            one.set_log(f"logs/{place}.log")
        if one.output and not one.benchmark:
            one.benchmark = f"results/benchmarks/{place}.tsv"
        if one.output and name != "download_geo_series" and "code" not in one.params.keys():
            one.set_params(code=code_of(name), given=given_to(one))
            if PUBLISHED and PUBLISHED["published"] in one.input:
                one.set_params(reader=code_of("heteroage/clock/published"))


def needs(memory_per_input=1.5):
    """Return memory (MB) and run time (minutes) of a job, by the size of its input files, increasing with every attempt.
    benchmarks/whole_study.py prints the requested memory beside the used."""
    return {
        "mem_mb": lambda wildcards, input, attempt: attempt * int(2000 + memory_per_input * input.size_mb),
        "runtime": lambda wildcards, input, attempt: attempt * int(30 + input.size_mb / 50),
    }


def of_full(files):
    """Return the files of the full run: {name: path}."""
    return {name: path.replace("{run}", "full") for name, path in files.items()}


def folds_to_leave_out():
    """Return the outer folds of the nested runs; empty with too few groups."""
    return Path(checkpoints.assign_groups.get().output.folds).read_text().split()


def nested_runs():
    """Return the nested runs. There may be fewer than outer_folds, if there are fewer groups."""
    folds = folds_to_leave_out()
    if not folds:
        raise WorkflowError(
            "too few groups of studies for nested runs: without any outer fold, three must be left to train, tune "
            "and predict on. Add studies, or raise cross_validation.outer_folds if it is below their number. "
            "results/report/training.html is the report of what one training run can know."
        )
    return [f"nested-{fold}" for fold in folds]


def mapping_of_series(wildcards):
    """Return how a series' characteristics become the columns of a sample sheet, as the fields of `Mapped`."""
    own = config["geo"]["series"].get(wildcards.series, {})
    return {
        "characteristics": config["geo"]["characteristics"],
        "healthy": config["geo"]["healthy"],
        "given": {name: value for name, value in own.items() if name not in ("values", "age_unit")},
        "age_unit": own.get("age_unit"),
        "missing_values": [str(value) for value in config["inputs"]["missing_values"]],
        "allow_prenatal": config["inputs"]["allow_prenatal"],
    }


def audited(path, check, caption="audit_table"):
    """Flag an output for the section Audit of the Snakemake report."""
    return report(path, caption=f"../report/{caption}.rst", category="Audit", labels={"check": check})


def pictures(folder, **labels):
    """Flag pictures for `snakemake --report`; the name of a picture selects its caption.

    labels : name=(category, label)
    Returns {name_picture: path}.
    """
    flagged = {}
    for name, (category, label) in labels.items():
        caption, path = f"../report/{name}.rst", f"results/figures/{folder}/{name}.svg"
        flagged[f"{name}_picture"] = report(path, caption=caption, category=category, labels={"figure": label})
    return flagged


def held_out_pictures(folder):
    """Flag the pictures of held-out samples, as predicted out of fold, or by nested runs."""
    return pictures(
        folder,
        tissues=("Accuracy", f"By tissue ({folder})"),
        projects=("Accuracy", f"By project ({folder})"),
        acceleration=("Age acceleration", f"By group ({folder})"),
    )


def orthogonalised(wildcards):
    """Return the full run's orthogonalised dictionary, wrapped in ancient(): `own_features` triggers reruns instead."""
    return ancient(checkpoints.orthogonalise_hallmarks.get().output.dictionary)


def own_features(wildcards):
    """Return a digest of one hallmark's own features. When it changes, only this expert is trained again.

    A dictionary that is not there yet raises FileNotFoundError, which Snakemake takes for "to be determined".
    """
    return features_digest(json.loads(Path(ORTHOGONALISED).read_text(encoding="utf-8")).get(wildcards.hallmark, []))


def of_each_expert(pattern):
    """Expand a pattern over the hallmarks with features in the full run; only these have an expert."""

    def of_each_hallmark(wildcards):
        dictionary = checkpoints.orthogonalise_hallmarks.get().output.dictionary
        return collect(pattern, hallmark=list(json.loads(Path(dictionary).read_text(encoding="utf-8"))))

    return of_each_hallmark


def expert_models(wildcards):
    """Return the expert models of a run: files, or their folder."""
    if wildcards.run == "full":
        return of_each_expert("results/full/artifacts/stage2/hallmarks/Hallmark_{hallmark}.joblib")(wildcards)
    return [f"results/{wildcards.run}/artifacts/stage2/hallmarks"]


def hold_folder(log):
    """Stop if another run uses the folder or it has another study's results; cancel queued jobs of killed runs."""
    try:
        hold(Path(".snakemake/heteroage.lock"))
        remember_study(Path("results/study.json"), CONFIG_NAME, config["inputs"])
        left = cancel_leftover_jobs(Path.cwd(), earlier_runs(Path.cwd(), log))
        REJECTED.unlink(missing_ok=True)  # of an earlier run: this one checks again
    except HeteroAgeError as problem:
        raise WorkflowError(str(problem))
    if left:
        print(f"Cancelled {len(left)} jobs that a killed run had left in the queue.", file=sys.stderr)
