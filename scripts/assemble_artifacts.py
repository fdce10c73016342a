"""Copy a run's artifacts to the deployable folder, add applicability statistics and model card, and seal it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from heteroage.assembly import assemble_run
from heteroage.workflow import run_script


def main(
    artifacts: Sequence[str],
    experts: Sequence[str],
    samples: str,
    features: str,
    names: str,
    pcs: str,
    duplicates: str,
    conventions: Mapping[str, object],
    start_from: Mapping[str, object] | None,
    alphas: Mapping[str, Mapping[str, float]],
    manifest: str,
    accuracy: str | None = None,
    coverage: str | None = None,
    certificate: str | None = None,
) -> None:
    """Write the folder."""
    evaluation = {"accuracy": accuracy, "coverage": coverage, "certificate": certificate}
    training_files, folder = [samples, features, names, pcs], Path(manifest).parent
    assemble_run(artifacts, experts, training_files, duplicates, evaluation, conventions, folder, start_from, alphas)


if __name__ == "__main__":
    run_script(main)
