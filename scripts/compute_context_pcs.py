"""Learn RF_PCs from a run's training samples, without looking at ages."""

import pandas as pd

from heteroage.files import read_table, rows_of, write_table
from heteroage.matrix import open_matrix, values_of
from heteroage.stages.context import compute_loadings, project
from heteroage.workflow import run_script


def main(
    features: str, names: str, all_samples: str, samples: str, n_pcs: int, n_cpgs: int, pcs: str, loadings: str
) -> None:
    """Write the loadings, and the training samples' components by the code that projects new samples."""
    store, feature_names = open_matrix(features, names)
    sample_ids = read_table(samples)["sample_id"]
    columns = rows_of(sample_ids, read_table(all_samples), all_samples)
    learnt = compute_loadings(store, feature_names, columns, n_pcs, n_cpgs)
    values = values_of(store, feature_names, learnt["feature"], columns)
    components = project(learnt, pd.DataFrame(values, columns=learnt["feature"]))
    components.insert(0, "sample_id", sample_ids)
    write_table(learnt, loadings)
    write_table(components, pcs)


if __name__ == "__main__":
    run_script(main)
