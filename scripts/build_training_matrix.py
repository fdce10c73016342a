"""Copy a run's training samples and RF_PCs into a matrix of their own: no training rule sees any other sample."""

from heteroage.files import read_table, rows_of
from heteroage.inputs.cohorts import pc_columns
from heteroage.inputs.store import write_training_matrix
from heteroage.matrix import open_matrix, write_names
from heteroage.stages.dictionary import read_dictionary
from heteroage.stages.hallmarks import check_any_match, match_features
from heteroage.workflow import run_script


def main(
    store: str,
    store_names: str,
    all_samples: str,
    samples: str,
    pcs: str,
    features: str,
    names: str,
    hallmarks: str | None = None,
) -> None:
    """Write features.npy and feature_names.txt; the RF_PCs are the last rows."""
    matrix, feature_names = open_matrix(store, store_names)
    if hallmarks:
        check_any_match(match_features(read_dictionary(hallmarks), feature_names))
    sample_ids, context = read_table(samples)["sample_id"], read_table(pcs)
    columns = rows_of(sample_ids, read_table(all_samples), all_samples)
    context = context.iloc[rows_of(sample_ids, context, pcs)]
    pc_names = pc_columns(context.columns)
    write_training_matrix(matrix, columns, context[pc_names].to_numpy(), features)
    write_names([*feature_names, *pc_names], names)


if __name__ == "__main__":
    run_script(main)
