"""Assemble a nested run's clock, and predict its held-out samples with the same code that users run."""

from dataclasses import replace
from pathlib import Path

from heteroage.assembly import assemble_run
from heteroage.clock.loading import load_clock
from heteroage.errors import HeteroAgeError
from heteroage.evaluation.nested import anchor_plus_experts, held_out_samples, master_table, predict_held_out
from heteroage.files import read_table, write_table
from heteroage.matrix import open_matrix
from heteroage.stages.stage3 import FusionInput, train
from heteroage.workflow import script


@script
def main(run: str, inputs: dict, settings: dict, lightgbm: dict, max_rounds: int, outputs: dict[str, str]) -> None:
    """Write the folder, the predictions of held-out samples of known age, and those of parts of the clock."""
    folder = Path(outputs["sealed"][-1]).parent  # of the manifest
    assemble_run(inputs, folder, **settings)

    # A nested run reads the held-out samples (healthy and unhealthy) only here.
    held_out = held_out_samples(read_table(inputs["all_samples"]), int(run.removeprefix("nested-")))
    training = read_table(inputs["samples"])
    if seen := set(training["sample_id"]) & set(held_out["sample_id"]):
        raise HeteroAgeError(f"{run} was trained on {len(seen)} samples that it should predict. Remove results/{run}.")
    known = read_table(inputs["given_pcs"]) if "given_pcs" in inputs else None
    store = open_matrix(inputs["features"], inputs["names"])
    clock = load_clock(folder)
    master = master_table(clock.cpgs_read, *store, held_out, known)
    table = predict_held_out(clock, held_out, master, training["Age"].mean())
    write_table(table, outputs["predictions"])

    # Without tissue, sex and RF_PCs, with rounds tuned again.
    fusion, _ = train(replace(FusionInput.open(inputs), context=False), lightgbm, max_rounds)
    summed = anchor_plus_experts(table, read_table(folder / "stage2/Stage2_Performance_Summary.csv"))
    ages = fusion.predict(table[fusion.booster.feature_name()])
    parts = table[["sample_id"]].assign(Anchor_Plus_Experts=summed, Fusion_Without_Context=ages)
    write_table(parts, outputs["ablated"])
