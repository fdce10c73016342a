"""Draw held-out samples: predicted against actual age by tissue, the error by project, and age acceleration."""

from collections.abc import Mapping, Sequence

import pandas as pd

from heteroage.figures.held_out import ACCELERATION, plot_acceleration, plot_projects, plot_tissues
from heteroage.figures.style import save_pictures
from heteroage.files import read_json, read_table
from heteroage.workflow import script


@script
def main(predictions: Sequence[str], metadata: str, outputs: Mapping[str, str]) -> None:
    """Write the pictures. The first table has healthy samples, a second one unhealthy samples."""
    tables = [read_table(path) for path in predictions]
    samples = pd.concat([table for table in tables if len(table)], ignore_index=True)
    if ACCELERATION not in samples.columns:  # out of fold
        line = read_json(metadata)["acceleration_reference"]
        samples[ACCELERATION] = samples["HeteroAge"] - (line["intercept"] + line["slope"] * samples["Age"])
        samples["Is_Healthy"] = True
    pictures = {"tissues": plot_tissues(tables[0]), "projects": plot_projects(tables[0])}
    save_pictures(pictures | {"acceleration": plot_acceleration(samples)}, outputs)
