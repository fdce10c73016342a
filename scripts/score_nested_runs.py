"""Merge the nested runs' predictions and tabulate their errors."""

from heteroage.evaluation.nested import ablation, accuracy, coverage, put_together
from heteroage.evaluation.published import with_published
from heteroage.files import read_table, write_table
from heteroage.workflow import script


@script
def main(inputs: dict, trained_on: dict[str, list[str]], outputs: dict[str, str]) -> None:
    """Write the predictions of healthy and of unhealthy samples, and three tables of the healthy ones' errors."""
    table = put_together([read_table(path) for path in inputs["held_out"]])
    healthy = table["Is_Healthy"].astype(str) == "True"
    write_table(table[healthy], outputs["predictions"])
    write_table(table[~healthy], outputs["unhealthy"])
    errors = accuracy(table[healthy])
    if "published" in inputs:
        ages, clocks = read_table(inputs["published"]), read_table(inputs["clocks"])
        errors = with_published(table[healthy], ages, clocks, trained_on)
    write_table(errors, outputs["accuracy"])
    write_table(coverage(table[healthy]), outputs["coverage"])
    without_context = put_together([read_table(path) for path in inputs["ablated"]])
    write_table(ablation(table[healthy].merge(without_context, on="sample_id")), outputs["ablation"])
