"""Findings of the audit in words, each with the file that contains the details."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from heteroage.errors import listed
from heteroage.grouping.groups import describe_ties
from heteroage.tables.spellings import nearly_alike

Finding = tuple[str, str]  # a sentence, and the file in results/ with the details
FEW_CPGS = 10  # hallmarks with fewer CpGs are reported
MUCH_MISSING = 0.2  # samples with a larger fraction of missing features are reported
ENTANGLED = 0.8  # minimum eta squared of study and age that is reported as confounding


def find_noteworthy(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """List the findings, each with the file that shows it; the most serious first.

    Parameters
    ----------
    tables : the audit's tables by name, including `samples` (with `trains`) and `duplicates`; `sex` and `predicted` if
        they were checked
    """
    found = [
        *_near_identical(tables["samples"], tables["duplicates"]),
        *_values(tables["values"]),
        *_hallmarks(tables["hallmarks"]),
        *_modalities(tables["overlap"]),
        *_missing(tables["missing_by_sample"]),
        *_outliers(tables["pc_space"]),
        *(_sex(tables["sex"]) if "sex" in tables else []),
        *_tissues(tables["samples"]),
        *_ages(tables["associations"]),
        *(_predicted(tables["predicted"]) if "predicted" in tables else []),
    ]
    return [f"{sentence} See results/{name}." for sentence, name in found]


def write_findings(findings: Sequence[str]) -> str:
    """Number the findings."""
    if not findings:
        return "The audit found nothing that you need to look at.\n"
    lines = [f"  {k}. {sentence}" for k, sentence in enumerate(findings, 1)]
    what = "one thing" if len(findings) == 1 else f"{len(findings)} things"
    return "\n".join([f"The audit found {what} to look at before you trust a clock:", *lines]) + "\n"


def _near_identical(samples: pd.DataFrame, pairs: pd.DataFrame) -> Iterator[Finding]:
    for tie in describe_ties(samples, pairs):
        yield tie, "audit/duplicated_arrays.csv" if "near-identical" in tie else "store/samples.csv"
    pairs = pairs[pairs["project_1"] == pairs["project_2"]].drop_duplicates(["sample_1", "sample_2"])
    if len(pairs):
        names = listed(f"{a} and {b}" for a, b in pairs[["sample_1", "sample_2"]].to_numpy())
        yield (
            f"Near-identical arrays within a project ({names}). Is an array there twice?",
            "audit/duplicated_arrays.csv",
        )


def _values(values: pd.DataFrame) -> Iterator[Finding]:
    for row in values.itertuples():
        if row.n_outside:
            yield (
                f"{row.modality} values below 0 or above 1: {row.n_outside:,}, from {row.lowest:g} to {row.highest:g} "
                f"(samples {row.samples_outside}). They are used as they are.",
                "audit/values.csv",
            )


def _hallmarks(hallmarks: pd.DataFrame) -> Iterator[Finding]:
    empty = hallmarks[hallmarks["features"] == 0]
    few = hallmarks[(hallmarks["features"] > 0) & (hallmarks["cpgs_in_data"] < FEW_CPGS)]
    if len(empty):
        yield (
            f"{len(empty)} of {len(hallmarks)} hallmarks without a CpG in the data ({listed(empty['hallmark'])}): they "
            "get no expert. Check that the dictionary and the data use the same CpG names.",
            "audit/hallmarks.csv",
        )
    if len(few):
        yield (
            f"{len(few)} of {len(hallmarks)} hallmarks with fewer than {FEW_CPGS} CpGs in the data "
            f"({listed(few['hallmark'])}).",
            "audit/hallmarks.csv",
        )


def _modalities(overlap: pd.DataFrame) -> Iterator[Finding]:
    with_samples = overlap[overlap["n_samples"] > 0]
    single = with_samples.loc[~with_samples["modalities"].str.contains(r"\+|none"), "modalities"]
    if len(single) > 1 and not with_samples["modalities"].str.contains(r"\+").any():
        names = ", ".join(single)
        yield (
            f"No sample has more than one of {names}. Check that their tables use the same sample_ids.",
            "audit/overlap.csv",
        )


def _missing(missing: pd.DataFrame) -> Iterator[Finding]:
    much = missing[missing["missing_fraction"] > MUCH_MISSING]
    for modality, own in much.groupby("modality", sort=False):
        yield (
            f"Samples with more than {100 * MUCH_MISSING:.0f}% of their {modality} values missing "
            f"({listed(own['sample_id'])}).",
            "audit/missing_by_sample.csv",
        )


def _outliers(pc_space: pd.DataFrame) -> Iterator[Finding]:
    far = pc_space[pc_space["Outlier"].astype(str) == "True"].drop_duplicates("sample_id")
    if len(far):
        yield (
            f"Samples far from the others of their tissue ({listed(far['sample_id'])}). Failed arrays and swapped "
            "tissues look like that. They are trained on unless you remove them.",
            "audit/pc_space.csv",
        )


def _sex(sex: pd.DataFrame) -> Iterator[Finding]:
    wrong = sex[sex["Mismatch"].astype(str) == "True"]
    if len(wrong):
        yield (
            f"Labels of Sex that disagree with the X and Y chromosomes ({listed(wrong['sample_id'])}). Were "
            "samples swapped?",
            "audit/sex.csv",
        )


def _tissues(samples: pd.DataFrame) -> Iterator[Finding]:
    if pairs := nearly_alike(samples["Tissue"].dropna().unique()):
        names = listed(f"'{a}' and '{b}'" for a, b in pairs)
        yield f"Similar names of tissues ({names}). Use one name per tissue.", "audit/confounding.csv"
    studies = samples[samples["trains"]].groupby("Tissue")["project_id"].nunique()
    single = studies.index[studies == 1]
    if len(studies) > 1 and len(single):
        yield (
            f"{len(single)} of {len(studies)} tissues are in one study only ({listed(single)}). The clock cannot tell "
            "such a tissue from its study's batch.",
            "audit/confounding.csv",
        )


def _ages(associations: pd.DataFrame) -> Iterator[Finding]:
    value = associations.set_index(["first", "second"])["value"]
    if (by_platform := value.get(("Platform", "Age"), float("nan"))) >= ENTANGLED / 2:
        yield (
            f"Platform explains {100 * by_platform:.0f}% of the variance of age. The clock may learn platform "
            "differences instead of age.",
            "audit/associations.csv",
        )
    if (told := value.get(("project_id", "Age"), float("nan"))) >= ENTANGLED:
        yield (
            f"Study explains {100 * told:.0f}% of the variance of age, because studies hardly overlap in age. The "
            "clock may learn batch effects instead of age.",
            "audit/ages.csv",
        )


def _predicted(predicted: pd.DataFrame) -> Iterator[Finding]:
    for row in predicted[predicted["remark"].notna()].itertuples():
        yield f"The table to predict {row.table} ({row.file}) {row.remark}.", "audit/predicted_tables.csv"
