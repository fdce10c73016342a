"""Check the feature store before training: a table per check."""

import pandas as pd

from heteroage.checks import audit
from heteroage.checks.samples import ages_by_project, associations, check_sex, cross_table, find_outliers
from heteroage.files import read_json, read_table, write_table
from heteroage.grouping.folds import training_samples
from heteroage.matrix import open_matrix
from heteroage.probes import read_annotation
from heteroage.stages.hallmarks import match_features, read_dictionary
from heteroage.workflow import script


@script
def main(inputs: dict[str, str], outputs: dict[str, str]) -> None:
    """Write the tables of results/audit/; that of sexes, if an annotation says which CpGs are on X and Y."""
    store, feature_names = open_matrix(inputs["features"], inputs["names"])
    table = read_table(inputs["samples"])
    table["trains"] = table["sample_id"].isin(training_samples(table)["sample_id"])
    hallmarks, record = read_dictionary(inputs["dictionary"]), read_json(inputs["intake"])
    matched, sizes = match_features(hallmarks, feature_names), read_table(inputs["sizes"]) if inputs["sizes"] else None
    scan = audit.scan_store(store, feature_names)
    tables = {
        "tables": pd.DataFrame(record["tables"]),
        "steps": pd.DataFrame(record["steps"]).assign(first=lambda t: t["first"].str.join(", ")),
        "overlap": audit.count_overlap(scan, feature_names),
        "missing_by_sample": audit.missing_by_sample(scan, table),
        "missing_by_cpg": audit.missing_by_cpg(scan),
        "values": audit.count_outside(scan, feature_names, table),
        "confounding": cross_table(table),
        "associations": associations(table[table["trains"]]),
        "ages": ages_by_project(table),
        "pc_space": find_outliers(store, feature_names, table, {m: counts.has for m, counts in scan.items()}),
        "hallmarks": audit.count_hallmarks(hallmarks, matched, sizes),
    }
    if annotation := inputs.get("annotation"):
        tables["sex"] = check_sex(store, feature_names, table, read_annotation(annotation, "chromosome"))
    for name, content in tables.items():
        write_table(content, outputs[name])
