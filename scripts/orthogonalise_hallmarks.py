"""Match the hallmark dictionary to the data, and assign each feature to one hallmark."""

import logging

from heteroage.files import write_json
from heteroage.stages.hallmarks import assign_features, read_dictionary
from heteroage.stages.training_data import TrainingData
from heteroage.workflow import script


@script
def main(inputs: dict[str, str], hallmarks: str, dictionary: str, skipped: str) -> None:
    """Write the orthogonalised dictionary, and which hallmarks get no expert and why."""
    orthogonal, reasons = assign_features(read_dictionary(hallmarks), TrainingData.open(inputs))
    for hallmark, reason in reasons.items():
        logging.warning("%s is skipped: %s", hallmark, reason)
    write_json(orthogonal, dictionary)
    write_json(reasons, skipped)
