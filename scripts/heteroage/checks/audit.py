"""The audit: tables of the content of the feature store, and its findings in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from heteroage.errors import listed
from heteroage.grouping.folds import describe_ties
from heteroage.labels import nearly_alike
from heteroage.matrix import feature_blocks
from heteroage.probes import MODALITIES, split_modality

MISSING_BINS = np.array([0, 0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 0.999999, 1])  # upper ends; the first is "none"
FEW_CPGS = 10  # hallmarks with fewer CpGs are reported
REPORTED_MISSING = 0.2  # samples with a larger fraction of missing features are reported
ENTANGLED = 0.8  # minimum eta squared of study and age that is reported as confounding


@dataclass
class Counts:
    """Counts of a modality's values, from one pass over the store.

    rows : positions of its features in the store
    missing, outside : (samples,) values that are missing, and below 0 or above 1
    missing_by_feature, outside_by_feature : (features,), the same among all samples
    lowest, highest : NaN where there is no value
    """

    rows: NDArray[np.int64]
    missing: NDArray[np.int64]
    outside: NDArray[np.int64]
    missing_by_feature: NDArray[np.int64]
    outside_by_feature: NDArray[np.int64]
    lowest: float = np.nan
    highest: float = np.nan

    @property
    def has(self) -> NDArray[np.bool_]:
        """Which samples have any value of it."""
        return self.missing < len(self.rows)


def scan_store(store: NDArray[np.float32], feature_names: Sequence[str]) -> dict[str, Counts]:
    """Count in one pass over the store (features, samples); returns {modality with features: its counts}."""
    modality = np.array([split_modality(name)[1] for name in feature_names], dtype=object)
    scan = {}
    for m in MODALITIES:
        if len(rows := np.flatnonzero(modality == m)):
            scan[m] = Counts(rows, *(np.zeros(n, np.int64) for n in 2 * [store.shape[1]] + 2 * [len(rows)]))
    for part, block in feature_blocks(store, slice(None), "counting values"):
        absent, strange = np.isnan(block), (block < 0) | (block > 1)
        for counts in scan.values():
            here = (part.start <= counts.rows) & (counts.rows < part.stop)
            own = counts.rows[here] - part.start
            counts.missing += absent[own].sum(axis=0)
            counts.outside += strange[own].sum(axis=0)
            counts.missing_by_feature[here] = absent[own].sum(axis=1)
            counts.outside_by_feature[here] = strange[own].sum(axis=1)
            if not absent[own].all():
                counts.lowest = float(np.fmin(counts.lowest, np.nanmin(block[own])))
                counts.highest = float(np.fmax(counts.highest, np.nanmax(block[own])))
    return scan


def count_overlap(scan: Mapping[str, Counts], feature_names: Sequence[str]) -> pd.DataFrame:
    """Count samples and CpGs once each, by their exact set of `modalities` (joined by +): `n_samples`, `n_cpgs`."""
    probe, probes = pd.factorize(np.array([split_modality(name)[0] for name in feature_names], dtype=object))
    of_probe = np.zeros((len(probes), len(scan)), dtype=bool)
    for k, counts in enumerate(scan.values()):
        of_probe[probe[counts.rows], k] = True
    counts = {}
    for name, table in {"n_samples": np.array([own.has for own in scan.values()]).T, "n_cpgs": of_probe}.items():
        exact, times = np.unique(table, axis=0, return_counts=True)
        joined = ["+".join(m for m, yes in zip(scan, row, strict=True) if yes) or "none" for row in exact]
        counts[name] = pd.Series(times, index=pd.Index(joined, dtype=object))
    overlap = pd.DataFrame(counts).fillna(0).astype(int).rename_axis("modalities").reset_index()
    return overlap.sort_values(
        "modalities", key=lambda names: names.str.count(r"\+").astype(str) + names, ignore_index=True
    )


def missing_by_sample(scan: Mapping[str, Counts], samples: pd.DataFrame) -> pd.DataFrame:
    """Compute each sample's missing fraction by modality, largest first. Samples without any value are left out."""
    parts = []
    for m, own in scan.items():
        part = samples.loc[own.has, ["sample_id", "project_id"]]
        parts.append(part.assign(modality=m, missing_fraction=(own.missing[own.has] / len(own.rows)).round(6)))
    table = pd.concat(parts)[["modality", "sample_id", "project_id", "missing_fraction"]]
    order = ["modality", "missing_fraction", "sample_id"]
    return table.sort_values(order, ascending=[True, False, True], ignore_index=True)


def missing_by_cpg(scan: Mapping[str, Counts]) -> pd.DataFrame:
    """Count features by modality and fraction of samples in which they are missing (none, up to 0.001, ..., all)."""
    labels = ["none", *(f"up to {end:g}" for end in MISSING_BINS[1:-2]), "below 1", "all"]
    parts = []
    for m, own in scan.items():
        having = int(own.has.sum())
        fraction = (own.missing_by_feature - (len(own.has) - having)) / max(having, 1)
        count = np.bincount(np.searchsorted(MISSING_BINS, fraction), minlength=len(labels))
        parts.append(pd.DataFrame({"modality": m, "missing_fraction": labels, "n_features": count}))
    return pd.concat(parts, ignore_index=True)


def count_outside(scan: Mapping[str, Counts], feature_names: Sequence[str], samples: pd.DataFrame) -> pd.DataFrame:
    """Count values that are not beta values (below 0 or above 1), by modality.

    Returns a frame of `modality`, `n_values`, `lowest`, `highest`, `n_outside` (below 0 or above 1),
    `n_samples_outside`, `n_features_outside`, `samples_outside`, `features_outside` (count and first five).
    """
    rows = []
    for m, own in scan.items():
        who = samples["sample_id"][own.outside > 0]
        which = [feature_names[row] for row in own.rows[own.outside_by_feature > 0]]
        rows.append(
            {
                "modality": m,
                "n_values": len(own.rows) * len(samples) - int(own.missing.sum()),
                "lowest": own.lowest,
                "highest": own.highest,
                "n_outside": int(own.outside.sum()),
                "n_samples_outside": len(who),
                "n_features_outside": len(which),
                "samples_outside": listed(who) if len(who) else "",
                "features_outside": listed(which) if which else "",
            }
        )
    return pd.DataFrame(rows)


def count_hallmarks(
    dictionary: Mapping[str, Sequence[str]], matched: Mapping[str, Sequence[str]], sizes: pd.DataFrame | None
) -> pd.DataFrame:
    """Count each hallmark's CpGs before and after matching: {hallmark: CpGs} and {hallmark: features in the data}.

    sizes : genes of each hallmark, if the dictionary was made from gene sets

    Returns a frame of `hallmark`, (`genes`, `genes_matched`,) `cpgs`, `cpgs_in_data`, `features`.
    """
    rows = []
    for hallmark, cpgs in dictionary.items():
        features = matched[hallmark]
        rows.append((hallmark, len(cpgs), len({split_modality(name)[0] for name in features}), len(features)))
    table = pd.DataFrame(rows, columns=["hallmark", "cpgs", "cpgs_in_data", "features"])
    if sizes is not None:
        table = sizes[["hallmark", "genes", "genes_matched"]].merge(table, on="hallmark", validate="1:1")
    return table


def find_noteworthy(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """List the findings, the most serious first, each with the file that shows it.

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
    for modality, own in missing[missing["missing_fraction"] > REPORTED_MISSING].groupby("modality", sort=False):
        yield (
            f"Samples with more than {100 * REPORTED_MISSING:.0f}% of their {modality} values missing "
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
