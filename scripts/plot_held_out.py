"""Draw held-out samples: predicted against actual age by tissue, the error by project, and age acceleration."""

from collections.abc import Sequence

import pandas as pd

from heteroage.figures.acceleration import ACCELERATION, plot_acceleration
from heteroage.figures.accuracy import plot_projects, plot_tissues
from heteroage.figures.style import save_picture
from heteroage.files import read_json, read_table
from heteroage.workflow import run_script


def main(
    healthy: str, predictions: Sequence[str], metadata: str, tissues: str, projects: str, acceleration: str
) -> None:
    """Write the pictures. Nested predictions come with acceleration and health; out-of-fold ones are all healthy."""
    table = read_table(healthy)
    save_picture(plot_tissues(table), tissues)
    save_picture(plot_projects(table), projects)
    tables = [read_table(path) for path in predictions]
    samples = pd.concat([table for table in tables if len(table)], ignore_index=True)
    if ACCELERATION not in samples.columns:
        line = read_json(metadata)["acceleration_reference"]
        samples[ACCELERATION] = samples["HeteroAge"] - (line["intercept"] + line["slope"] * samples["Age"])
    if "Is_Healthy" not in samples.columns:
        samples["Is_Healthy"] = True
    save_picture(plot_acceleration(samples), acceleration)


if __name__ == "__main__":
    run_script(main)
