"""The tour in docs/architecture.md is true: it names every module, and none imports from a layer above its own."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "scripts/heteroage"


def layers():
    """The modules of each row of the table, from the top down, as `stages.stage1`."""
    section = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").split("## The package")[1].split("\n## ")[0]
    rows = [[re.findall(r"`([\w/]+)`", cell) for cell in line.split("|")] for line in section.splitlines()]
    return [
        [".".join([*(name.rstrip("/") for name in folder), module]) for module in modules]
        for *_, folder, modules, _ in (row for row in rows if len(row) == 5 and row[3])
    ]


def module_of(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def modules():
    """Every module's name and file; what says only what a folder is for is none."""
    return {module_of(path): path for path in PACKAGE.rglob("*.py") if path.stem != "__init__"}


def imported(path):
    """Modules of the package that a module uses when it runs, not for its types alone."""
    waiting, names = [ast.parse(path.read_text(encoding="utf-8"))], set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "heteroage":
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        waiting += ast.iter_child_nodes(node)
    return {name.removeprefix("heteroage.") for name in names}


def test_every_module_has_its_place():
    assert sorted(name for layer in layers() for name in layer) == sorted(modules())


def test_no_module_imports_from_above():
    place = {name: row for row, layer in enumerate(layers()) for name in layer}
    upwards = {
        f"{name} -> {other}"
        for name, path in modules().items()
        for other in imported(path) & set(place)
        if place[other] < place[name]
    }
    assert upwards == set()


PLACES = ["", "scripts", "scripts/heteroage", "workflow/rules", "workflow/report", "tests/workflow"]


def named(pattern):
    """What the page sets in backticks, outside its picture, that has the given form."""
    text = re.sub(r"```.*?```", "", (ROOT / "docs/architecture.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    return {name for name in re.findall(r"`([^`\n]+)`", text) if re.fullmatch(pattern, name)}


def test_every_file_that_it_names_is_there():
    files = named(r"[\w./-]+(?:\.(?:py|smk|md|yaml|toml|tsv|j2)|/)") | named(r"tests/\w+")
    assert len(files) > 30
    assert sorted(name for name in files if not any((ROOT / place / name).exists() for place in PLACES)) == []


def test_every_function_and_constant_that_it_names_is_there():
    code = [path.read_text(encoding="utf-8") for path in [*PACKAGE.rglob("*.py"), *ROOT.glob("workflow/rules/*.smk")]]
    defined = set(re.findall(r"^(?:def|class|rule) (\w+)|^([A-Z]\w*) = ", "\n".join(code), re.MULTILINE))
    defined = {name for names in defined for name in names}
    named_modules = {name.split(".")[-1] for layer in layers() for name in layer}
    names = {
        name.split("(")[0].split("=")[-1].split(".")[-1] for name in named(r'\w+\("\w+"\)|\w+=\w+\(.*|\w+\.\w+|\w+')
    }
    endings = {"py", "smk", "md", "yaml", "toml", "tsv", "j2"}
    snakemake = {"params", "ruleorder", "main", "full"}
    assert {"complete_rules", "atomic_path", "own_features", "ARTIFACTS", "reporting"} <= names
    assert sorted(names - defined - named_modules - endings - snakemake) == []


def test_no_modules_import_each_other_in_a_circle():
    """Importing a module never leads back to it, not even within a row of the table."""
    uses = {name: imported(path) & set(modules()) for name, path in modules().items()}
    finished, circles = set(), []

    def follow(name, way):
        if name in way:
            circles.append(" -> ".join([*way[way.index(name) :], name]))
        elif name not in finished:
            for other in sorted(uses[name]):
                follow(other, [*way, name])
            finished.add(name)

    for name in sorted(uses):
        follow(name, [])
    assert circles == []


def test_the_map_finds_five_behaviours():
    """CONTRIBUTING.md says where five behaviours are: each file is there, and has the function or element named."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [^|]+ \| (`[\w/.]+`(?:, `[\w/.]+`)*) \| (`[\w.]+`(?:, `[\w.]+`)*) \|$", text, re.MULTILINE)
    assert len(rows) == 5
    for paths, names in rows:
        for path, name in zip(re.findall(r"[\w/.]+", paths), re.findall(r"\w+(?=`)", names), strict=True):
            text = (ROOT / path).read_text(encoding="utf-8")
            assert re.search(rf"^ *(?:def|class) {name}\b|^<p class=\"{name}\">", text, re.MULTILINE), path


def test_files_and_functions_are_short():
    """The limits of CONTRIBUTING.md."""
    long = []
    for path in (ROOT / "scripts").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        functions = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef))
        long += [path.name] * (len(text.splitlines()) > 300)
        long += [f"{path.name} {node.name}" for node in functions if node.end_lineno - node.lineno >= 60]
    assert not long
