"""Copy a run's artifacts to the deployable folder, add applicability statistics and model card, and seal it."""

from pathlib import Path

from heteroage.assembly import assemble_run
from heteroage.workflow import script


@script
def main(inputs: dict, settings: dict, manifest: str) -> None:
    """Write the folder."""
    assemble_run(inputs, Path(manifest).parent, **settings)
