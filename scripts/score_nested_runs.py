"""Put the nested runs' predictions together and tabulate their errors."""

from collections.abc import Mapping, Sequence

from heteroage.evaluation.scores import ablation, accuracy, coverage, put_together
from heteroage.files import read_table, write_table
from heteroage.workflow import reporting


def main(predictions: Sequence[str], ablated: Sequence[str], output: Mapping[str, str]) -> None:
    """Write the predictions of healthy and of unhealthy samples, and three tables of the healthy ones' errors."""
    table = put_together([read_table(path) for path in predictions])
    healthy = table["Is_Healthy"].astype(str) == "True"
    write_table(table[healthy], output["predictions"])
    write_table(table[~healthy], output["unhealthy"])
    write_table(accuracy(table[healthy]), output["accuracy"])
    write_table(coverage(table[healthy]), output["coverage"])
    without_context = put_together([read_table(path) for path in ablated])
    write_table(ablation(table[healthy].merge(without_context, on="sample_id")), output["ablation"])


if __name__ == "__main__":
    with reporting(snakemake.log[0], snakemake.rule):
        main(snakemake.input.predictions, snakemake.input.ablated, dict(snakemake.output.items()))
