"""The report: one HTML page with all pictures and tables, which needs no network."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from heteroage.evaluation.published import by_project, worth_training
from heteroage.evaluation.scores import what_stages_add
from heteroage.figures.style import readable
from heteroage.metrics import mean_age_of_other_folds, pearson_r, score_predictions
from heteroage.report.methods import methods
from heteroage.report.page_tables import (
    ablation_table,
    accuracy_tables,
    certificate_rows,
    coverage_table,
    expert_table,
    scoring_table,
    whole_table,
    without_skill,
)
from heteroage.report.summary import what_experts_add, what_fusion_adds

COMMAND = "snakemake --cores 2 report"
CONTENTS = [
    ("accuracy", "Accuracy"),
    ("honesty", "Optimism and ablation"),
    ("leakage", "Leakage certificate"),
    ("sweeping", "The sweep"),
    ("hallmarks", "Hallmarks"),
    ("fusing", "Fusion"),
    ("intervals", "Intervals"),
    ("accelerating", "Acceleration"),
    ("data", "The data"),
    ("making", "How it was made"),
]
DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"


@dataclass(frozen=True)
class Figure:
    """A picture of the page: title, alternative text, caption, and its bytes as a data URI."""

    title: str
    alt: str
    caption: str
    uri: str


def read_figure(picture: Path, caption: Path) -> Figure:
    """Read a picture and its caption.

    Pictures of `save_picture` contain title and alternative text. A PNG gets its file name and caption instead.
    """
    content = picture.read_bytes()
    text = " ".join(caption.read_text(encoding="utf-8").replace("``", "").split())
    if picture.suffix == ".png":
        return Figure(
            readable(picture.stem.capitalize(), 99).replace("Pc ", "PC "), text, text, _data_uri("image/png", content)
        )
    root = ElementTree.fromstring(content)
    described = {
        name: next((node.text or "" for node in root.iter(f"{DUBLIN_CORE}{name}")), "")
        for name in ("title", "description")
    }
    return Figure(described["title"], described["description"], text, _data_uri("image/svg+xml", content))


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64," + base64.b64encode(content).decode("ascii")


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
    figures: Mapping[str, Figure],
    audit: Sequence[Figure],
    tables: Mapping[str, pd.DataFrame],
    meta: Mapping,
    manifest: Mapping,
    simulated: bool,
    groups: Sequence[str] = (),
    card: Mapping | None = None,
) -> dict[str, object]:
    """Collect the content of the template.

    figures : by name
    audit : pictures of the data themselves, if any
    tables : by file name: Stage3_Final_Predictions_OOF, Stage2_Performance_Summary, and for an evaluated clock
        accuracy, optimism, ablation, coverage, certificate
    meta : Stage3_Artifacts.json
    manifest : MANIFEST.json
    groups : sentences on studies that are one group, and on a group that dominates
    card : MODEL_CARD.json, for the methods paragraph
    """
    nested = "accuracy" in tables
    accuracy = tables["accuracy"] if nested else out_of_fold_errors(tables["Stage3_Final_Predictions_OOF"])
    experts = tables["Stage2_Performance_Summary"]
    covered = tables.get("coverage", pd.DataFrame(columns=["stratum", "coverage"])).query("stratum == 'all'")
    return {
        "nested": nested,
        "simulated": simulated,
        "groups": groups,
        "command": COMMAND,
        "contents": CONTENTS if audit else [entry for entry in CONTENTS if entry[0] != "data"],
        "audit": audit,
        "figures": figures,
        "headline": headline(accuracy),
        "procedure": "" if nested else procedure_error(meta),
        "covered": f"{100 * covered['coverage'].iloc[0]:.1f}" if len(covered) else "",
        "covered_by_group": f"{100 * covered['group_coverage'].iloc[0]:.1f}" if len(covered) else "",
        "nominal": f"{100 * meta['intervals']['level']:g}" if meta["intervals"] else "",
        "accuracy": accuracy_tables(accuracy),
        "published": whole_table(by_project(accuracy)),
        "clocks": whole_table(tables.get("published_clocks", pd.DataFrame())),
        "worth": worth_training(accuracy),
        "optimism": scoring_table(tables["optimism"]) if nested else None,
        "stages_add": what_stages_add(tables["ablation"]) if nested else [],
        "ablation": ablation_table(tables["ablation"]) if nested else None,
        "certificate": certificate_rows(tables["certificate"]) if "certificate" in tables else [],
        "experts": expert_table(experts),
        "unskilled": without_skill(experts),
        "experts_add": what_experts_add(experts, meta.get("errors_out_of_fold")),
        "fusion_adds": what_fusion_adds(tables["Stage3_Final_Predictions_OOF"], meta["boosting_rounds"]),
        "rounds": meta["boosting_rounds"],
        "coverage": coverage_table(tables["coverage"]) if "coverage" in tables else None,
        "methods": methods(card, tables.get("accuracy")) if card else None,
        "software": meta["software"],
        "digest": manifest["training_data"]["sha256"],
    }


def out_of_fold_errors(predictions: pd.DataFrame) -> pd.DataFrame:
    """Score out-of-fold predictions in the format of accuracy.csv, for `all` only and without intervals.

    The third predictor is the mean age of the other folds' samples.
    """
    age = predictions["Age"]
    ages = {
        "HeteroAge": predictions["HeteroAge"],
        "Stage1_Pred_Age": predictions["Stage1_Pred_Age"],
        "Training_Mean_Age": mean_age_of_other_folds(age, predictions["fold"]),
    }
    rows = []
    for model, predicted in ages.items():
        scores = score_predictions(age, predicted, predictions["project_id"])
        rows.append(
            {
                "model": model,
                "stratum": "all",
                "level": "all",
                "n": len(age),
                "n_projects": predictions["project_id"].nunique(),
                "MAE": scores["MicroMAE"],
                "MedAE": scores["MedAE"],
                "MacroMAE": scores["MacroMAE"],
                "Bias": float((predicted - age).mean()),
                "R": pearson_r(age, predicted),
            }
        )
    return pd.DataFrame(rows)


def procedure_error(meta: Mapping) -> str:
    """Out-of-fold MAE in years, with the rounds chosen again without each fold; empty where it is not known."""
    errors = meta.get("errors_out_of_fold")
    return f"{errors['procedure']['MicroMAE']:.2f}" if errors else ""


def headline(accuracy: pd.DataFrame) -> dict[str, str]:
    """The numbers at the top of the page, as text."""
    overall = accuracy[accuracy["stratum"] == "all"].set_index("model")
    clock = overall.loc["HeteroAge"]
    spread = ""
    if "MAE_Lower" in clock and not math.isnan(clock["MAE_Lower"]):
        spread = f"95% interval {clock['MAE_Lower']:.1f} to {clock['MAE_Upper']:.1f}, by project"
    return {
        "mae": f"{clock['MAE']:.2f}",
        "spread": spread,
        "macro": f"{clock['MacroMAE']:.2f}",
        "r": f"{clock['R']:.3f}",
        "anchor": f"{overall.loc['Stage1_Pred_Age', 'MAE']:.2f}",
        "mean_age": f"{overall.loc['Training_Mean_Age', 'MAE']:.2f}",
        "n": f"{int(clock['n']):,}",
        "projects": f"{int(clock['n_projects'])}",
    }
