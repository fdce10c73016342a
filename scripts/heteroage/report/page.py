"""The report: one HTML page with all pictures and tables, which needs no network."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from heteroage.evaluation.nested import MODELS, what_stages_add
from heteroage.evaluation.nested import accuracy as tabulate_errors
from heteroage.evaluation.published import DIFFERENCE, ERROR, LOWER, UPPER, published_rows, worth_training
from heteroage.figures.held_out import PARTS, TITLES, scoring_name
from heteroage.figures.style import readable
from heteroage.metrics import mean_age_of_other_folds
from heteroage.report.model_card import TESTS, cell
from heteroage.report.text import methods, what_experts_add, what_fusion_adds

# Columns of each table, with their titles.
ACCURACY = {"level": "", "n": "samples", "n_projects": "projects", "MAE": "MAE (years)", "MAE_Range": "95% interval"}
ACCURACY |= {"MedAE": "median error", "Bias": "bias (years)", "R": "r", "R2": "R²", "Mean_Age_MAE": "MAE of mean age"}
EXPERTS = {"hallmark": "hallmark", "features_offered": "features offered", "features_used": "used"}
EXPERTS |= {"R2_Residual": "R² against no correction", "MAE_Anchor": "MAE of the anchor (years)"}
EXPERTS |= {"MAE_Anchor_Plus_Correction": "with the correction (years)", "skill": "skill"}
SCORES = {"MicroMAE": "MAE (years)", "MacroMAE": "mean over projects", "R": "r"}
OPTIMISM = {"scoring": "scored by", **SCORES, "Gap_Years": "nested minus this (years)"}
ABLATION = {"model": "model", **SCORES}
ABLATION |= {"Minus_Anchor": "minus anchor (years)", "Minus_Anchor_SE": "paired standard error"}
COVERAGE = {"stratum": "stratum", "level": "", "n": "samples", "coverage": "covered (%)"}
COVERAGE |= {"group_coverage": "mean over groups (%)", "median_width": "median width (years)"}
PUBLISHED = {"model": "clock", "level": "project", "n": "samples", "MAE": "MAE (years)", "MedAE": "median error"}
PUBLISHED |= {"Bias": "bias (years)", "R": "r", DIFFERENCE: "minus HeteroAge (years)", ERROR: "standard error"}
PUBLISHED |= {LOWER: "95% from", UPPER: "to", "Missing_CpGs": "CpGs missing", "CpGs": "of"}
PUBLISHED |= {"In_Its_Training": "in its training"}
DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"


def read_figure(picture: Path, caption: Path) -> dict[str, str]:
    """Read a picture of `save_picture`, or a PNG (its title is the file name, its alternative text the caption).

    Returns its title, alternative text (alt), caption, and its bytes as a data URI.
    """
    content = picture.read_bytes()
    text = " ".join(caption.read_text(encoding="utf-8").replace("``", "").split())
    if picture.suffix == ".png":
        kind, title, alt = "png", readable(picture.stem.capitalize(), 99).replace("Pc ", "PC "), text
    else:
        nodes = [next(ElementTree.fromstring(content).iter(DUBLIN_CORE + name)) for name in ("title", "description")]
        kind, (title, alt) = "svg+xml", (node.text or "" for node in nodes)
    uri = f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
    return {"title": title, "alt": alt, "caption": text, "uri": uri}


def page(template: Path, content: Mapping[str, object]) -> str:
    """Fill a template; included templates are in the same folder."""
    environment = Environment(
        loader=FileSystemLoader(template.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template.name).render(content)


def page_content(
    figures: Mapping[str, Mapping[str, str]],
    audit: Sequence[Mapping[str, str]],
    tables: Mapping[str, pd.DataFrame],
    card: Mapping,
    simulated: bool,
) -> dict[str, object]:
    """Collect the content of the template.

    figures : by name
    audit : pictures of the data themselves, if any
    tables : by file name: Stage3_Final_Predictions_OOF, and for an evaluated clock accuracy, optimism, ablation,
        coverage, certificate and published_clocks
    card : MODEL_CARD.json
    """
    nested = "accuracy" in tables
    predictions, experts = tables["Stage3_Final_Predictions_OOF"], pd.DataFrame(card["stage2"]["experts"])
    accuracy = tables["accuracy"] if nested else out_of_fold_errors(predictions)
    clocks = tables.get("published_clocks", pd.DataFrame())
    names = [readable(name, 99) for name in experts["hallmark"]]
    skill = ["yes" if skill else "no skill: noise" for skill in experts["skill"]]
    return {
        "card": card,
        "nested": nested,
        "simulated": simulated,
        "audit": audit,
        "figures": figures,
        "errors": accuracy[accuracy["stratum"] == "all"].set_index("model").to_dict("index"),
        "accuracy": accuracy_tables(accuracy),
        "published": published_table(accuracy),
        "clocks": _table(clocks, {name: name.replace("_", " ") for name in clocks}) if len(clocks) else None,
        "worth": worth_training(accuracy),
        **(nested_tables(tables) if nested else {"certificate": []}),
        "experts": _table(experts.assign(hallmark=names, skill=skill), EXPERTS, {"R2_Residual": 3}),
        "unskilled": [name for name, skill in zip(names, experts["skill"], strict=True) if not skill],
        "experts_add": what_experts_add(card),
        "fusion_adds": what_fusion_adds(card),
        "methods": methods(card, tables.get("accuracy")),
    }


def out_of_fold_errors(predictions: pd.DataFrame) -> pd.DataFrame:
    """Score out-of-fold predictions and the mean age of the other folds, as in accuracy.csv, over all samples."""
    guessed = mean_age_of_other_folds(predictions["Age"], predictions["fold"])
    table = tabulate_errors(predictions.assign(Training_Mean_Age=guessed))
    return table[table["stratum"] == "all"].drop(columns=["MAE_Lower", "MAE_Upper", "R2"])


def published_table(accuracy: pd.DataFrame) -> dict[str, list] | None:
    """Return the errors of published clocks over all samples and in each project, as text; None without clocks."""
    rows = published_rows(accuracy)
    rows = rows[rows["stratum"].isin(["all", "project_id"])]
    if rows.empty:
        return None
    seen = rows["In_Its_Training"].astype(str).replace({"True": "yes", "False": ""})
    return _table(rows.assign(In_Its_Training=seen), PUBLISHED, {"n": 0, "Missing_CpGs": 1, "CpGs": 0})


def _table(frame: pd.DataFrame, titles: Mapping[str, str], digits: Mapping[str, int] | None = None) -> dict[str, list]:
    """Return the named columns of a frame as text: {"head": [...], "rows": [[...], ...]}; numbers to two digits."""
    columns = [column for column in titles if column in frame.columns]
    places = [(digits or {}).get(column, 2) for column in columns]
    rows = [list(map(cell, row, places)) for row in frame[columns].itertuples(index=False)]
    return {"head": [titles[column] for column in columns], "rows": rows}


def accuracy_tables(accuracy: pd.DataFrame) -> list[dict[str, object]]:
    """Return the errors of HeteroAge by each stratum, and of all predictors over all samples."""
    shown = accuracy.copy()
    if "MAE_Lower" in shown:
        limits = zip(shown["MAE_Lower"], shown["MAE_Upper"], strict=True)
        shown["MAE_Range"] = ["" if math.isnan(low) else f"{low:.2f} to {high:.2f}" for low, high in limits]
    overall = shown[shown["stratum"] == "all"]
    overall = overall.assign(level=[MODELS.get(model, model) for model in overall["model"]])
    tables = [{"title": "All samples", **_table(overall, ACCURACY | {"MacroMAE": "mean over projects (years)"})}]
    base = shown[shown["model"] == "Training_Mean_Age"].set_index(["stratum", "level"])["MAE"].rename("Mean_Age_MAE")
    clock = shown[shown["model"] == "HeteroAge"].join(base, on=["stratum", "level"])
    for stratum, name in TITLES.items():
        rows = clock[clock["stratum"] == stratum]
        if stratum != "all" and len(rows):
            tables.append({"title": f"HeteroAge by {name}", **_table(rows, ACCURACY)})
    return tables


def nested_tables(tables: Mapping[str, pd.DataFrame]) -> dict[str, object]:
    """Return the tables of the nested evaluation and the certificate as text, and the coverage of all samples."""
    optimism, ablation, coverage, certificate = (tables[n] for n in ("optimism", "ablation", "coverage", "certificate"))
    scorings = list(map(scoring_name, optimism["scoring"], optimism["model"]))
    percent = {name: 100 * coverage[name] for name in ("coverage", "group_coverage")}
    coverage = coverage.assign(**percent)
    shown = certificate.assign(test=[readable(test, 99) for test in certificate["test"]])[TESTS]
    return {
        "stages_add": what_stages_add(ablation),
        "optimism": _table(optimism.assign(scoring=scorings), OPTIMISM, {"R": 3}),
        "ablation": _table(ablation.assign(model=ablation["model"].replace(PARTS)), ABLATION, {"R": 3}),
        "coverage": _table(coverage.replace({"stratum": TITLES}), COVERAGE, dict.fromkeys(percent, 1)),
        "certificate": [{key: cell(value, 3) for key, value in row.items()} for row in shown.to_dict("records")],
        "covered": coverage[coverage["stratum"] == "all"].iloc[0].to_dict(),
    }
