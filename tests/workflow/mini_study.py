"""A small simulated study that the workflow runs on, end to end, in well under a minute."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from heteroage import demo
from heteroage.files import read_json, read_table, write_json, write_table
from heteroage.stages.hallmarks import assign_features
from heteroage.stages.training_data import TrainingData

REPOSITORY = Path(__file__).parents[2]
ARTIFACTS = "results/full/artifacts"
ASSEMBLED = "results/full_artifacts"
TRAINING = "results/full/training"
ORTHOGONAL = f"{ARTIFACTS}/stage1/Stage1_Orthogonalized_Hallmark_Dict.json"
FUSED = f"{ARTIFACTS}/stage3/Stage3_Final_Predictions_OOF.csv"

# The demo's cohorts, fewer and smaller, with CpGs that drift so clearly that few samples show it. Labels look like
# numbers and truth values: each must reach every table and page as the text that it is.
SETTINGS = yaml.safe_load((REPOSITORY / "resources/demo/settings.yaml").read_text(encoding="utf-8")) | {
    "projects": 10,
    "samples_per_project": 20,
    "tissues": ["1", "2", "007"],
    "cpgs": 240,
    "cpgs_per_modality": 160,
    "hallmarks": ["Genomic_Instability", "Mitochondrial_Dysfunction", "True"],
    "cpgs_per_hallmark": 40,
    "shared_by_hallmarks": 8,
    "drift": {"clear_cpgs": 40, "clear": 0.5, "faint_cpgs": 0, "faint": 0.0},
    "hallmark_drift": 0.2,
    "tissue_pace": {},
    "unhealthy_share": 0.1,
    "repeated_donors": 6,
    "n_pcs": 3,
}
PROJECTS = ["1", "2", "3", "001", "1.5", "1e3", "-4", "+5", "010", "7."]
ABSENT = "Absent_From_The_Data"  # a hallmark that tests add

# Women are labelled this much older than their CpGs say: only the fusion, which sees Sex, can learn it. So its
# trees are not empty, and what a test says of them is not said of nothing.
YEARS_SEEN_BY_SEX = 16.0
TABLES = {"beta": "data/beta.parquet", "chalm": "data/chalm.parquet", "camda": "data/camda.csv"}
CONFIG = {
    "inputs": {**TABLES, "hallmarks": "data/hallmarks.json", "context_pcs": "data/context_pcs.csv"},
    "predict": {"held_back": "data/held_back.parquet"},
    "cross_validation": {"folds": 4},
    "context": {"n_pcs": 3, "n_cpgs": 100},
    "stage1": {
        "balancing": [{"min_cohorts": 1, "min_cap": 10, "max_cap": 500, "median_mult": 0.8}],
        "alpha": {"highest": 0.3, "lowest": 0.02, "steps": 5},
        "l1_ratio": [0.5, 0.9],
    },
    "stage2": {"alpha": {"highest": 2.0, "lowest": 0.2, "steps": 3}, "l1_ratio": [0.5]},
    "stage3": {
        "max_rounds": 20,
        "lightgbm": {"learning_rate": 0.3, "num_leaves": 2, "min_data_in_leaf": 30, "min_data_per_group": 10},
    },
}


@dataclass(frozen=True)
class Plan:
    """Jobs of a dry run, by rule, and the hallmarks whose experts it would train."""

    jobs: dict[str, int]
    experts: set[str]


@dataclass(frozen=True)
class Study:
    """A study's folder (config.yaml, data/, and what runs have made in it) and the workflow to run on it."""

    folder: Path
    repository: Path

    def path(self, name: str) -> Path:
        return self.folder / name

    def snakemake(self, *arguments: str, cores: int = 2) -> subprocess.CompletedProcess[str]:
        """Run the workflow; what it prints is all in `stdout`."""
        command = [sys.executable, "-m", "snakemake", "-s", str(self.repository / "Snakefile")]
        command += ["--configfile", "config.yaml", "--cores", str(cores), *arguments]
        return call(command, self.folder, self.repository)

    def run(self, *targets: str, cores: int = 2) -> str:
        """Run the workflow to its end and return what it printed."""
        done = self.snakemake(*targets, cores=cores)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def plan(self, *targets: str) -> Plan:
        """What a dry run would do."""
        output = self.run("-n", *targets)
        return Plan(job_counts(output), experts_trained(output))

    def table(self, name: str) -> pd.DataFrame:
        return read_table(self.path(name))

    def json(self, name: str) -> object:
        return read_json(self.path(name))

    @property
    def config(self) -> dict:
        return yaml.safe_load(self.path("config.yaml").read_text(encoding="utf-8"))

    def configure(self, **changes: object) -> Study:
        """Change the config file: `stage1__alpha__steps=4` sets stage1.alpha.steps; None removes the key."""
        config = self.config
        for keys, value in changes.items():
            *parents, last = keys.split("__")
            place = config
            for key in parents:
                place = place.setdefault(key, {})
            if value is None:
                del place[last]
            else:
                place[last] = value
        self.path("config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        return self

    def edit_table(self, name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Study:
        """Write an input table anew, changed."""
        write_table(change(self.table(name)), self.path(name))
        return self

    def edit_tables(self, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Study:
        """Change every modality's table in the same way."""
        for name in TABLES.values():
            self.edit_table(name, change)
        return self

    @property
    def hallmarks(self) -> dict[str, list[str]]:
        return self.json("data/hallmarks.json")

    def write_hallmarks(self, dictionary: dict[str, list[str]]) -> Study:
        write_json(dictionary, self.path("data/hallmarks.json"))
        return self

    def orthogonalised(self, dictionary: dict[str, list[str]]) -> dict[str, list[str]]:
        """What a dictionary becomes on this study's features."""
        return assign_features(dictionary, self.training_data())[0]

    def training_data(self, run: str = "full") -> TrainingData:
        """A run's training samples, as its stages see them."""
        files = {"features": "store/features.npy", "names": "store/feature_names.txt"}
        files |= {"samples": f"{run}/training/samples.csv", "pcs": f"{run}/training/context_pcs.csv"}
        return TrainingData.open({name: self.path(f"results/{file}") for name, file in files.items()})

    @property
    def feature_names(self) -> list[str]:
        """The study's CpG features, by its tables."""
        columns = [(modality, self.table(name).columns) for modality, name in TABLES.items()]
        return [
            f"{column.removesuffix(f'_{m}')}_{m}" for m, names in columns for column in names if column.startswith("cg")
        ]

    def training_frame(self) -> pd.DataFrame:
        """The full run's training samples x features, as the models saw them."""
        data = self.training_data()
        return pd.DataFrame(data.values(data.feature_names).T.astype(np.float64), columns=data.feature_names)

    def digests(self, *folders: str) -> dict[str, str]:
        """SHA-256 of every file below the folders."""
        files = [path for folder in folders for path in self.path(folder).rglob("*") if path.is_file()]
        return {str(f.relative_to(self.folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(files)}

    def copy(self, folder: Path) -> Study:
        """The whole study with its results, modification times and Snakemake's records."""
        return Study(Path(shutil.copytree(self.folder, folder)), self.repository)

    def inputs_alone(self, folder: Path) -> Study:
        """The study before any run."""
        folder.mkdir()
        shutil.copy2(self.path("config.yaml"), folder)
        shutil.copytree(self.path("data"), folder / "data")
        return Study(folder, self.repository)


def make_study(folder: Path, repository: Path) -> Study:
    """Simulate a study's inputs. Two columns are there to be left out: `bmi` and `plate_beta`."""
    dictionary = demo.simulate_dictionary(SETTINGS)
    simulated = demo.simulate(SETTINGS, dictionary)
    (folder / "data").mkdir(parents=True)
    named = {f"study_{k:02d}": name for k, name in enumerate(PROJECTS, start=1)}
    tables = {m: t.assign(project_id=t["project_id"].map(named)) for m, t in simulated.tables.items()}
    tables["chalm"] = tables["chalm"].assign(bmi=np.linspace(18, 35, len(tables["chalm"])), plate_beta=1.0)
    # camda comes as CSV and with the suffix in its column names, the others as Parquet with bare ones.
    tables["camda"] = tables["camda"].rename(columns=lambda c: f"{c}_camda" if c.startswith("cg") else c)
    for modality, table in tables.items():
        write_table(_aged_by_sex(table), folder / TABLES[modality])
    write_table(simulated.context_pcs, folder / CONFIG["inputs"]["context_pcs"])
    write_table(_aged_by_sex(simulated.new_samples), folder / CONFIG["predict"]["held_back"])
    write_json(dictionary, folder / CONFIG["inputs"]["hallmarks"])
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG, sort_keys=False), encoding="utf-8")
    return Study(folder, repository)


def edit_dictionary(study: Study) -> Study:
    """Take a CpG out of one hallmark, and add a hallmark none of whose CpGs is in the data."""
    dictionary = study.hallmarks
    claims = [cpg for cpgs in dictionary.values() for cpg in cpgs]
    placed = {name.rpartition("_")[0] for name in study.feature_names}
    own = next(cpg for cpg in dictionary["Genomic_Instability"] if claims.count(cpg) == 1 and cpg in placed)
    dictionary["Genomic_Instability"].remove(own)
    return study.write_hallmarks(dictionary | {ABSENT: ["cg99999998", "cg99999999"]})


def permute(study: Study) -> Study:
    """Put out of order what must not matter: rows and columns, the config's and the dictionary's keys, CpGs."""
    rng = np.random.default_rng(1)

    def shuffle(table: pd.DataFrame) -> pd.DataFrame:
        return table.iloc[rng.permutation(len(table)), rng.permutation(table.shape[1])]

    study.edit_tables(shuffle).edit_table("data/context_pcs.csv", shuffle)
    # The rows of a table to predict keep their order: its predictions come in it.
    study.edit_table("data/held_back.parquet", lambda table: table[table.columns[::-1]])
    study.write_hallmarks({hallmark: cpgs[::-1] for hallmark, cpgs in reversed(study.hallmarks.items())})
    return study.configure(inputs=dict(reversed(study.config["inputs"].items())))


def _aged_by_sex(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(Age=(table["Age"] + YEARS_SEEN_BY_SEX * (table["Sex"] == "F")).round(1))


def copy_repository(folder: Path) -> Path:
    """What a run needs of the repository: tests may edit it, and edits made meanwhile reach no test."""
    folder.mkdir()
    shutil.copy2(REPOSITORY / "Snakefile", folder)
    for name in ("config", "envs", "profiles", "resources", "scripts", "workflow"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    return folder


def call(command: Sequence[str], folder: Path, repository: Path) -> subprocess.CompletedProcess[str]:
    """Run a command that imports the package of `repository`, even where another copy is installed."""
    environment = {**os.environ, "PYTHONPATH": str(repository / "scripts")}
    return subprocess.run(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )


def experts_trained(output: str) -> set[str]:
    """Parse whose experts a run has trained, or would train."""
    return set(re.findall(r"Training the expert of (\S+) \(full run\)", output))


def job_counts(output: str) -> dict[str, int]:
    """Parse Snakemake's first table of jobs; {} if there is nothing to be done."""
    if "Job stats:" not in output:
        assert "Nothing to be done" in output, output
        return {}
    block = output.split("Job stats:", 1)[1].split("total", 1)[0]
    counts = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", block, re.MULTILINE)}
    return {rule: count for rule, count in counts.items() if rule != "all"}
