"""Every command in the documentation runs, in the page's order, or says above it why the tests do not run it.

A page's console commands stand in ```bash blocks; a ```yaml block that begins with `# name.yaml` is that file. Above a
block may stand `<!-- test: not run: why -->`, or `<!-- test: dry-run: why -->`: then Snakemake and make get -n.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from mini_study import ASSEMBLED, REPOSITORY, TABLES
from series_matrix import series_matrix, serving

from heteroage import cli
from heteroage.files import write_table

PAGES = ["README.md", "CONTRIBUTING.md", "config/README.md", "benchmarks/README.md"]
PAGES += sorted(f"docs/{path.name}" for path in (REPOSITORY / "docs").glob("*.md"))
READ_BY_MAKE = [
    "Makefile",
    "pyproject.toml",
    "benchmarks",
    *(path.name for path in REPOSITORY.glob("requirements*.lock")),
]
WALKED = {"README.md", "docs/apply.md", "docs/tutorial.md"}  # each with a test below that makes what it reads
BLOCK = re.compile(r"(?:^<!-- test: ([^\n]+) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NOT_RUN, PLANNED = "not run: ", "dry-run: "
COMMAND = re.compile(
    r"^(?: {4}|> )\s*(?:\$ )?(?:snakemake|heteroage|make|pip|python|docker|apptainer|git|cd) ", re.MULTILINE
)


def blocks(page):
    """A page's blocks of commands and files: [(mark above it, language, content), ...]."""
    found = BLOCK.findall((REPOSITORY / page).read_text(encoding="utf-8"))
    return [block for block in found if block[1] == "bash" or (block[1] == "yaml" and file_name(block[2]))]


def file_name(content):
    """The file that a block is, by its first line: `# my-study.yaml`."""
    found = re.match(r"# (\S+\.yaml)\b", content)
    return found and found[1]


def commands(content):
    """A block's commands without comments, one a line."""
    lines = content.replace("\\\n", " ").splitlines()
    return [shlex.join(words) for line in lines if (words := shlex.split(line, comments=True))]


@pytest.mark.parametrize("page", PAGES)
def test_commands_stand_in_blocks_that_are_run_or_say_why_not(page):
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    assert COMMAND.findall(re.sub(BLOCK, "", text)) == [], f"{page}: commands belong into ```bash blocks"
    for mark, language, content in blocks(page):
        if language == "bash":
            assert commands(content), f"{page}: an empty block"
            assert not mark or re.match(rf"(?:{NOT_RUN}|{PLANNED})\w.{{10}}", mark), (
                f"{page}: what is the mark {mark!r}?"
            )


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_links_to_is_there(page):
    here = REPOSITORY / page
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", here.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (here.parent / link).exists()] == []


def test_commands_within_sentences_name_what_there_is(capsys):
    """`make X`, `snakemake X` and `heteroage X`: a target, a rule, a subcommand."""
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    help_text = capsys.readouterr().out
    text = "".join((REPOSITORY / page).read_text(encoding="utf-8") for page in PAGES)
    files = [REPOSITORY / "Snakefile", *REPOSITORY.glob("workflow/rules/*.smk")]
    rules = "".join(path.read_text(encoding="utf-8") for path in files)
    there = {
        "make": re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE),
        "snakemake": re.findall(r"^(?:rule|checkpoint) (\w+):", rules, re.MULTILINE),
        "heteroage": re.findall(r"^    ([\w-]+)", help_text, re.MULTILINE),
    }
    named = re.findall(r"`(make|snakemake|heteroage) ([a-z][\w-]*)", text)
    assert len(named) > 10
    assert [f"{program} {name}" for program, name in named if name not in there[program]] == []


