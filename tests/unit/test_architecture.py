"""The tour in docs/architecture.md is true: it names every module, and none imports from a layer above its own."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "scripts/heteroage"


def layers():
    """The modules of each row of the table, from the top down."""
    section = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").split("## The package")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|") and "`" in line]
    return [[name.rstrip("/") for name in re.findall(r"`([\w/]+)`", row)] for row in rows]


def module_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path):
    """Modules of the package that a module uses when it runs, not for its types alone."""
    waiting, names = [ast.parse(path.read_text(encoding="utf-8"))], set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and node.module == "heteroage":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("heteroage."):
            names.add(node.module.split(".")[1])
        waiting += ast.iter_child_nodes(node)
    return names


def test_every_module_has_its_place():
    named = [name for layer in layers() for name in layer]
    there = {module_of(path) for path in PACKAGE.rglob("*.py")} - {"__init__"}
    assert sorted(named) == sorted(there)


def test_no_module_imports_from_above():
    place = {name: row for row, layer in enumerate(layers()) for name in layer}
    upwards = {
        f"{module_of(path)} -> {name}"
        for path in PACKAGE.rglob("*.py")
        if path.stem != "__init__" or path.parent != PACKAGE
        for name in imported(path) & set(place)
        if place[name] < place[module_of(path)]
    }
    assert upwards == set()


PLACES = ["", "scripts", "scripts/heteroage", "workflow/rules", "workflow/report", "tests/workflow"]


def named(pattern):
    """What the page sets in backticks, outside its picture, that has the given form."""
    text = re.sub(r"```.*?```", "", (ROOT / "docs/architecture.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    return {name for name in re.findall(r"`([^`\n]+)`", text) if re.fullmatch(pattern, name)}


def test_every_file_that_it_names_is_there():
    files = named(r"[\w./-]+(?:\.(?:py|smk|md|yaml|toml|tsv|j2)|/)") | named(r"tests/\w+")
    files -= {f"{name}/" for layer in layers() for name in layer}
    assert len(files) > 30
    assert sorted(name for name in files if not any((ROOT / place / name).exists() for place in PLACES)) == []


def test_every_function_and_constant_that_it_names_is_there():
    code = [path.read_text(encoding="utf-8") for path in [*PACKAGE.rglob("*.py"), *ROOT.glob("workflow/rules/*.smk")]]
    defined = set(re.findall(r"^(?:def|class|rule) (\w+)|^([A-Z]\w*) = ", "\n".join(code), re.MULTILINE))
    defined = {name for names in defined for name in names}
    modules = {name for layer in layers() for name in layer}
    names = {
        name.split("(")[0].split("=")[-1].split(".")[-1] for name in named(r'\w+\("\w+"\)|\w+=\w+\(.*|\w+\.\w+|\w+')
    }
    endings = {"py", "smk", "md", "yaml", "toml", "tsv", "j2"}
    snakemake = {"params", "ruleorder", "main", "full"}
    assert {"code_of", "atomic_path", "own_features", "ARTIFACTS", "reporting"} <= names
    assert sorted(names - defined - modules - endings - snakemake) == []
