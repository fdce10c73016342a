"""Read the modality tables, check them, and write all samples and features to the store."""

import logging
from collections.abc import Sequence

from heteroage.cohorts import merge_cohorts
from heteroage.files import read_table, write_table
from heteroage.sampling import training_samples
from heteroage.store import write_store
from heteroage.workflow import reporting


def main(modalities: Sequence[str], tables: Sequence[str], features: str, names: str, metadata: str) -> None:
    """Write features.npy, feature_names.txt and metadata.csv."""
    cohorts = merge_cohorts({m: read_table(path) for m, path in zip(modalities, tables, strict=True)})
    training_samples(cohorts.samples)  # a cohort without any is refused before its features are written
    write_store(cohorts, features, names)
    write_table(cohorts.samples, metadata)
    for modality, betas in cohorts.betas.items():
        missing = betas.isna().to_numpy().mean()
        logging.info("%s: %d samples, %d CpGs, %.2f%% missing", modality, *betas.shape, 100 * missing)


if __name__ == "__main__":
    with reporting(snakemake.log[0], snakemake.rule):
        main(
            snakemake.params.modalities,
            snakemake.input.tables,
            snakemake.output.features,
            snakemake.output.names,
            snakemake.output.metadata,
        )
