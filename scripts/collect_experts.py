"""Merge the results of the full run's experts: corrections, weights and performance tables, and the manifest."""

from collections.abc import Mapping, Sequence

from heteroage.files import read_json, read_table
from heteroage.stages.stage2 import write_experts
from heteroage.workflow import script


@script
def main(
    expert_corrections: Sequence[str],
    expert_weights: Sequence[str],
    expert_summaries: Sequence[str],
    skipped: str,
    outputs: Mapping[str, str],
) -> None:
    """Write the tables and the manifest, hallmarks in the order of the dictionary."""
    summaries = [read_json(path) for path in expert_summaries]
    hallmarks = [summary["hallmark"] for summary in summaries]
    corrections = dict(zip(hallmarks, map(read_table, expert_corrections), strict=True))
    write_experts(corrections, [read_table(path) for path in expert_weights], summaries, read_json(skipped), outputs)
