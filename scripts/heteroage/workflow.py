"""Interface to Snakemake: digests of the code of scripts, and the execution of scripts, also without Snakemake."""

from __future__ import annotations

import ast
import asyncio
import gc
import hashlib
import inspect
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, TypeVar

from heteroage import SNAKEMAKE_PID
from heteroage.errors import HeteroAgeError, listed
from heteroage.study import end_with, record, state_of, verify_unchanged

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

Item, Result = TypeVar("Item"), TypeVar("Result")
SCRIPTS = Path(__file__).parent.parent
SNAKEFILE = SCRIPTS.parent / "Snakefile"
# Packages whose results may change with their version, by import name.
LIBRARIES = {"numpy": "numpy", "sklearn": "scikit-learn", "lightgbm": "lightgbm", "numba": "numba"}
SAY = {"debug", "info", "warning", "error", "exception", "critical", "print", "warn"}  # functions that take messages


# Rules that check tables before training, and the file in which they say that one was rejected. A file that training
# depended on would repeat the training when it changes, and ancient() would hide what else has changed from Snakemake.
CHECKS = ("check_predicted_tables", "predict_published")
REJECTED = Path("results/audit/rejected.txt")


@cache
def code_digest(script: Path) -> str:
    """Return a digest of a script's code, of the package's modules that it imports, and of library versions.

    Snakemake reruns a rule if this parameter changes. Comments, docstrings, and texts of errors and log messages are
    not included, so changing them reruns nothing.
    """
    modules, libraries = modules_used(script)
    parts = [_module(path)[0] for path in [script, *modules]] + [f"{name} {_version(name)}" for name in libraries]
    return f"code {hashlib.sha256(''.join(parts).encode()).hexdigest()[:16]}"


def modules_used(script: Path) -> tuple[list[Path], list[str]]:
    """Return the package's modules that a script imports, directly or indirectly, and the imported `LIBRARIES`."""
    found, libraries, waiting = set(), set(), [script]
    while waiting:
        _, modules, others = _module(waiting.pop())
        waiting += modules - found
        found |= modules
        libraries |= others
    return sorted(found), sorted(libraries)


@cache
def _module(path: Path) -> tuple[str, set[Path], set[str]]:
    """Return a digest of a module's code, and the package's modules and the libraries that it imports."""
    tree, names = ast.parse(path.read_text(encoding="utf-8")), set()
    tree.body = [node for node in tree.body if getattr(getattr(node, "test", None), "id", None) != "TYPE_CHECKING"]
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                names |= {alias.name for alias in node.names}
            case ast.ImportFrom(module=str(module)):
                names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
            case ast.Raise():
                _without_texts(node)
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in SAY or name.endswith("Error"):
                _without_texts(node)
            case ast.Module() | ast.ClassDef() | ast.FunctionDef() if ast.get_docstring(node) is not None:
                del node.body[0]
    names.discard("heteroage.workflow")  # runs every script and computes nothing
    ours = {SCRIPTS.joinpath(*name.split(".")).with_suffix(".py") for name in names}
    others = {LIBRARIES[top] for name in names if (top := name.split(".")[0]) in LIBRARIES}
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), set(filter(Path.is_file, ours)), others


