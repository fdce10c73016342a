"""Match each hallmark's CpGs to the data, and put each feature into one hallmark."""

import logging
from pathlib import Path

from heteroage.files import write_json
from heteroage.stages.hallmarks import match_features, orthogonalise_files, read_dictionary, skipped_hallmarks
from heteroage.workflow import run_script


def main(hallmarks: str, names: str, correlation: str, dictionary: str, skipped: str) -> None:
    """Write the orthogonalised dictionary, and which hallmarks get no expert and why."""
    orthogonal = orthogonalise_files(hallmarks, names, correlation)
    matched = match_features(read_dictionary(hallmarks), Path(names).read_text(encoding="utf-8").splitlines())
    reasons = skipped_hallmarks(matched, orthogonal)
    for hallmark, reason in reasons.items():
        logging.warning("%s is skipped: %s", hallmark, reason)
    write_json({name: features for name, features in orthogonal.items() if name not in reasons}, dictionary)
    write_json(reasons, skipped)


if __name__ == "__main__":
    run_script(main)
