"""Input: the assembled clock and the tables named under `predict:`. Output: their predicted ages, by the
code that `heteroage pipeline-predict` runs."""


rule predict_samples:
    input:
        manifest="results/full_artifacts/MANIFEST.json",
        files=lambda wildcards: PREDICT_FILES[wildcards.name],
    output:
        predictions="results/predictions/{name}.csv",
    resources:
        **needs(0.3),
    params:
        conventions=lambda wildcards: PREDICT_CONVENTIONS[wildcards.name],
        tables=lookup(dpath="predict/{name}", within=config),
    message:
        "Predicting {wildcards.name}"
    script:
        "../../scripts/predict_samples.py"
