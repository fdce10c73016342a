"""The summary that a run prints at its end."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import pandas as pd

from heteroage.grouping.folds import MINIMUM_FOLDS, hold_out_donors
from heteroage.metrics import has_skill, mean_age_of_other_folds, score_predictions

WIDTH = 110  # characters per line
PROCEDURE = "  with rounds chosen in each fold"


def predictors(predictions: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the out-of-fold ages of HeteroAge and of the anchor, and the mean age of the other folds' samples."""
    ages = {name: predictions[name] for name in ("HeteroAge", "Stage1_Pred_Age")}
    return ages | {"Training_Mean_Age": mean_age_of_other_folds(predictions["Age"], predictions["fold"])}


def what_experts_add(experts: pd.DataFrame, errors: Mapping[str, Mapping[str, float]] | None) -> str:
    """One sentence: by how much the experts' sum is better than the anchor out of fold, or that none has skill.

    errors : `errors_out_of_fold` of Stage3_Artifacts.json; None where the clock does not know them
    """
    skilled = int(has_skill(experts).sum())
    if not skilled:
        return "The experts add nothing here: none has skill out of fold."
    if errors is None or "anchor_plus_experts" not in errors:
        return f"{skilled} of {len(experts)} experts have skill out of fold."
    gain = errors["anchor"]["MicroMAE"] - errors["anchor_plus_experts"]["MicroMAE"]
    who = f"The corrections of the {skilled} experts" if skilled > 1 else "The correction of the one expert"
    return (
        f"{who} with skill, added to the anchor, {'make' if skilled > 1 else 'makes'} its error "
        f"{'smaller' if gain > 0 else 'larger'} by {abs(gain):.2f} years, out of fold."
    )


def what_fusion_adds(predictions: pd.DataFrame, rounds: int) -> str:
    """Return one sentence on the out-of-fold improvement of HeteroAge over the anchor."""
    if not rounds:
        return "The fusion adds nothing here: no boosting round was earned, and HeteroAge is the anchor."
    anchor, fused = ((predictions[name] - predictions["Age"]).abs().mean() for name in ("Stage1_Pred_Age", "HeteroAge"))
    change = "smaller" if fused < anchor else "larger"
    return f"The fusion makes the anchor's error {change} by {abs(anchor - fused):.2f} years, out of fold."


def summarise(
    predictions: pd.DataFrame,
    experts: pd.DataFrame,
    meta: Mapping,
    predicted: Mapping[str, pd.DataFrame],
    simulated: bool,
    groups: Sequence[str] = (),
) -> str:
    """Summarise the outputs, their accuracy, and the next steps for a new user."""
    age, projects = predictions["Age"], predictions["project_id"]
    held_out = "donors" if hold_out_donors(predictions, "project_id") else "groups"
    skilled = experts.loc[has_skill(experts), "hallmark"]
    lines = [
        f"A clock was trained on {len(age)} healthy samples of {projects.nunique()} projects"
        + (" (simulated: the numbers say nothing about real tissue)." if simulated else "."),
        *[line for sentence in groups for line in textwrap.wrap(sentence, WIDTH)],
        "",
        f"Error on held-out {held_out}, in years      all samples   mean over projects",
    ]
    titles = ("HeteroAge", "anchor alone", "mean age of the other folds")
    for name, ages in zip(titles, predictors(predictions).values(), strict=True):
        scores = score_predictions(age, ages, projects)
        lines.append(f"  {name:<34} {scores['MicroMAE']:>11.2f} {scores['MacroMAE']:>20.2f}")
        if name == "HeteroAge" and "errors_out_of_fold" in meta:
            again = meta["errors_out_of_fold"]["procedure"]
            lines.append(f"  {PROCEDURE:<34} {again['MicroMAE']:>11.2f} {again['MacroMAE']:>20.2f}")
    lines += [
        "",
        what_experts_add(experts, meta.get("errors_out_of_fold")),
        what_fusion_adds(predictions, meta["boosting_rounds"]),
        f"Hallmark experts with skill out of fold: {len(skilled)} of {len(experts)}"
        + (f" ({', '.join(skilled)})" if 0 < len(skilled) <= 4 else "")
        + f"; boosting rounds earned: {meta['boosting_rounds']}.",
    ]
    if len(skilled) < len(experts):
        lines.append("Corrections of the other experts are noise: do not interpret them.")
    for path, table in predicted.items():
        error = ""
        if "Age_Acceleration" in table.columns and table["Age_Acceleration"].notna().any():
            error = f", MAE {table['Age_Acceleration'].abs().mean():.2f} years"
        lines.append(f"Predicted {len(table)} samples into {path}{error}.")
    lines += [
        "",
        "Open next:",
        "  results/figures/full_predicted_age.png      predicted against actual age",
        "  results/full_artifacts/MODEL_CARD.md        what the clock is made of, and its limits",
        "  config/README.md                            how to train on your own cohorts",
        "Make the report, with the nested error to quote (or, at once and without it, results/report/training.html):"
        if projects.nunique() > MINIMUM_FOLDS
        else "Make the report (a nested error to quote takes four studies):",
        "  snakemake --cores 2 report                  (and the --configfile of this run, if it had one)",
        "Apply the clock anywhere:",
        "  heteroage pipeline-predict --artifact-dir results/full_artifacts --input TABLE --out AGES.csv",
    ]
    return "\n".join(lines) + "\n"
