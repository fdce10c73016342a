"""Config, schema, environments and the layout of rules do not drift apart."""

import importlib.util
import inspect
import re
import tomllib
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from mini_study import REPOSITORY
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from heteroage.workflow import SCRIPTS, code_digest, load_workflow

SCHEMA = yaml.safe_load((REPOSITORY / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
CONFIG = yaml.safe_load((REPOSITORY / "config/config.yaml").read_text(encoding="utf-8"))
CONDA_NAMES = {"snakemake-minimal": "snakemake", "matplotlib-base": "matplotlib", "python-isal": "isal"}
RULE = re.compile(r"^ *(?:rule|checkpoint) (\w+):\n(.*?)(?=^ *(?:rule|checkpoint) |\Z)", re.MULTILINE | re.DOTALL)
RULES = {
    rule: body
    for path in sorted((REPOSITORY / "workflow/rules").glob("*.smk"))
    for rule, body in RULE.findall(path.read_text(encoding="utf-8"))
    if re.search(r"^ +(?:log|output|script):", body, re.MULTILINE)  # all but targets, which only name what to make
}


def resolved(node):
    """A key's schema, with what it refers to."""
    if "$ref" in node:
        return SCHEMA["$defs"][node["$ref"].rpartition("/")[2]] | {k: v for k, v in node.items() if k != "$ref"}
    return node


def keys_of(node, path=()):
    """Every key below a schema's node, as (path, schema)."""
    node = resolved(node)
    for name, child in node.get("properties", {}).items():
        yield (*path, name), resolved(child)
        yield from keys_of(child, (*path, name))
    if "items" in node:
        yield from keys_of(node["items"], (*path, "[]"))


def defaults_of(node):
    """What a section becomes when it is left out."""
    node = resolved(node)
    if "properties" in node and node.get("default", {}) == {}:
        return {name: defaults_of(child) for name, child in node["properties"].items()}
    return node["default"]


def pinned():
    """{package: version} of requirements.lock, on Python 3.11 for Linux."""
    text = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
    lines = [line.removesuffix("\\").strip() for line in text.splitlines() if re.match(r"[A-Za-z0-9]", line)]
    requirements = [Requirement(line) for line in lines]
    here = {"python_full_version": "3.11.9", "python_version": "3.11", "sys_platform": "linux", "os_name": "posix"}
    here |= {"platform_system": "Linux", "platform_machine": "x86_64"}
    return {
        r.name: str(r.specifier).removeprefix("==") for r in requirements if r.marker is None or r.marker.evaluate(here)
    }


def installed_requirements(package):
    """What an installed package needs, without its extras."""
    requirements = [Requirement(entry) for entry in metadata.requires(package) or []]
    return {canonicalize_name(r.name) for r in requirements if r.marker is None or r.marker.evaluate({"extra": ""})}


def project_requirements(*extras):
    """The packages that pyproject.toml names for applying a clock, and for extras."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = [project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    return {Requirement(entry).name for entries in lists for entry in entries}


def conda():
    """{package: version} of envs/heteroage.yaml, by the names they have in PyPI."""
    environment = yaml.safe_load((REPOSITORY / "envs/heteroage.yaml").read_text(encoding="utf-8"))
    pairs = [re.split(r"\s*=+\s*", entry, maxsplit=1) for entry in environment["dependencies"]]
    return {CONDA_NAMES.get(name, name): version for name, version in pairs}


@pytest.mark.parametrize("section", sorted(set(SCHEMA["properties"]) - {"inputs", "predict"}))
def test_the_shipped_config_shows_the_schemas_defaults(section):
    assert CONFIG[section] == defaults_of(SCHEMA["properties"][section])


def test_the_shipped_config_shows_every_key():
    assert set(CONFIG) == set(SCHEMA["properties"])
    assert set(CONFIG["inputs"]) == set(SCHEMA["properties"]["inputs"]["properties"])


def test_every_key_is_described():
    keys = list(keys_of(SCHEMA))
    assert [".".join(path) for path, node in keys if not node.get("description")] == []
    assert len(keys) > 40


def test_every_optional_key_has_a_default():
    required = {("inputs",), ("inputs", "hallmarks")}
    leaves = [path for path, node in keys_of(SCHEMA) if "default" not in node and path not in required]
    # Parts of a grid or of a way of balancing come all together or not at all.
    assert [path for path in leaves if "[]" not in path and path[-2:-1] != ("alpha",)] == []


def test_no_unknown_key_gets_through():
    nodes = [SCHEMA, *(node for _, node in keys_of(SCHEMA))]
    sections = [node for node in nodes if "properties" in node]
    assert [node["description"] for node in sections if node.get("additionalProperties") is not False] == []


def test_conda_and_pip_install_the_same_versions():
    lock, environment = pinned(), conda()
    assert environment.pop("python") == "3.11"
    assert {name: version for name, version in environment.items() if lock.get(name) != version} == {}


def test_the_lock_holds_all_that_its_packages_need():
    waiting, seen = {canonicalize_name(name) for name in project_requirements("train")}, set()
    while waiting:
        package = waiting.pop()
        seen.add(package)
        waiting |= installed_requirements(package) - seen
    assert seen >= {"numpy", "snakemake", "pulp"}  # the last is needed by Snakemake alone
    assert seen - set(pinned()) == set()


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_every_locked_package_has_a_version_and_hashes(lock):
    text = (REPOSITORY / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(lines) > 40
    assert [line for line in lines if not re.match(r"[\w.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)] == []


@pytest.mark.parametrize("recipe", ["Dockerfile", "apptainer.def"])
def test_containers_install_the_lock_on_condas_python(recipe):
    text = (REPOSITORY / recipe).read_text(encoding="utf-8")
    assert f"python:{conda()['python']}-slim" in text
    makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    for options in ("--require-hashes -r requirements.lock", "--no-deps --no-build-isolation --editable ."):
        assert re.search(rf"pip install [^\n]*{re.escape(options)}$", text, re.MULTILINE)
        assert re.search(rf"pip install [^\n]*{re.escape(options)}$", makefile, re.MULTILINE)


def test_the_citation_is_of_this_version_and_licence():
    """Required by the format (Citation File Format 1.2.0): its version, a message, a title, authors."""
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["cff-version"] == "1.2.0"
    assert all(citation[key] for key in ("message", "title", "authors"))
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert f"## [{project['version']}]" in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
    assert (REPOSITORY / "LICENSE").read_text(encoding="utf-8").startswith(f"{project['license']} License")


# What a run needs, and what installing the package does.
NEEDED = {"Snakefile", "config", "envs", "profiles", "resources", "scripts", "workflow"}
NEEDED |= {"pyproject.toml", "README.md", "LICENSE", "requirements.lock"}


def test_the_apptainer_image_holds_what_a_run_needs():
    text = (REPOSITORY / "apptainer.def").read_text(encoding="utf-8")
    assert set(re.findall(r"^ +(\S+) /opt/heteroage-clock/$", text, re.MULTILINE)) == NEEDED
    assert [name for name in NEEDED if not (REPOSITORY / name).exists()] == []


def test_the_docker_image_holds_what_a_run_needs():
    ignored = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert [name for name in NEEDED for pattern in ignored if fnmatch(name, pattern)] == []
    copied = re.findall(r"^COPY (\S+) \.$", (REPOSITORY / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    assert copied == ["requirements.lock", "."]


def test_conda_installs_every_dependency():
    assert project_requirements("train") == set(conda()) - {"python"}


def test_every_script_is_a_rule():
    assert {path.stem for path in (REPOSITORY / "scripts").glob("*.py")} == set(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_has_a_script_of_its_name(rule):
    assert re.search(rf'script:\s+"\.\./\.\./scripts/{rule}\.py"', RULES[rule])


def test_every_rule_has_its_environment_and_a_log_a_benchmark_and_the_digest_of_its_code(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    with load_workflow([]) as workflow:
        logs = {}
        for rule in (rule for rule in workflow.rules if rule.script):
            logs[rule.name] = re.sub(r",[^}]*", "", rule.log[0])  # without the constraints of wildcards
            of_its_name = rf"(?:.+/)?{rule.name}(?:/.+)?"
            assert re.fullmatch(rf"logs/{of_its_name}\.log", rule.log[0])
            assert rule.conda_env == "../../envs/heteroage.yaml", rule.name
            if rule.output:  # others only look
                assert re.fullmatch(rf"results/benchmarks/{of_its_name}\.tsv", rule.benchmark)
            # Nothing is downloaded again.
            code = dict(rule.params.items()).get("code", lambda wildcards: None)(None)
            watched = rule.output and rule.name != "download_geo_series"
            assert code == (code_digest(SCRIPTS / f"{rule.name}.py") if watched else None)
    assert logs["train_stage3"] == "logs/{run}/train_stage3.log"
    assert logs["collect_experts"] == "logs/full/collect_experts.log"
    assert logs["predict_samples"] == "logs/predict_samples/{name}.log"
    assert logs["falsify"] == "logs/falsify.log"


def test_rules_that_read_the_published_clock_to_start_from_depend_on_its_reader(new_study, monkeypatch):
    new_study.path("data/published.csv").write_text("cpg,coefficient\ncg00000001,1\n", encoding="utf-8")
    new_study.configure(stage1__start_from={"coefficients": "data/published.csv"})
    monkeypatch.chdir(new_study.folder)
    with load_workflow([Path("config.yaml")]) as workflow:
        readers = {rule.name: rule.params.reader(None) for rule in workflow.rules if hasattr(rule.params, "reader")}
    assert set(readers) == {"train_stage1", "alter_fold", "assemble_artifacts", "assemble_nested_run"}
    assert set(readers.values()) == {code_digest(SCRIPTS / "heteroage/clock/published.py")}


def test_every_rule_has_what_its_script_names(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    with load_workflow([]) as workflow:
        for rule in (rule for rule in workflow.rules if rule.script):
            spec = importlib.util.spec_from_file_location(rule.name, REPOSITORY / f"scripts/{rule.name}.py")
            script = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(script)
            given = [*rule.input.keys(), *rule.output.keys(), *rule.params.keys(), *rule.wildcard_names]
            for name, parameter in inspect.signature(script.main).parameters.items():
                optional = parameter.default is not parameter.empty or name in {"inputs", "outputs", "threads"}
                assert given.count(name) in ([0, 1] if optional else [1]), f"{rule.name}: {name}"


def test_a_rule_file_opens_with_its_input_and_output():
    for path in (REPOSITORY / "workflow/rules").glob("*.smk"):
        docstring = path.read_text(encoding="utf-8").split('"""')[1]
        assert "Input: " in docstring, path.name
        assert "Output: " in docstring, path.name
