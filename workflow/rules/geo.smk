"""Input: GEO's series matrices that the config names (inputs.geo). Output: a table of beta values and a sample sheet
for each, read as those that the config names itself."""


rule download_geo_series:
    output:
        matrix="results/geo/{series}/series_matrix.txt.gz",
    params:
        base_url=config["geo"]["base_url"],
    message:
        "Downloading {wildcards.series} from GEO"
    script:
        "../../scripts/download_geo_series.py"


rule read_geo_series:
    input:
        matrix=lambda wildcards: GEO_FILES.get(wildcards.series) or "results/geo/{series}/series_matrix.txt.gz",
    output:
        table="results/geo/{series}/beta.parquet",
        samples="results/geo/{series}/samples.csv",
    resources:
        **needs(),
    params:
        mapping=mapping_of_series,
    message:
        "Reading the series matrix of {wildcards.series}"
    script:
        "../../scripts/read_geo_series.py"
