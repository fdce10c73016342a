"""Predict the samples that a nested run has left out, by the code that users predict with."""

from pathlib import Path

from heteroage.clock.loading import load_clock
from heteroage.errors import HeteroAgeError
from heteroage.evaluation.held_out import features_looked_at, held_out_samples, master_table, predict_held_out
from heteroage.files import read_table, write_table
from heteroage.matrix import open_matrix
from heteroage.workflow import reporting


def main(
    run: str, manifest: str, store: str, names: str, all_samples: str, trained: str, pcs: str | None, predictions: str
) -> None:
    """Write the predictions of the held-out samples of known age, healthy and unhealthy."""
    folder = Path(manifest).parent
    clock = load_clock(folder)
    samples = held_out_samples(read_table(all_samples), int(run.removeprefix("nested-")))
    training = read_table(trained)
    seen = set(training["sample_id"]) & set(samples["sample_id"])
    if seen:
        raise HeteroAgeError(f"{run} was trained on {len(seen)} samples that it should predict. Remove results/{run}.")
    matrix, feature_names = open_matrix(store, names)
    known = read_table(pcs) if pcs else None
    master = master_table(features_looked_at(folder), matrix, feature_names, samples, known)
    write_table(predict_held_out(clock, samples, master, training["Age"].mean()), predictions)


if __name__ == "__main__":
    with reporting(snakemake.log[0], snakemake.rule, snakemake.input):
        files = snakemake.input
        main(
            snakemake.wildcards.run,
            files.manifest,
            files.features,
            files.names,
            files.all_samples,
            files.samples,
            files.get("pcs"),
            snakemake.output.predictions,
        )
