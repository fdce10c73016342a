"""The model card: training data, errors and limits of a clock, written from its artifacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from heteroage.errors import listed
from heteroage.evaluation.published import worth_training
from heteroage.files import read_json, read_table, sha256_of
from heteroage.grouping.folds import describe_dominance, describe_few_groups, describe_ties, hold_out_donors
from heteroage.metrics import mean_age_of_other_folds, score_predictions
from heteroage.stages.stage1 import STRENGTH, selected_row

TESTS = ["test", "measured", "limit", "verdict", "meaning"]  # columns of the certificate
EDGE = 1e-5  # alphas are rounded to 6 digits
LIMITATIONS = [
    "Tissues, platforms and ages that are not listed were not trained on.",
    "Missing CpGs are imputed by a model of the training samples. Predictions contain the imputed fraction per sample.",
    "HeteroAge is a prediction of chronological age. Its error is not a measure of biological age. The correction of a "
    "hallmark is the contribution of its CpGs to the prediction, not a measurement of the hallmark.",
    "Not for diagnosis.",
]


def describe(
    folder: Path,
    samples: pd.DataFrame,
    training_data: Mapping[str, object],
    evaluation: Mapping[str, pd.DataFrame] | None = None,
    copies: pd.DataFrame | None = None,
    start_from: Mapping[str, object] | None = None,
    alphas: Mapping[str, Mapping[str, float]] | None = None,
) -> dict[str, object]:
    """Collect the content of MODEL_CARD.json.

    folder : an assembled clock
    samples : its training samples, with group and fold
    training_data : digests of the training files
    evaluation : tables `accuracy` and `coverage` of nested runs and the falsification `certificate`, if they exist
    copies : pairs of near-identical arrays among all samples, from the audit
    start_from : the published clock in the config
    alphas : the config's grids of `stage1` and `stage2`
    """
    report = read_table(folder / "stage1/Stage1_Sweep_Report.csv")
    experts = read_table(folder / "stage2/Stage2_Performance_Summary.csv")
    meta = read_json(folder / "stage3/Stage3_Artifacts.json")
    evaluation, donors = evaluation or {}, hold_out_donors(samples)
    configuration = selected_row(report, "the sweep report")
    remarks = [
        *describe_ties(samples, copies),
        *describe_few_groups(samples),
        *([] if donors else describe_dominance(samples)),
        *describe_start(start_from, configuration.get(STRENGTH, 0.0), samples["project_id"]),
        *_ends_of_grids(report, configuration["alpha"], experts, alphas or {}),
    ]
    return {
        "clock": "A three-stage epigenetic age clock: anchor, hallmark experts, context fusion.",
        "groups": remarks,
        "training_data": {**_counts(samples), "sha256": training_data["sha256"]},
        "held_out": "donors of the same studies" if donors else "whole groups",
        "folds": [
            {"fold": int(fold), "samples": len(rows), "groups": sorted(rows["group"].unique())}
            for fold, rows in samples.groupby("fold")
        ],
        "stage1": {
            **configuration,
            "configurations_swept": len(report),
            "features_with_weight": len(read_table(folder / "stage1/Stage1_Global_Model_Weights.csv")) - 1,
        },
        "stage2": {"experts": _records(experts), "skipped": read_json(folder / "stage2/manifest.json")["skipped"]},
        "stage3": {
            "boosting_rounds": meta["boosting_rounds"],
            "errors_out_of_fold": meta["errors_out_of_fold"],
            "parameters": meta["parameters"],
            "intervals": meta["intervals"],
        },
        "errors_out_of_fold": _errors(read_table(folder / "stage3/Stage3_Final_Predictions_OOF.csv")),
        "errors_nested": _records(evaluation.get("accuracy")),
        "coverage_nested": _records(evaluation.get("coverage")),
        "certificate": _records(evaluation.get("certificate")),
        "limits": LIMITATIONS,
        "software": meta["software"],
    }


def _counts(samples: pd.DataFrame) -> dict[str, object]:
    return {
        "samples": len(samples),
        "projects": int(samples["project_id"].nunique()),
        "groups": int(samples["group"].nunique()),
        "age_from": float(samples["Age"].min()),
        "age_to": float(samples["Age"].max()),
        "tissues": samples["Tissue"].value_counts().to_dict(),
        "sexes": samples["Sex"].value_counts().to_dict(),
    }


def render(card: Mapping[str, object]) -> str:
    """Format the content of MODEL_CARD.json as Markdown."""
    data, stage1, stage2, stage3 = (card[key] for key in ("training_data", "stage1", "stage2", "stage3"))
    experts = pd.DataFrame(stage2["experts"])[["hallmark", "features_offered", "features_used", "R2_Residual", "skill"]]
    rounds = stage3["boosting_rounds"]
    sections = {
        "Model card": [card["clock"], *(f"\n{sentence}" for sentence in card["groups"])],
        "Training data": [
            f"{data['samples']} healthy samples of {data['projects']} projects in {data['groups']} groups (samples "
            f"tied by project or donor), aged {data['age_from']:g} to {data['age_to']:g} years.",
            f"SHA-256 of samples and features: `{data['sha256']}`.",
            "",
            _table(pd.DataFrame(data["tissues"].items(), columns=["Tissue", "samples"])),
            "",
            _table(pd.DataFrame(data["sexes"].items(), columns=["Sex", "samples"])),
            "",
            f"Folds, {card['held_out']} held out:",
            "",
            *(f"- fold {f['fold']}: {f['samples']} samples of {', '.join(f['groups'])}" for f in card["folds"]),
        ],
        "Error in years": _error_section(card),
        "Leakage certificate": [
            _table(pd.DataFrame(certificate)[TESTS].round(3).replace({"verdict": {"fail": "FAIL"}}))
            if (certificate := card["certificate"])
            else "Not tested yet (`snakemake falsify`)."
        ],
        "Stage 1": [
            f"{stage1['features_with_weight']} features have weight. Of {stage1['configurations_swept']} "
            f"configurations alpha {stage1['alpha']:g} and l1_ratio {stage1['l1_ratio']:g} were chosen; tissues of at "
            f"least {stage1['min_cohorts']:g} projects, weighted down to {stage1['median_mult']:g} times the median "
            f"tissue (at least {stage1['min_cap']:g}, at most {stage1['max_cap']:g} samples).",
        ],
        "Stage 2": [
            "R2 is that of the correction against no correction, out of fold. An expert has skill if its R2 is above "
            "0. The corrections of an expert without skill are noise: do not interpret them.",
            "",
            _table(experts),
            *(f"\n{hallmark} was skipped: {reason}." for hallmark, reason in stage2["skipped"].items()),
        ],
        "Stage 3": [
            f"{rounds} boosting rounds"
            + (" were earned." if rounds else ": none was earned, and the fusion returns the anchor.")
        ],
        "Limits of use": [f"- {limit}" for limit in card["limits"]],
        "Software": [f"- {name} {version}" for name, version in card["software"].items()],
    }
    texts = ["\n".join([f"## {title}", "", *lines]) for title, lines in sections.items()]
    return "\n\n".join(texts).removeprefix("#") + "\n"


def _ends_of_grids(
    report: pd.DataFrame, best: float, experts: pd.DataFrame, alphas: Mapping[str, Mapping[str, float]]
) -> list[str]:
    """Describe where the search for the best alpha continued beyond the config's grids, or still ended at an end."""
    sentences, (lowest, highest) = [], report["alpha"].agg(["min", "max"])
    grid = alphas.get("stage1") or {"lowest": lowest, "highest": highest}
    if len(report) > 1 and (lowest < grid["lowest"] * (1 - EDGE) or highest > grid["highest"] * (1 + EDGE)):
        sentences.append(
            f"The sweep of the anchor continued beyond stage1.alpha ({grid['highest']:g} to {grid['lowest']:g}), "
            f"from {highest:g} to {lowest:g}, because the best alpha was at an end."
        )
    if (grid := alphas.get("stage2")) and "alpha" in experts.columns:
        low, high = grid["lowest"] * (1 - EDGE), grid["highest"] * (1 + EDGE)
        beyond = experts.loc[~experts["alpha"].between(low, high), "hallmark"]
        if len(beyond):
            sentences.append(
                f"The best alpha of {len(beyond)} of {len(experts)} experts was found beyond stage2.alpha "
                f"({grid['highest']:g} to {grid['lowest']:g}): {', '.join(beyond[:5])}."
            )
    if lowest < highest and best in (lowest, highest):
        sentences.append(
            f"The best alpha of the anchor, {best:g}, is at an end of those that were swept ({lowest:g} to "
            f"{highest:g}). Widen stage1.alpha."
        )
    return sentences


