"""Input: gene sets and a probe annotation, where the config names these in place of a hallmark dictionary.
Output: the dictionary. Its hallmarks' names are the gene sets' (see common.smk), so that the jobs are known beforehand.
"""

if BUILD_DICTIONARY:

    rule build_hallmark_dictionary:
        input:
            gene_sets=config["inputs"]["hallmarks"],
            annotation=config["inputs"]["annotation"],
        output:
            dictionary=DICTIONARY,
            sizes="results/hallmarks/sizes.csv",
        log:
            "logs/build_hallmark_dictionary.log",
        benchmark:
            "results/benchmarks/build_hallmark_dictionary.tsv"
        conda:
            "../../envs/heteroage.yaml"
        params:
            code=code_of("build_hallmark_dictionary"),
            given=state_of([config["inputs"]["hallmarks"], config["inputs"]["annotation"]]),
        message:
            "Finding the CpGs of the genes of {input.gene_sets}"
        script:
            "../../scripts/build_hallmark_dictionary.py"
