"""Train one hallmark's expert of the full run on the anchor's residuals."""

from collections.abc import Mapping

from heteroage.errors import HeteroAgeError
from heteroage.files import read_json, read_table, write_json, write_model, write_table
from heteroage.stages.stage1 import selected_row
from heteroage.stages.stage2 import ExpertGrid, train_expert
from heteroage.stages.training_data import TrainingData, read_views
from heteroage.workflow import script


@script
def main(hallmark: str, inputs: Mapping[str, str], report: str, settings: Mapping, outputs: Mapping[str, str]) -> None:
    """Write the expert's model, weights, corrections in every view, and row of the summary."""
    own = read_json(inputs["dictionary"]).get(hallmark)
    if not own:
        raise HeteroAgeError(f"{hallmark} has no expert: {inputs['dictionary']} assigns no feature to it.")
    data = TrainingData.open(inputs)
    views, configuration = read_views(inputs["anchor"], data.samples), selected_row(read_table(report), report)
    expert = train_expert(hallmark, data.restrict(own), views, ExpertGrid.of(settings), configuration)
    write_table(expert.weights, outputs["weights"])
    write_table(expert.corrections, outputs["corrections"])
    write_json(expert.summary, outputs["summary"])
    write_model(expert.model, outputs["model"])