def _without_texts(node: ast.AST) -> None:
    """Remove all text inside `raise` statements and logging calls."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.JoinedStr):
            inner.values = [part for part in inner.values if isinstance(part, ast.FormattedValue)]
        elif isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            inner.value = ""


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:  # with --sdm conda, the main process may not have the packages of the jobs
        return "not installed"


def script(main: Callable[..., None]) -> Callable[..., None]:
    """Decorator of `main` in a rule's script: calls it with the job's files, params, wildcards and threads, by name.

    Without Snakemake, the job is selected by its wildcards, in the study's folder:
    `python scripts/train_stage1.py run=full`. An imported script does nothing.
    """
    if main.__module__ == "__main__":
        _run(main)
    return main


def _run(main: Callable[..., None]) -> None:
    gc.freeze()
    gc.enable()  # switched off in heteroage/__init__.py
    job = main.__globals__.get("snakemake")
    if job is None:
        try:
            job = find_job(Path(inspect.getfile(main)).stem, sys.argv[1:])
        except HeteroAgeError as error:
            sys.exit(str(error))
    with reporting(job.log[0], job.rule, job.input):
        verify_unchanged(job.input)
        if job.rule.startswith("train_") and REJECTED.is_file():
            raise HeteroAgeError(
                f"the training was stopped, because a table was rejected (see {REJECTED}). Correct the table or remove "
                "it from the configuration, then run again."
            )
        try:
            main(**bind(main, job))
        except HeteroAgeError as error:
            if job.rule in CHECKS:  # independent jobs continue, and training jobs must not start
                REJECTED.parent.mkdir(parents=True, exist_ok=True)
                REJECTED.write_text(f"{job.rule}: {error}\n", encoding="utf-8")
            raise
        record(job.output)
    gc.freeze()  # at its exit, Python would search through all modules


def in_processes(work: Callable[[Item], Result], items: Sequence[Item], processes: int) -> Iterator[Result]:
    """Yield work(item) for all items, in order, computed by copies of this process.

    For work whose time goes to many short steps, which threads would do in turn. Only on Linux: elsewhere, a copy of
    a process that has used BLAS may fail, so this process works alone.

    Raises HeteroAgeError: a copy was killed.
    """
    if min(processes, len(items)) < 2 or sys.platform != "linux":
        yield from map(work, items)
        return
    try:
        with ProcessPoolExecutor(processes, get_context("fork"), _begin, (os.getpid(), work)) as pool:
            yield from pool.map(_do, items)
    except BrokenProcessPool as error:
        raise HeteroAgeError(
            f"one of {processes} processes of this step was killed, usually because memory was short. Run again with "
            "more memory, or with --cores 1, so that one process does all."
        ) from error


def _begin(parent: int, work: Callable) -> None:
    end_with(parent)
    _do.work = work


def _do(item: Item) -> Result:
    return _do.work(item)


@contextmanager
def load_workflow(configfiles: Sequence[Path]) -> Iterator[Workflow]:
    """Read the Snakefile in the working directory, as Snakemake does."""
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import ConfigSettings, DAGSettings, ResourceSettings

    with SnakemakeApi() as api:
        config = ConfigSettings(configfiles=configfiles)
        workflow = api.workflow(ResourceSettings(cores=1), config_settings=config, snakefile=SNAKEFILE)._workflow
        workflow.dag_settings = DAGSettings()
        yield workflow


def find_job(rule: str, arguments: Sequence[str]) -> SimpleNamespace:
    """Plan a rule's job in the working directory: its inputs, outputs, params, wildcards, threads and log.

    arguments : wildcards as `name=value`; optionally `--configfile FILE`

    Raises HeteroAgeError: missing wildcards or input files.
    """
    arguments, configfiles = list(arguments), []
    if "--configfile" in arguments:
        at = arguments.index("--configfile")
        configfiles = [Path(arguments[at + 1])]
        del arguments[at : at + 2]
    wildcards = dict(argument.split("=", 1) for argument in arguments)
    with load_workflow(configfiles) as workflow:
        # Imported here, because snakemake.dag and snakemake.workflow import each other; the latter must be first.
        from snakemake.dag import DAG
        from snakemake.io import IOCache
        from snakemake.jobs import JobFactory

        planned = workflow.get_rule(rule)
        if missing := sorted(set(planned.wildcard_names) - set(wildcards)):
            raise HeteroAgeError(f"{rule} needs {', '.join(f'{name}=...' for name in missing)}, as arguments.")
        workflow.iocache = IOCache(0)  # the sizes of inputs, from which the memory is computed
        for checkpoint in (other for other in workflow.rules if other.is_checkpoint):
            made = [path for path in checkpoint.expand_output({})[0] if Path(path).exists()]
            workflow.checkpoints.created_output.update(made)
        dag = DAG(workflow, rules=[planned])
        job = asyncio.run(JobFactory().new(planned, dag, wildcards))
        if absent := [path for path in job.input if not Path(path).exists()]:
            raise HeteroAgeError(f"{rule} needs {len(absent)} missing files ({listed(absent)}). Make them first.")
        for path in [*job.output, *job.log]:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        parts = {name: getattr(job, name) for name in ("input", "output", "params", "wildcards", "threads", "log")}
        return SimpleNamespace(rule=rule, **parts)


def bind(main: Callable[..., None], job: SimpleNamespace) -> dict[str, object]:
    """Find the value of each parameter of `main` among a job's named inputs, outputs, params, wildcards and threads.

    `inputs` and `outputs` are all named files: {name: path}.

    Raises TypeError: a parameter has no value, or a name is used twice.
    """
    named: dict[str, object] = {"threads": job.threads, "inputs": dict(job.input.items())}
    named["outputs"] = dict(job.output.items())
    parts = [named, *(dict(part.items()) for part in (job.input, job.output, job.params, job.wildcards))]
    bound = {}
    for name in inspect.signature(main).parameters:
        values = [part[name] for part in parts if name in part]
        if len(values) > 1:
            raise TypeError(f"rule {job.rule} uses the name {name} for two things")
        if not values:
            raise TypeError(f"rule {job.rule} has no input, output, parameter or wildcard {name}")
        bound[name] = values[0]
    return bound


@contextmanager
def reporting(log_path: str, rule: str, inputs: Iterable[str] = ()) -> Iterator[None]:
    """Context of a rule's script: sets up the log file, progress on the terminal, and one BLAS thread.

    A HeteroAgeError ends the script with only its message. Other exceptions write a traceback to the log. If one of the
    user's files in `inputs` changes meanwhile, the script fails. Otherwise its output would be newer than the change,
    and Snakemake would not detect it.
    """
    from threadpoolctl import threadpool_limits  # imported here, because the Snakefile does not need it

    if started_by := os.environ.get(SNAKEMAKE_PID):
        end_with(int(started_by))
    handlers: list[logging.Handler] = [logging.FileHandler(log_path, mode="w", encoding="utf-8")]
    if sys.stderr.isatty():
        handlers.append(logging.StreamHandler())
    logging.basicConfig(
        level=logging.INFO, format=f"%(asctime)s {rule}: %(message)s", datefmt="%H:%M:%S", handlers=handlers, force=True
    )
    logging.captureWarnings(True)
    try:
        before = state_of(inputs)
        # One BLAS thread, so that the order of sums, and so the bytes, do not depend on the number of cores.
        with threadpool_limits(1):
            yield
        if changed := [path for path, state in state_of(before).items() if state != before[path]]:
            raise HeteroAgeError(
                f"{len(changed)} input files changed while they were read: {listed(changed)}. Run again."
            )
    except HeteroAgeError as error:
        logging.getLogger(rule).error("%s", error)
        if not sys.stderr.isatty():
            print(f"{rule}: {error}", file=sys.stderr)
        sys.exit(1)
    except Exception:
        logging.getLogger(rule).exception("unexpected error")
        raise
