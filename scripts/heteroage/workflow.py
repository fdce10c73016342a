"""What Snakemake needs of the package: which modules a script uses, and how a script reports."""

from __future__ import annotations

import ast
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from heteroage.errors import HeteroAgeError, listed
from heteroage.run_lock import end_with

SCRIPTS = Path(__file__).parent.parent
SNAKEMAKE_PID = "HETEROAGE_SNAKEMAKE_PID"  # an environment variable: the Snakemake that runs the script


def modules_used(script: Path) -> list[str]:
    """List the package's modules that a script imports, directly or through another module.

    Snakemake reruns a rule when its script changes, not when a module does: rules declare these as input.
    """
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        for module in _imports(path := waiting.pop(), path.stat().st_mtime_ns) - found:
            found.add(module)
            waiting.append(module)
    return sorted(str(path) for path in found)


@cache  # every job reads the workflow anew, and its rules share most modules
def _imports(path: Path, modified: int) -> frozenset[Path]:
    names: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        match node := waiting.pop():
            case ast.Import():
                names |= {alias.name for alias in node.names}
            case ast.ImportFrom(module=str(module)):
                names |= {module} | {f"{module}.{alias.name}" for alias in node.names}
            case ast.expr():  # holds no statement: left out, which takes a third of the time
                pass
            case _:
                waiting += ast.iter_child_nodes(node)
    ours = {SCRIPTS.joinpath(*name.split(".")).with_suffix(".py") for name in names if name.startswith("heteroage.")}
    return frozenset(module for module in ours if module.is_file())


@contextmanager
def reporting(log_path: str, rule: str, given: Iterable[str] = ()) -> Iterator[None]:
    """Run a rule's script: log to its file (and progress to a terminal), one BLAS thread, problems in plain words.

    A HeteroAgeError ends the script with its message alone; any other exception leaves its traceback in the log.
    `given` are files that a person may change meanwhile: then the script fails, as its output would be newer than the
    change, and Snakemake would never know.
    """
    from threadpoolctl import threadpool_limits  # here, since reading the Snakefile needs none of it

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
        before = _states(given)
        # The same bytes on any number of cores: sums are never split by the number of BLAS threads.
        with threadpool_limits(1):
            yield
        if changed := [path for path, state in _states(before).items() if state != before[path]]:
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


def _states(paths: Iterable[str]) -> dict[str, tuple[int, int] | None]:
    """Time and size of files, None where there is none."""
    found = {}
    for path in paths:
        with suppress(FileNotFoundError):
            state = Path(path).stat()
            found[path] = (state.st_mtime_ns, state.st_size)
        found.setdefault(path, None)
    return found
