"""Simulate the demo's cohorts, their RF_PCs, a table of new samples to predict, and the truth behind them."""

from pathlib import Path

import yaml

from heteroage.demo import simulate
from heteroage.files import write_json, write_table
from heteroage.stages.hallmarks import read_dictionary
from heteroage.workflow import script


@script
def main(settings: str, hallmarks: str, modalities: list[str], outputs: dict) -> None:
    """Write the simulated tables, one per modality, and what goes with them."""
    demo = simulate(yaml.safe_load(Path(settings).read_text()), read_dictionary(hallmarks))
    for modality, path in zip(modalities, outputs["tables"], strict=True):
        write_table(demo.tables[modality], path)
    write_table(demo.context_pcs, outputs["context_pcs"])
    write_table(demo.new_samples, outputs["new_samples"])
    write_json(demo.truth, outputs["truth"])
