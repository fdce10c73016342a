"""Copy a run's artifacts to the deployable folder, add applicability statistics and model card, and seal it."""

from pathlib import Path

from heteroage.assembly import assemble_run
from heteroage.workflow import script


@script
def main(inputs: dict, settings: dict, sealed: list[str]) -> None:
    """Write the folder; the last of its files is the manifest."""
    assemble_run(inputs, Path(sealed[-1]).parent, **settings)
