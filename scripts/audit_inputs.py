"""Check the feature store before training: a table per check."""

import logging
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from heteroage.checks.audit import (
    ages_by_project,
    associations,
    count_hallmarks,
    count_outside,
    count_overlap,
    cross_table,
    missing_by_cpg,
    missing_by_sample,
    scan_store,
)
from heteroage.checks.suspects import find_outliers
from heteroage.files import read_json, read_table, write_table
from heteroage.matrix import open_matrix
from heteroage.stages.dictionary import read_dictionary
from heteroage.stages.hallmarks import match_features
from heteroage.stages.sampling import training_samples
from heteroage.workflow import run_script


def main(
    features: str,
    names: str,
    samples: str,
    intake: str,
    dictionary: str,
    outputs: Mapping[str, str],
    sizes: str | None = None,
) -> None:
    """Write the tables of results/audit/."""
    store, feature_names = open_matrix(features, names)
    table = read_table(samples)
    table["trains"] = table["sample_id"].isin(training_samples(table)["sample_id"])
    hallmarks, record = read_dictionary(dictionary), read_json(intake)
    scan = scan_store(store, feature_names)
    outliers = find_outliers(store, feature_names, table, {m: scan.has(m) for m in scan.modalities})
    tables = {
        "tables": pd.DataFrame(record["tables"]),
        "steps": pd.DataFrame(record["steps"]).assign(first=lambda t: t["first"].str.join(", ")),
        "overlap": count_overlap(scan, feature_names),
        "missing_by_sample": missing_by_sample(scan, table),
        "missing_by_cpg": missing_by_cpg(scan),
        "values": count_outside(scan, feature_names, table),
        "confounding": cross_table(table),
        "associations": associations(table[table["trains"]]),
        "ages": ages_by_project(table),
        "pc_space": outliers,
        "hallmarks": count_hallmarks(
            hallmarks,
            match_features(hallmarks, feature_names),
            pd.read_csv(sizes) if sizes and Path(sizes).is_file() else None,
        ),
    }
    for name, content in tables.items():
        write_table(content, outputs[name])
    for row in tables["values"].itertuples():
        if row.n_outside:
            logging.warning("%s: %d values below 0 or above 1", row.modality, row.n_outside)
    for row in outliers[outliers["Outlier"]].itertuples():
        logging.warning("%s: %s lies far from its tissue (score %.1f)", row.modality, row.sample_id, row.Outlier_Score)


if __name__ == "__main__":
    run_script(main)