def describe_start(start_from: Mapping[str, object] | None, strength: float, projects: Sequence[str]) -> list[str]:
    """Describe the published clock and its effect on the errors."""
    if not start_from:
        return []
    path = str(start_from["coefficients"])
    told = [f"{key} {start_from[key]}" for key in ("source", "licence") if start_from.get(key)]
    details = "; ".join([f"SHA-256 {sha256_of(path)[:16]}", *told])
    name = path.replace("\\", "/").split("/")[-1]
    sentences = [
        f"The anchor could start from the published clock {name} ({details}); the folds chose strength {strength:g}."
    ]
    seen = sorted(set(map(str, start_from.get("trained_on") or [])) & set(map(str, projects)))
    if seen and strength > 0:
        sentences.append(
            f"That clock was trained on studies that are among these ({listed(seen)}): out-of-fold and nested errors "
            "are probably too small."
        )
    elif strength > 0 and not start_from.get("trained_on"):
        sentences.append(
            "The config does not say what that clock was trained on (stage1.start_from.trained_on). If any of these "
            "studies is among it, out-of-fold and nested errors are probably too small."
        )
    return sentences


def _error_section(card: Mapping[str, object]) -> list[str]:
    if card["errors_nested"] is None:
        procedure = card["stage3"]["errors_out_of_fold"]["procedure"]
        return [
            "This card was sealed without the nested error, the one to quote. `snakemake report` writes it to "
            "results/report/index.html; with `model_card.evaluated: true` it stands here.",
            f"Out of fold, {card['held_out']} were held out in {len(card['folds'])} folds. Stage 1 was configured",
            "on the same folds, so these errors are probably too small:",
            "",
            _table(pd.DataFrame(card["errors_out_of_fold"])),
            "",
            "HeteroAge is that of this clock. With its boosting rounds chosen again in each fold, the procedure's "
            f"MicroMAE is {procedure['MicroMAE']:.2f}.",
        ]
    nested = pd.DataFrame(card["errors_nested"])
    nested = nested[nested["stratum"] == "all"]
    shown = ["model", "n", "n_projects", "MAE", "MAE_Lower", "MAE_Upper", "MacroMAE", "MedAE", "Bias", "R"]
    covered = next(row for row in card["coverage_nested"] if row["stratum"] == "all")
    level = (card["stage3"]["intervals"] or {}).get("level")
    return [
        "Nested: the whole training was repeated without each outer fold, and that fold predicted. This is the error",
        "to expect on a new study. MAE_Lower to MAE_Upper is its 95% interval, by bootstrap over projects.",
        "",
        _table(nested[shown]),
        "",
        *[sentence + "\n" for sentence in [worth_training(pd.DataFrame(card["errors_nested"]))] if sentence],
        f"Prediction intervals of nominal {100 * level:g}% held {100 * covered['coverage']:.1f}% of these samples, "
        f"and on average {100 * covered['group_coverage']:.1f}% of a group."
        if level
        else "No prediction intervals: too few groups to calibrate them.",
    ]


def _errors(predictions: pd.DataFrame) -> list[dict]:
    predicted = {
        "anchor (Stage 1)": predictions["Stage1_Pred_Age"],
        "HeteroAge (Stage 3)": predictions["HeteroAge"],
        "mean age of the other folds": mean_age_of_other_folds(predictions["Age"], predictions["fold"]),
    }
    projects = predictions["project_id"]
    scores = {name: score_predictions(predictions["Age"], ages, projects) for name, ages in predicted.items()}
    table = pd.DataFrame(scores).T[["MicroMAE", "MacroMAE", "MedAE", "MicroR"]]
    return _records(table.rename_axis("predictor").reset_index())


def _records(frame: pd.DataFrame | None) -> list[dict] | None:
    """Convert rows for JSON; missing values become null."""
    return None if frame is None else frame.astype(object).where(frame.notna(), None).to_dict("records")


def _table(frame: pd.DataFrame) -> str:
    rows = [map(str, frame.columns), ["---"] * frame.shape[1], *(map(cell, row) for row in frame.to_numpy(object))]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def cell(value: object, digits: int = 2) -> str:
    """Return a cell of a table as text: empty if missing, a float with this number of digits."""
    if value is None or value != value:
        return ""
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)
