"""Texts on a clock: the summary at the end of a run, and the methods paragraphs of the report."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping

import pandas as pd

from heteroage.grouping.folds import MINIMUM_FOLDS

CHARACTERS_PER_LINE = 110  # characters per line
MOST_NAMED = 8  # maximum number of tissues that are named; more are only counted
# Cited as [@key] in the paragraphs below. Only references that the text cites are listed.
REFERENCES = {
    "horvath": "Horvath S. DNA methylation age of human tissues and cell types. Genome Biology 14:R115 (2013). "
    "doi:10.1186/gb-2013-14-10-r115",
    "elastic_net": "Zou H, Hastie T. Regularization and variable selection via the elastic net. J. R. Stat. Soc. B "
    "67:301-320 (2005). doi:10.1111/j.1467-9868.2005.00503.x",
    "noise": "Bishop CM. Training with noise is equivalent to Tikhonov regularization. Neural Computation 7:108-116 "
    "(1995). doi:10.1162/neco.1995.7.1.108",
    "hallmarks": "López-Otín C, Blasco MA, Partridge L, Serrano M, Kroemer G. Hallmarks of aging: an expanding "
    "universe. Cell 186:243-278 (2023). doi:10.1016/j.cell.2022.11.001",
    "lightgbm": "Ke G et al. LightGBM: a highly efficient gradient boosting decision tree. Advances in Neural "
    "Information Processing Systems 30:3146-3154 (2017).",
    "factors": "Tipping ME, Bishop CM. Probabilistic principal component analysis. J. R. Stat. Soc. B 61:611-622 "
    "(1999). doi:10.1111/1467-9868.00196",
    "conformal": "Papadopoulos H, Gammerman A, Vovk V. Normalized nonconformity measures for regression conformal "
    "prediction. Proc. Artificial Intelligence and Applications (AIA), 64-69 (2008).",
    "groups": "Dunn R, Wasserman L, Ramdas A. Distribution-free prediction sets for two-layer hierarchical models. "
    "J. Am. Stat. Assoc. 118:2491-2502 (2023). doi:10.1080/01621459.2022.2060112",
    "bootstrap": "Field CA, Welsh AH. Bootstrapping clustered data. J. R. Stat. Soc. B 69:369-390 (2007). "
    "doi:10.1111/j.1467-9868.2007.00593.x",
    "scikit-learn": "Pedregosa F et al. Scikit-learn: machine learning in Python. J. Mach. Learn. Res. 12:2825-2830 "
    "(2011).",
    "snakemake": "Mölder F et al. Sustainable data analysis with Snakemake. F1000Research 10:33 (2021). "
    "doi:10.12688/f1000research.29032.2",
}


def errors_of(card: Mapping) -> dict[str, Mapping[str, float]]:
    """Return the errors out of fold of the `anchor`, of `HeteroAge`, and of the `mean` age of the other folds."""
    return {row["predictor"].split(" ")[0]: row for row in card["errors_out_of_fold"]}


def what_experts_add(card: Mapping) -> str:
    """Return one sentence on the out-of-fold improvement of the experts over the anchor, or that none has skill."""
    experts, errors = card["stage2"]["experts"], card["stage3"]["errors_out_of_fold"]
    skilled = sum(row["skill"] for row in experts)
    if not skilled:
        return "The experts add nothing here: none has skill out of fold."
    gain = errors["anchor"]["MicroMAE"] - errors["anchor_plus_experts"]["MicroMAE"]
    who = f"The corrections of the {skilled} experts" if skilled > 1 else "The correction of the one expert"
    return (
        f"{who} with skill, added to the anchor, {'make' if skilled > 1 else 'makes'} its error "
        f"{'smaller' if gain > 0 else 'larger'} by {abs(gain):.2f} years, out of fold."
    )


def what_fusion_adds(card: Mapping) -> str:
    """Return one sentence on the out-of-fold improvement of HeteroAge over the anchor."""
    if not card["stage3"]["boosting_rounds"]:
        return "The fusion adds nothing here: no boosting round was earned, and HeteroAge is the anchor."
    anchor, fused = (errors_of(card)[name]["MicroMAE"] for name in ("anchor", "HeteroAge"))
    change = "smaller" if fused < anchor else "larger"
    return f"The fusion makes the anchor's error {change} by {abs(anchor - fused):.2f} years, out of fold."


def summarise(card: Mapping, predicted: Mapping[str, pd.DataFrame], simulated: bool) -> str:
    """Summarise the outputs, their accuracy, and the next steps for a new user.

    card : MODEL_CARD.json
    predicted : {path: predictions of one of the user's tables}
    """
    data, experts, errors = card["training_data"], card["stage2"]["experts"], errors_of(card)
    skilled = [row["hallmark"] for row in experts if row["skill"]]
    held_out = "donors" if card["held_out"].startswith("donors") else "groups"
    lines = [
        f"A clock was trained on {data['samples']} healthy samples of {data['projects']} projects"
        + (" (simulated: the numbers say nothing about real tissue)." if simulated else "."),
        *[line for sentence in card["groups"] for line in textwrap.wrap(sentence, CHARACTERS_PER_LINE)],
        "",
        f"Error on held-out {held_out}, in years      all samples   mean over projects",
    ]
    rows = {
        "HeteroAge": errors["HeteroAge"],
        "  with rounds chosen in each fold": card["stage3"]["errors_out_of_fold"]["procedure"],
        "anchor alone": errors["anchor"],
        "mean age of the other folds": errors["mean"],
    }
    for name, scores in rows.items():
        lines.append(f"  {name:<34} {scores['MicroMAE']:>11.2f} {scores['MacroMAE']:>20.2f}")
    lines += [
        "",
        what_experts_add(card),
        what_fusion_adds(card),
        f"Hallmark experts with skill out of fold: {len(skilled)} of {len(experts)}"
        + (f" ({', '.join(skilled)})" if 0 < len(skilled) <= 4 else "")
        + f"; boosting rounds earned: {card['stage3']['boosting_rounds']}.",
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
        if data["projects"] > MINIMUM_FOLDS
        else "Make the report (a nested error to quote takes four studies):",
        "  snakemake --cores 2 report                  (and the --configfile of this run, if it had one)",
        "Apply the clock anywhere:",
        "  heteroage pipeline-predict --artifact-dir results/full_artifacts --input TABLE --out AGES.csv",
    ]
    return "\n".join(lines) + "\n"


def methods(card: Mapping, accuracy: pd.DataFrame | None = None) -> dict[str, list[str]]:
    """Write the methods: training data, models, evaluation and software.

    card : MODEL_CARD.json
    accuracy : table of nested runs; None if there are none

    Returns `paragraphs` and `references`; a paragraph cites references by their numbers, in square brackets.
    """
    cited: dict[str, int] = {}  # {reference: its number}, in the order of citation

    def number(found: re.Match) -> str:
        return str(cited.setdefault(found[1], len(cited) + 1))

    texts, key = [_training(card), _evaluation(card, accuracy)], re.compile(rf"@({'|'.join(REFERENCES)})\b")
    paragraphs = [key.sub(number, text) for text in texts]
    return {"paragraphs": paragraphs, "references": [REFERENCES[key] for key in cited]}


def _training(card: Mapping) -> str:
    data, stage1, noise = card["training_data"], card["stage1"], ""
    tissues = list(data["tissues"])
    named = f"{len(tissues)} tissues" if len(tissues) > MOST_NAMED else ", ".join(tissues)
    sexes = ", ".join(f"{n} {sex}" for sex, n in data["sexes"].items())
    version = card["software"].get("heteroage-clock", "")
    if sd := stage1.get("technical_sd"):
        noise = f" It is penalised for technical noise of standard deviation {sd:g} (beta values) [@noise]."
    experts = card["stage2"]["experts"]
    skilled = [row["hallmark"] for row in experts if row["skill"]]
    which = f" ({', '.join(skilled)})" if 0 < len(skilled) <= MOST_NAMED else ""
    rounds, intervals = (card["stage3"][name] for name in ("boosting_rounds", "intervals"))
    earned = "earned no round in cross-validation, so that the predicted age is Stage 1's."
    if rounds:
        earned = f"took {rounds} rounds, chosen by cross-validation over groups."
    text = (
        f"An epigenetic clock was trained with heteroage-clock {version} on DNA methylation of {data['samples']} "
        f"healthy samples ({named}; sex: {sexes}; age {data['age_from']:g} to {data['age_to']:g} years) from "
        f"{data['projects']} {'study' if data['projects'] == 1 else 'studies'}. Studies that share donors or "
        f"near-identical arrays count as one group ({data['groups']} group{'s' * (data['groups'] != 1)}). "
        "Stage 1 is an elastic net [@elastic_net] on age, transformed as by Horvath [@horvath], with alpha "
        f"{stage1['alpha']:g} and l1 ratio {stage1['l1_ratio']:g}.{noise} These values were chosen among "
        f"{stage1['configurations_swept']} configurations by cross-validation in {len(card['folds'])} folds that hold "
        f"out {card['held_out']}. {stage1['features_with_weight']} features have weight. "
        f"Stage 2 fits an elastic net to Stage 1's out-of-fold residual for each of {len(experts)} sets of CpGs, named "
        f"after hallmarks of ageing [@hallmarks]; {len(skilled)} corrected it better than nothing out of fold{which}. "
        "Stage 3, gradient boosting [@lightgbm] from Stage 1's age on the corrections, tissue, sex and principal "
        f"components of methylation, {earned} Missing CpGs take their conditional mean under a factor model [@factors]."
    )
    if intervals:
        level = 100 * intervals["level"]
        text += f" Intervals of nominal {level:g}% are conformal, calibrated by group [@conformal, @groups]."
    return text


def _evaluation(card: Mapping, accuracy: pd.DataFrame | None) -> str:
    if accuracy is None:
        error = errors_of(card)["HeteroAge"]["MicroMAE"]
        text = (
            f"Predicted in {len(card['folds'])} folds that hold out {card['held_out']}, the mean absolute error was "
            f"{error:.2f} years. The same folds tuned the models, so this is probably too small; the error on a new "
            "study was not measured by nested cross-validation."
        )
    else:
        row = accuracy[(accuracy["stratum"] == "all") & (accuracy["model"] == "HeteroAge")].iloc[0]
        spread = ""
        if row["MAE_Lower"] == row["MAE_Lower"]:
            limits = f"{row['MAE_Lower']:.2f} to {row['MAE_Upper']:.2f}"
            spread = f" (95% interval {limits}, bootstrap of studies [@bootstrap])"
        text = (
            "The whole training, tuning included, was repeated without each outer fold of whole groups, and each "
            f"repeat predicted the samples that it had not seen: mean absolute error {row['MAE']:.2f} years{spread}, "
            f"mean over studies {row['MacroMAE']:.2f} years, bias {row['Bias']:+.2f} years, r {row['R']:.3f} "
            f"(n = {row['n']:.0f})."
        )
    versions = ", ".join(f"{name} {version}" for name, version in card["software"].items())
    software = (
        f"Software: {versions} [@scikit-learn], run by Snakemake [@snakemake]. Digest of the training data (SHA-256): "
        f"{card['training_data']['sha256']}."
    )
    return " ".join([text, *card["groups"], software])
