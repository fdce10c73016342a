"""The report's tables, in words: each as {"head": [...], "rows": [[...], ...]}, all cells as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from heteroage.figures.evaluation import MODELS, STRATA, scoring_name
from heteroage.figures.style import readable
from heteroage.metrics import has_skill

PREDICTORS = {
    "HeteroAge": "HeteroAge",
    "Stage1_Pred_Age": "anchor alone",
    "Training_Mean_Age": "mean age of the training samples",
}


def table(frame: pd.DataFrame, names: Mapping[str, str], digits: Mapping[str, int] | None = None) -> dict[str, list]:
    """Take the named columns of a frame as text: {"head": [...], "rows": [[...], ...]}; numbers to two digits."""
    columns = [column for column in names if column in frame.columns]
    places = digits or {}
    rows = [
        [_cell(value, places.get(column, 2)) for column, value in zip(columns, row, strict=True)]
        for row in frame[columns].itertuples(index=False)
    ]
    return {"head": [names[column] for column in columns], "rows": rows}


def whole_table(frame: pd.DataFrame) -> dict[str, list] | None:
    """Take all columns of a frame as text, under their own names without underscores; None where it has no rows."""
    return table(frame, {name: str(name).replace("_", " ") for name in frame.columns}) if len(frame) else None


def _cell(value: object, digits: int) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.{digits}f}"
    return "" if value is None else str(value)


def accuracy_tables(accuracy: pd.DataFrame) -> list[dict[str, object]]:
    """HeteroAge's errors by each stratum, and all predictors' over all samples."""
    names = {"level": "", "n": "samples", "n_projects": "projects", "MAE": "MAE (years)", "MAE_Range": "95% interval"}
    names |= {"MedAE": "median error", "Bias": "bias (years)", "R": "r", "R2": "R²", "Mean_Age_MAE": "MAE of mean age"}
    shown = accuracy.copy()
    if "MAE_Lower" in shown:
        shown["MAE_Range"] = [
            "" if math.isnan(low) else f"{low:.2f} to {high:.2f}"
            for low, high in zip(shown["MAE_Lower"], shown["MAE_Upper"], strict=True)
        ]
    overall = shown[shown["stratum"] == "all"].copy()
    overall["level"] = [PREDICTORS.get(model, model) for model in overall["model"]]
    tables = [{"title": "All samples", **table(overall, names | {"MacroMAE": "mean over projects (years)"})}]
    base = shown[shown["model"] == "Training_Mean_Age"].set_index(["stratum", "level"])["MAE"].rename("Mean_Age_MAE")
    clock = shown[shown["model"] == "HeteroAge"].join(base, on=["stratum", "level"])
    for stratum, name in STRATA.items():
        rows = clock[clock["stratum"] == stratum]
        if stratum != "all" and len(rows):
            tables.append({"title": f"HeteroAge by {name}", **table(rows, names)})
    return tables


def expert_table(experts: pd.DataFrame) -> dict[str, list]:
    """Each hallmark's expert in a row, in words."""
    shown = experts.assign(
        hallmark=[readable(name, 99) for name in experts["hallmark"]],
        skill=["yes" if skill else "no skill: noise" for skill in has_skill(experts)],
    )
    names = {"hallmark": "hallmark", "features_offered": "features offered", "features_used": "used"}
    names |= {"R2_Residual": "R² against no correction", "MAE_Anchor": "MAE of the anchor (years)"}
    names |= {"MAE_Anchor_Plus_Correction": "with the correction (years)", "skill": "skill"}
    return table(shown, names, {"R2_Residual": 3})


def scoring_table(optimism: pd.DataFrame) -> dict[str, list]:
    """The optimism table, in words."""
    pairs = zip(optimism["scoring"], optimism["model"], strict=True)
    shown = optimism.assign(scoring=[scoring_name(*pair) for pair in pairs])
    names = {"scoring": "scored by", "MicroMAE": "MAE (years)", "MacroMAE": "mean over projects", "R": "r"}
    return table(shown, names | {"Gap_Years": "nested minus this (years)"}, {"R": 3})


def ablation_table(ablation: pd.DataFrame) -> dict[str, list]:
    """The ablation table, in words."""
    shown = ablation.assign(model=[MODELS.get(name, name) for name in ablation["model"]])
    names = {"model": "model", "MicroMAE": "MAE (years)", "MacroMAE": "mean over projects", "R": "r"}
    names |= {"Minus_Anchor": "minus anchor (years)", "Minus_Anchor_SE": "paired standard error"}
    return table(shown, names, {"R": 3})


def coverage_table(coverage: pd.DataFrame) -> dict[str, list]:
    """Coverage by stratum, in words and per cent."""
    shown = coverage.assign(
        stratum=[STRATA.get(name, name) for name in coverage["stratum"]],
        coverage=100 * coverage["coverage"],
        group_coverage=100 * coverage["group_coverage"],
    )
    names = {"stratum": "stratum", "level": "", "n": "samples", "coverage": "covered (%)"}
    names |= {"group_coverage": "mean over groups (%)", "median_width": "median width (years)"}
    return table(shown, names, {"coverage": 1, "group_coverage": 1})


def certificate_rows(certificate: pd.DataFrame) -> list[dict[str, str]]:
    """The falsifications, with measured and limit as text."""
    return [
        {
            "test": readable(str(row["test"]), 99),
            "measured": _cell(row["measured"], 3),
            "limit": _cell(row["limit"], 3),
            "verdict": str(row["verdict"]),
            "meaning": str(row["meaning"]),
        }
        for row in certificate.to_dict("records")
    ]


def without_skill(experts: pd.DataFrame) -> Sequence[str]:
    """The hallmarks whose corrections are no better than none, in words."""
    return [readable(name, 99) for name in experts.loc[~has_skill(experts), "hallmark"]]
