"""Convert gene sets to a hallmark dictionary, with a probe annotation."""

import logging

from heteroage.errors import listed
from heteroage.files import write_json, write_table
from heteroage.probes import read_annotation
from heteroage.stages.hallmarks import match_genes, read_gene_sets
from heteroage.workflow import script


@script
def main(gene_sets: str, annotation: str, dictionary: str, sizes: str) -> None:
    """Write the dictionary, and how many genes and CpGs each hallmark has."""
    cpgs, counts = match_genes(read_gene_sets(gene_sets), read_annotation(annotation, "gene"))
    for row in counts.itertuples():
        logging.info("%s: %d of %d genes, %d CpGs", row.hallmark, row.genes_matched, row.genes, row.cpgs)
        if row.genes_without_cpg:
            logging.warning("%s: genes without a CpG (%s)", row.hallmark, listed(row.genes_without_cpg.split(";")))
    write_table(counts, sizes)
    write_json(cpgs, dictionary)
