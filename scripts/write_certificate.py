"""Judge each falsification test and write the certificate, whatever the verdict."""

import logging
from collections.abc import Mapping, Sequence

import pandas as pd

from heteroage.evaluation import falsification as f
from heteroage.files import read_json, read_table, write_table
from heteroage.workflow import reporting


def main(files: Mapping[str, str], score_files: Sequence[str], seed: int, output: Mapping[str, str]) -> None:
    """Write the certificate, and how the hallmarks compare with random sets."""
    scores = pd.concat([read_table(path) for path in score_files], ignore_index=True)
    by_hallmark = {hallmark: rows["R2_Residual"].to_numpy() for hallmark, rows in scores.groupby("hallmark")}
    random_sets = f.compare_with_random_sets(read_table(files["summary"]), read_table(files["importance"]), by_hallmark)
    samples = read_table(files["samples"])
    samples["shift"] = f.planted_shift(samples, seed)
    verdicts = [
        f.judge_shuffled_ages(read_table(files["shuffled"])),
        f.judge_planted_study(samples, read_table(files["planted"])),
        f.judge_altered_labels(read_json(files["nested"]), read_json(files["altered"])),
        f.judge_random_sets(random_sets),
        f.judge_near_duplicates(read_table(files["pairs"])),
    ]
    for verdict in verdicts:
        logging.info("%s: %s (%g, limit %g)", verdict.test, verdict.passed, verdict.measured, verdict.limit)
    write_table(f.certificate(verdicts), output["certificate"])
    write_table(random_sets, output["random_sets"])
    write_table(scores, output["scores"])


if __name__ == "__main__":
    with reporting(snakemake.log[0], snakemake.rule):
        inputs = dict(snakemake.input.items())
        main(inputs, inputs.pop("random_scores"), snakemake.params.seed, dict(snakemake.output.items()))
