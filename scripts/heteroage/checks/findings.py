"""Findings of the audit in words, each with the file that contains the details."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from heteroage.errors import listed
from heteroage.grouping.folds import describe_ties
from heteroage.labels import nearly_alike

FEW_CPGS = 10  # hallmarks with fewer CpGs are reported
MUCH_MISSING = 0.2  # samples with a larger fraction of missing features are reported
ENTANGLED = 0.8  # minimum eta squared of study and age that is reported as confounding


def find_noteworthy(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """List the findings, each with the file that shows it; the most serious first.

    tables : the audit's tables by name, including `samples` (with `trains`) and `duplicates`; `sex` and `predicted` if
        they were checked
    """
    return [*_near_identical(tables), *_features(tables), *_samples(tables), *_confounding(tables), *_predicted(tables)]


def write_findings(findings: Sequence[str]) -> str:
    """Number the findings."""
    if not findings:
        return "The audit found nothing that you need to look at.\n"
    lines = [f"  {k}. {sentence}" for k, sentence in enumerate(findings, 1)]
    what = "one thing" if len(findings) == 1 else f"{len(findings)} things"
    return "\n".join([f"The audit found {what} to look at before you trust a clock:", *lines]) + "\n"


def _near_identical(tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    pairs = tables["duplicates"]
    for tie in describe_ties(tables["samples"], pairs):
        place = "audit/duplicated_arrays.csv" if "near-identical" in tie else "store/samples.csv"
        yield f"{tie} See results/{place}."
    pairs = pairs[pairs["project_1"] == pairs["project_2"]].drop_duplicates(["sample_1", "sample_2"])
    if len(pairs):
        names = listed(f"{a} and {b}" for a, b in pairs[["sample_1", "sample_2"]].to_numpy())
        yield (
            f"Near-identical arrays within a project ({names}). Is an array there twice? See "
            "results/audit/duplicated_arrays.csv."
        )


def _features(tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    for row in tables["values"].itertuples():
        if row.n_outside:
            yield (
                f"{row.modality} values below 0 or above 1: {row.n_outside:,}, from {row.lowest:g} to {row.highest:g} "
                f"(samples {row.samples_outside}). They are used as they are. See results/audit/values.csv."
            )
    hallmarks = tables["hallmarks"]
    empty = hallmarks["features"] == 0
    few = hallmarks.loc[~empty & (hallmarks["cpgs_in_data"] < FEW_CPGS), "hallmark"]
    if empty.any():
        yield (
            f"{empty.sum()} of {len(hallmarks)} hallmarks without a CpG in the data "
            f"({listed(hallmarks.loc[empty, 'hallmark'])}): they get no expert. Check that the dictionary and the data "
            "use the same CpG names. See results/audit/hallmarks.csv."
        )
    if len(few):
        yield (
            f"{len(few)} of {len(hallmarks)} hallmarks with fewer than {FEW_CPGS} CpGs in the data ({listed(few)}). "
            "See results/audit/hallmarks.csv."
        )
    modalities = tables["overlap"].loc[tables["overlap"]["n_samples"] > 0, "modalities"]
    single = modalities[~modalities.str.contains(r"\+|none")]
    if len(single) > 1 and not modalities.str.contains(r"\+").any():
        yield (
            f"No sample has more than one of {', '.join(single)}. Check that their tables use the same sample_ids. "
            "See results/audit/overlap.csv."
        )


def _samples(tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    missing = tables["missing_by_sample"]
    for modality, own in missing[missing["missing_fraction"] > MUCH_MISSING].groupby("modality", sort=False):
        yield (
            f"Samples with more than {100 * MUCH_MISSING:.0f}% of their {modality} values missing "
            f"({listed(own['sample_id'])}). See results/audit/missing_by_sample.csv."
        )
    if far := _marked(tables["pc_space"], "Outlier"):
        yield (
            f"Samples far from the others of their tissue ({listed(far)}). Failed arrays and swapped tissues look like "
            "that. They are trained on unless you remove them. See results/audit/pc_space.csv."
        )
    if "sex" in tables and (wrong := _marked(tables["sex"], "Mismatch")):
        yield (
            f"Labels of Sex that disagree with the X and Y chromosomes ({listed(wrong)}). Were samples swapped? See "
            "results/audit/sex.csv."
        )


def _marked(table: pd.DataFrame, column: str) -> list[str]:
    return table.loc[table[column].astype(str) == "True", "sample_id"].drop_duplicates().tolist()


def _confounding(tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    samples = tables["samples"]
    if pairs := nearly_alike(samples["Tissue"].dropna().unique()):
        names = listed(f"'{a}' and '{b}'" for a, b in pairs)
        yield f"Similar names of tissues ({names}). Use one name per tissue. See results/audit/confounding.csv."
    studies = samples[samples["trains"]].groupby("Tissue")["project_id"].nunique()
    single = studies.index[studies == 1]
    if len(studies) > 1 and len(single):
        yield (
            f"{len(single)} of {len(studies)} tissues are in one study only ({listed(single)}). The clock cannot tell "
            "such a tissue from its study's batch. See results/audit/confounding.csv."
        )
    value = tables["associations"].set_index(["first", "second"])["value"]
    if (explained := value.get(("Platform", "Age"), float("nan"))) >= ENTANGLED / 2:
        yield (
            f"Platform explains {100 * explained:.0f}% of the variance of age. The clock may learn platform "
            "differences instead of age. See results/audit/associations.csv."
        )
    if (explained := value.get(("project_id", "Age"), float("nan"))) >= ENTANGLED:
        yield (
            f"Study explains {100 * explained:.0f}% of the variance of age, because studies hardly overlap in age. The "
            "clock may learn batch effects instead of age. See results/audit/ages.csv."
        )


def _predicted(tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    predicted = tables.get("predicted", pd.DataFrame({"remark": []}))
    for row in predicted[predicted["remark"].notna()].itertuples():
        yield f"The table to predict {row.table} ({row.file}) {row.remark}. See results/audit/predicted_tables.csv."
