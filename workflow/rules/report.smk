"""Takes in out-of-fold and new predictions; gives out a picture and the few lines that a run ends with."""


rule plot_predictions:
    input:
        out_of_fold="results/{run}/artifacts/stage3/Stage3_Final_Predictions_OOF.csv",
        code=code_of("plot_predictions"),
    output:
        figure=report(
            "results/figures/{run}_predicted_age.png",
            caption="../report/predicted_age.rst",
            category="Accuracy",
            labels={"figure": "Predicted against actual age", "run": "{run}"},
        ),
    log:
        "logs/{run}/plot_predictions.log",
    benchmark:
        "results/benchmarks/{run}/plot_predictions.tsv"
    conda:
        "../../envs/heteroage.yaml"
    message:
        "Drawing predicted against actual age of {wildcards.run}"
    script:
        "../../scripts/plot_predictions.py"


rule summarise_run:
    input:
        out_of_fold="results/full/artifacts/stage3/Stage3_Final_Predictions_OOF.csv",
        experts="results/full/artifacts/stage2/Stage2_Performance_Summary.csv",
        metadata="results/full/artifacts/stage3/Stage3_Artifacts.json",
        manifest="results/full_artifacts/MANIFEST.json",
        predictions=collect("results/predictions/{name}.csv", name=config["predict"] or []),
        figure="results/figures/full_predicted_age.png",
        code=code_of("summarise_run"),
    output:
        summary="results/summary.txt",
    log:
        "logs/summarise_run.log",
    benchmark:
        "results/benchmarks/summarise_run.tsv"
    conda:
        "../../envs/heteroage.yaml"
    params:
        names=list(config["predict"] or []),
        simulated=any(path.startswith("results/demo/") for path in rules.build_feature_store.input.tables),
    message:
        "Summing up"
    script:
        "../../scripts/summarise_run.py"
