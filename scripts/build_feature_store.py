"""Read the modality tables and sample sheets, check them, and write all samples and features to the store."""

import logging
from contextlib import ExitStack

from heteroage.files import atomic_path, write_json, write_table
from heteroage.grouping.folds import training_samples
from heteroage.inputs.cohorts import InputOptions, read_cohorts
from heteroage.inputs.store import Intake, TableEntry, write_store
from heteroage.tables.metadata import Conventions
from heteroage.workflow import script


@script
def main(tables: dict[str, list[dict]], sample_sheets: list[dict], options: dict, outputs: dict[str, str]) -> None:
    """Write features.npy, feature_names.txt, metadata.csv and intake.json: all of them, or none."""
    options, record = InputOptions(**{**options, "conventions": Conventions.of(**options["conventions"])}), Intake()
    entries = {modality: [TableEntry(**entry) for entry in several] for modality, several in tables.items()}
    sheets = [TableEntry(**entry) for entry in sample_sheets]
    cohorts = read_cohorts(entries, sheets, options, record)
    training_samples(cohorts.samples)  # a cohort without any is refused before its features are written
    with ExitStack() as together:
        beside = {name: together.enter_context(atomic_path(path)) for name, path in outputs.items()}
        write_store(cohorts, beside["features"], beside["names"], record)
        write_table(cohorts.samples, beside["metadata"])
        write_json(record.as_json(), beside["intake"])
    for row in record.tables:
        logging.info("%(file)s: %(n_samples)d samples, %(n_cpgs)d CpGs, %(n_missing)d values missing", row)
