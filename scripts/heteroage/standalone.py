"""Planning of a single job without Snakemake's execution, so that its script can be run or debugged by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

from heteroage.errors import HeteroAgeError, listed

if TYPE_CHECKING:
    from snakemake.workflow import Workflow

SNAKEFILE = Path(__file__).parents[2] / "Snakefile"


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

    Raises HeteroAgeError: wildcards are missing, or an input file is.
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
        from snakemake.jobs import JobFactory

        planned = workflow.get_rule(rule)
        if missing := sorted(set(planned.wildcard_names) - set(wildcards)):
            raise HeteroAgeError(f"{rule} needs {', '.join(f'{name}=...' for name in missing)}, as arguments.")
        dag = DAG(workflow, rules=[planned])
        job = asyncio.run(JobFactory().new(planned, dag, wildcards))
        if absent := [path for path in job.input if not Path(path).exists()]:
            raise HeteroAgeError(f"{rule} needs {len(absent)} missing files ({listed(absent)}). Make them first.")
        for path in [*job.output, *job.log]:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        parts = {name: getattr(job, name) for name in ("input", "output", "params", "wildcards", "threads", "log")}
        return SimpleNamespace(rule=rule, **parts)
