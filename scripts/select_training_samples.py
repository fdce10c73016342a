"""Select a run's training samples, assign them to folds, and read or compute their RF_PCs."""

import logging

from heteroage.files import read_table, write_table
from heteroage.grouping.folds import describe_dominance, describe_few_groups, hold_out_donors
from heteroage.matrix import open_matrix
from heteroage.stages.context import learn_pcs, read_pcs
from heteroage.stages.hallmarks import check_any_match, match_features, read_dictionary
from heteroage.stages.training_data import TRAINING_COLUMNS, select
from heteroage.workflow import script


@script
def main(run: str, inputs: dict[str, str], selection: dict, context: dict[str, int], outputs: dict[str, str]) -> None:
    """Write the training samples and RF_PCs of `full`, or of `nested-<k>`, which leaves out outer fold k.

    RF_PCs are read from the given file, or computed from the run's samples without their ages, with their loadings.
    """
    store, feature_names = open_matrix(inputs["features"], inputs["names"])
    if dictionary := inputs["dictionary"]:
        check_any_match(match_features(read_dictionary(dictionary), feature_names))
    table = select(read_table(inputs["all_samples"]), run, **selection)
    if given_pcs := inputs.get("given_pcs"):
        components = read_pcs(read_table(given_pcs), table["sample_id"], given_pcs)
    else:
        loadings, components = learn_pcs(store, feature_names, table, **context)
        write_table(loadings, outputs["loadings"])
    write_table(components, outputs["pcs"])
    write_table(table[TRAINING_COLUMNS], outputs["samples"])
    dominance = [] if hold_out_donors(table) else describe_dominance(table)
    for sentence in [*dominance, *describe_few_groups(table)]:
        logging.warning("%s", sentence)
    sizes = table.groupby("fold").size()
    logging.info("%d training samples; samples by fold: %s", len(table), sizes.to_dict())
    if len(sizes) != selection["folds"]:
        logging.warning("%d folds instead of %d, because there are not more groups", len(sizes), selection["folds"])
