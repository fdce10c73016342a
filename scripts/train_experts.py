"""Train all hallmark experts of a run that is not the full one, in one job."""

import logging
from collections.abc import Mapping
from pathlib import Path

from heteroage.files import read_table, write_json, write_model
from heteroage.stages.hallmarks import assign_features, read_dictionary
from heteroage.stages.stage1 import selected_row
from heteroage.stages.stage2 import Expert, ExpertGrid, train_expert, write_experts
from heteroage.stages.training_data import TrainingData, read_views
from heteroage.workflow import in_processes, script


@script
def main(inputs: Mapping[str, str], report: str, settings: Mapping, threads: int, outputs: Mapping[str, str]) -> None:
    """Write the orthogonalised dictionary, the experts' models, and their tables and manifest."""
    data = TrainingData.open(inputs)
    orthogonal, skipped = assign_features(read_dictionary(inputs["hallmarks"]), data)
    write_json(orthogonal, outputs["dictionary"])
    views, configuration = read_views(inputs["anchor"], data.samples), selected_row(read_table(report), report)
    Path(outputs["models"]).mkdir(exist_ok=True)
    corrections, weights, summaries = {}, [], []

    def train(hallmark: str) -> Expert:
        own = data.restrict(orthogonal[hallmark])
        expert = train_expert(hallmark, own, views, ExpertGrid.of(settings), configuration)
        # Written here: the bytes of a model that came from another process are not those of one made in this process.
        write_model(expert.model, Path(outputs["models"]) / f"Hallmark_{hallmark}.joblib")
        return expert

    for hallmark, expert in zip(orthogonal, in_processes(train, list(orthogonal), threads), strict=True):
        corrections[hallmark] = expert.corrections
        weights.append(expert.weights)
        summaries.append(expert.summary)
        logging.info("expert %d of %d: %s", len(weights), len(orthogonal), hallmark)
    write_experts(corrections, weights, summaries, skipped, outputs)
