"""Copy a run's artifacts to the deployable folder, add applicability statistics and model card, and seal it."""

from collections.abc import Mapping
from pathlib import Path

from heteroage.assembly import assemble_run
from heteroage.workflow import script


@script
def main(inputs: Mapping, settings: Mapping, manifest: str) -> None:
    """Write the folder."""
    assemble_run(inputs, Path(manifest).parent, **settings)
