"""Merge the results of the full run's experts: corrections, weights and performance tables, and the manifest."""

from heteroage.files import read_json, read_table
from heteroage.stages.stage2 import write_experts
from heteroage.workflow import script


@script
def main(inputs: dict, outputs: dict[str, str]) -> None:
    """Write the tables and the manifest, hallmarks in the order of the dictionary."""
    summaries = [read_json(path) for path in inputs["expert_summaries"]]
    hallmarks = [summary["hallmark"] for summary in summaries]
    corrections = dict(zip(hallmarks, map(read_table, inputs["expert_corrections"]), strict=True))
    weights, skipped = map(read_table, inputs["expert_weights"]), read_json(inputs["skipped"])
    write_experts(corrections, list(weights), summaries, skipped, outputs)