def run(page, folder, config=None):
    """Run a page's commands in a copy of the repository, `config` merged into the files that the page has one write."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "scripts")}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    for mark, language, content in blocks(page):
        if language == "yaml":
            written = yaml.safe_load(content)
            for section, values in (config or {}).items():
                written[section] = {**written.get(section, {}), **values}
            (folder / file_name(content)).write_text(yaml.safe_dump(written, sort_keys=False), encoding="utf-8")
            continue
        for command in [] if mark.startswith(NOT_RUN) else commands(content):
            if mark.startswith(PLANNED):
                command = re.sub(r"^(snakemake|make) ", r"\1 -n ", command)
            done = subprocess.run(
                ["bash", "-c", command], cwd=folder, env=environment, text=True, capture_output=True, check=False
            )
            assert done.returncode == 0, f"{page}: {command}\n{done.stdout}\n{done.stderr}"


# What the tutorial's series call their characteristics, and the values that stand there for healthy and not.
SERIES = {
    "GSE40279": ("age (y)", None),
    "GSE41169": ("age", ("diseasestatus (1=control, 2=scz patient)", "1", "2")),
    "GSE42861": ("age", ("subject", "Normal", "Patient")),
    "GSE73103": ("age", None),
}


@pytest.fixture
def checkout(repository, tmp_path):
    """The repository as a reader has it, but for its gene sets: two hallmarks, so two experts, are enough here.

    Its code is the session's by links, and so is what Numba compiled of it.
    """
    folder = tmp_path / "checkout"
    folder.mkdir()
    for path in [*repository.iterdir(), *(REPOSITORY / name for name in READ_BY_MAKE)]:
        (folder / path.name).symlink_to(path)
    (folder / "resources").unlink()
    shutil.copytree(repository / "resources", folder / "resources")
    genes = folder / "resources/hallmark_genes.tsv"
    table = pd.read_csv(genes, sep="\t", comment="#")
    table[table["hallmark"].isin(table["hallmark"].unique()[:2])].to_csv(genes, sep="\t", index=False)
    (folder / "data").mkdir()
    return folder


def cpgs_of(table):
    return [column for column in table if column.startswith("cg")]


def annotate(checkout, cpgs, name):
    """Write a probe annotation that puts CpGs on the hallmarks' genes, in turn."""
    genes = pd.read_csv(checkout / "resources/hallmark_genes.tsv", sep="\t")["gene"].unique()
    pd.DataFrame({"Name": cpgs, "UCSC_RefGene_Name": np.resize(genes, len(cpgs))}).to_csv(checkout / name, index=False)


def test_the_readme(checkout, inputs, clock):
    """Its example is a lab's: CpGs in rows, a table per cohort, a sample sheet with names of its own."""
    table = inputs.table(TABLES["beta"])
    cpgs = cpgs_of(table)
    for name, rows in zip("abc", np.array_split(np.arange(len(table)), 3), strict=True):
        betas = table.iloc[rows].set_index("sample_id")[cpgs].T
        betas.rename_axis("ID").to_csv(checkout / f"data/cohort_{name}.csv")
    sheet = table.drop(columns=cpgs).rename(columns={"sample_id": "Sentrix_ID", "project_id": "Cohort"})
    sheet.to_csv(checkout / "data/samples.csv", index=False)
    annotate(checkout, cpgs, "data/manifest.csv")
    write_table(clock.master, checkout / "data/new_patients.parquet")
    shutil.copytree(clock.folder, checkout / ASSEMBLED)
    run("README.md", checkout)
    assert len(pd.read_csv(checkout / "ages.csv")) == len(clock.master)


def test_applying(checkout, clock):
    shutil.copytree(clock.folder, checkout / ASSEMBLED)
    write_table(clock.master, checkout / "master.parquet")
    probes = sorted({name.rpartition("_")[0] for name in cpgs_of(clock.master)})
    (checkout / "EPICv2_manifest.csv").write_text("\n".join(["Name", *probes, ""]))
    run("docs/apply.md", checkout)


def runs(page):
    return any(language == "bash" and not mark.startswith(NOT_RUN) for mark, language, _ in blocks(page))


@pytest.mark.parametrize("page", [page for page in PAGES if page not in WALKED and runs(page)])
def test_other_pages(checkout, page):
    run(page, checkout)


def test_the_tutorial(checkout, inputs):
    """GEO is a local server here, and its series are the mini study's samples, two projects in each."""
    table = inputs.table(TABLES["beta"])
    annotate(checkout, cpgs_of(table), "data/HumanMethylation450_15017482_v1-2.csv")
    projects = np.array_split(table["project_id"].unique(), len(SERIES))
    with serving() as server:
        for k, (series, (age, status)) in enumerate(SERIES.items()):
            rows = table[table["project_id"].isin(projects[k])]
            betas = rows[cpgs_of(table)].T.set_axis([f"GSM{1000 * (k + 1) + n}" for n in range(len(rows))], axis=1)
            told = [[f"{age}: {years:.0f}" for years in rows["Age"]]]
            told.append([f"gender: {sex}" for sex in rows["Sex"].map({"F": "Female", "M": "Male"})])
            if status:
                name, healthy, not_healthy = status
                told.append([f"{name}: {healthy if well else not_healthy}" for well in rows["Is_Healthy"]])
            path = f"/{series[:-3]}nnn/{series}/matrix/{series}_series_matrix.txt.gz"
            server.files[path] = series_matrix(betas, told, series=series)
        run("docs/tutorial.md", checkout, {"geo": {"base_url": server.url}})
    samples = pd.read_csv(checkout / "results/store/samples.csv")
    assert samples.groupby("project_id")["group"].nunique().to_dict() == dict.fromkeys(SERIES, 1)
    healthy = samples.groupby("project_id")["Is_Healthy"].mean()
    assert (healthy == 1).to_dict() == {series: status is None for series, (_, status) in SERIES.items()}
    assert "healthy samples of 4 projects" in (checkout / "results/summary.txt").read_text()
    assert (pd.read_csv(checkout / "ages.csv")["sample_id"].str[:4] == "GSM2").all()
