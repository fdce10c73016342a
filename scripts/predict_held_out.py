"""Predict the samples that a nested run has left out, by the code that users predict with."""

from pathlib import Path

from heteroage.clock.loading import load_clock
from heteroage.errors import HeteroAgeError
from heteroage.evaluation.held_out import features_looked_at, held_out_samples, master_table, predict_held_out
from heteroage.files import read_table, write_table
from heteroage.matrix import open_matrix
from heteroage.workflow import run_script


def main(
    run: str,
    manifest: str,
    features: str,
    names: str,
    all_samples: str,
    samples: str,
    predictions: str,
    pcs: str | None = None,
) -> None:
    """Write the predictions of the held-out samples of known age, healthy and unhealthy."""
    folder = Path(manifest).parent
    clock = load_clock(folder)
    held_out = held_out_samples(read_table(all_samples), int(run.removeprefix("nested-")))
    training = read_table(samples)
    seen = set(training["sample_id"]) & set(held_out["sample_id"])
    if seen:
        raise HeteroAgeError(f"{run} was trained on {len(seen)} samples that it should predict. Remove results/{run}.")
    matrix, feature_names = open_matrix(features, names)
    known = read_table(pcs) if pcs else None
    master = master_table(features_looked_at(folder), matrix, feature_names, held_out, known)
    write_table(predict_held_out(clock, held_out, master, training["Age"].mean()), predictions)


if __name__ == "__main__":
    run_script(main)
