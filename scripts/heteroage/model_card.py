"""The model card: what a clock was made of and how far to trust it, written from its own artifacts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from heteroage.files import read_json, read_table
from heteroage.metrics import score_predictions
from heteroage.stage1 import selected_row


def model_card(folder: Path, training_data: Mapping[str, object]) -> str:
    """Describe an assembled clock in Markdown, from the files in its folder alone."""
    predictions = read_table(folder / "stage3/Stage3_Final_Predictions_OOF.csv")
    report = read_table(folder / "stage1/Stage1_Sweep_Report.csv")
    experts = read_table(folder / "stage2/Stage2_Performance_Summary.csv")
    skipped = read_json(folder / "stage2/manifest.json")["skipped"]
    meta = read_json(folder / "stage3/Stage3_Artifacts.json")
    used = len(read_table(folder / "stage1/Stage1_Global_Model_Weights.csv")) - 1
    chosen = selected_row(report, "the sweep report")
    lines = [
        "# Model card",
        "",
        "A three-stage epigenetic age clock (anchor, hallmark experts, context fusion).",
        "Its ages are predictions of chronological age in years; their error is not a measure of biological age.",
        "",
        "## Training data",
        "",
        f"{len(predictions)} healthy samples of {predictions['project_id'].nunique()} projects, "
        f"aged {predictions['Age'].min():g} to {predictions['Age'].max():g} years.",
        "",
        _table(predictions["Tissue"].value_counts().rename_axis("Tissue").reset_index(name="samples")),
        "",
        "## Error on held-out folds",
        "",
        f"Whole groups were held out, in {predictions['fold'].nunique()} folds. Stage 1 was configured on the",
        "same folds, so these errors lean to the optimistic; those of nested runs do not.",
        "",
        _table(_errors(predictions)),
        "",
        "## Stage 1",
        "",
        f"{used} features have weight. alpha {chosen['alpha']:g}, l1_ratio {chosen['l1_ratio']:g}; tissues of at least "
        f"{chosen['min_cohorts']:g} projects, sampled down to {chosen['median_mult']:g} times the median tissue "
        f"(at least {chosen['min_cap']:g}, at most {chosen['max_cap']:g} samples).",
        "",
        "## Stage 2",
        "",
        "R2 is of the correction on the anchor's residual, out of fold; at or below 0 an expert has no skill.",
        "",
        _table(experts[["hallmark", "features_offered", "features_used", "R2_Residual", "skill"]]),
        "",
        *[f"- {hallmark} was skipped: {reason}" for hallmark, reason in skipped.items()],
        "## Stage 3",
        "",
        f"{meta['boosting_rounds']} boosting rounds"
        + (" were earned." if meta["boosting_rounds"] else ": none was earned, and the fusion returns the anchor."),
        "",
        "## Limits",
        "",
        "Tissues and platforms that are not listed above were not trained on. A missing CpG takes its training median;",
        "the share that was missing is reported per sample. Not for diagnosis.",
        "",
        "## Software",
        "",
        *[f"- {name} {version}" for name, version in meta["software"].items()],
    ]
    return "\n".join(lines) + "\n"


def _errors(predictions: pd.DataFrame) -> pd.DataFrame:
    mean_age = predictions["Age"].mean()
    rows = []
    for name, ages in (
        ("anchor (Stage 1)", predictions["Stage1_Pred_Age"]),
        ("HeteroAge (Stage 3)", predictions["HeteroAge"]),
        ("mean age of all samples", pd.Series(mean_age, index=predictions.index)),
    ):
        scores = score_predictions(predictions["Age"], ages, predictions["project_id"])
        rows.append({"predictor": name} | {key: scores[key] for key in ("MicroMAE", "MacroMAE", "MedAE", "MicroR")})
    return pd.DataFrame(rows)


def _table(frame: pd.DataFrame) -> str:
    cells = [[f"{value:.2f}" if isinstance(value, float) else str(value) for value in row] for row in frame.to_numpy()]
    head = [list(map(str, frame.columns)), ["---"] * frame.shape[1]]
    return "\n".join("| " + " | ".join(row) + " |" for row in head + cells)
