"""Input: Bismark coverage files, one per sample, that `inputs.beta` names by a pattern. Output: a table of beta values
by position, read as those that the config names itself."""


rule read_coverage:
    input:
        files=lambda wildcards: list(COVERAGE_FILES[wildcards.number].values()),
    output:
        table="results/coverage/{number}.parquet",
    log:
        "logs/read_coverage/{number}.log",
    benchmark:
        "results/benchmarks/read_coverage/{number}.tsv"
    wildcard_constraints:
        number=r"\d+",
    conda:
        "../../envs/heteroage.yaml"
    resources:
        **needs(),
    params:
        code=code_of("read_coverage"),
        samples=lambda wildcards: COVERAGE_FILES[wildcards.number],
        least_coverage=lambda wildcards: LEAST_COVERAGE[wildcards.number],
    message:
        "Reading coverage files"
    script:
        "../../scripts/read_coverage.py"
