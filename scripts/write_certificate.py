"""Evaluate each falsification test and write the certificate, for any verdict."""

import logging

import pandas as pd

from heteroage.evaluation import falsification as f
from heteroage.figures.style import save_picture
from heteroage.figures.training import plot_random_sets
from heteroage.files import read_table, write_table
from heteroage.workflow import script


@script
def main(inputs: dict[str, str], random_scores: list[str], seed: int, outputs: dict[str, str]) -> None:
    """Write the certificate, and how the hallmarks compare with random sets."""
    scores = pd.concat([read_table(path) for path in random_scores], ignore_index=True)
    by_hallmark = {hallmark: rows["R2_Residual"].to_numpy() for hallmark, rows in scores.groupby("hallmark")}
    summary, importance = read_table(inputs["summary"]), read_table(inputs["importance"])
    random_sets = f.compare_with_random_sets(summary, importance, by_hallmark)
    samples = read_table(inputs["samples"])
    samples["shift"] = f.planted_shift(samples, seed)
    verdicts = [
        f.judge_shuffled_ages(read_table(inputs["shuffled"])),
        f.judge_planted_study(samples, read_table(inputs["planted"])),
        f.judge_altered_fold(read_table(inputs["altered"])),
        f.judge_random_sets(random_sets),
        f.judge_near_duplicates(read_table(inputs["pairs"]), samples),
    ]
    for verdict in verdicts:
        logging.info("%s: %s (%g, limit %g)", verdict.test, verdict.verdict, verdict.measured, verdict.limit)
    write_table(pd.DataFrame(verdicts), outputs["certificate"])
    write_table(random_sets, outputs["random_sets"])
    write_table(scores, outputs["scores"])
    save_picture(plot_random_sets(random_sets, scores), outputs["random_sets_picture"])
