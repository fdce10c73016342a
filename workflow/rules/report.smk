"""Input: predictions, pictures and tables of a run. Output: the few lines that it ends with, and its report: a page."""


rule plot_predictions:
    input:
        out_of_fold="results/{run}/artifacts/stage3/Stage3_Final_Predictions_OOF.csv",
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
    params:
        code=code_of("plot_predictions"),
    message:
        "Drawing predicted against actual age of {wildcards.run}"
    script:
        "../../scripts/plot_predictions.py"


rule summarise_run:
    input:
        out_of_fold="results/full/artifacts/stage3/Stage3_Final_Predictions_OOF.csv",
        experts="results/full/artifacts/stage2/Stage2_Performance_Summary.csv",
        metadata="results/full/artifacts/stage3/Stage3_Artifacts.json",
        card="results/full_artifacts/MODEL_CARD.json",
        predictions=collect("results/predictions/{name}.csv", name=config["predict"] or []),
        figure="results/figures/full_predicted_age.png",
    output:
        summary="results/summary.txt",
    log:
        "logs/summarise_run.log",
    benchmark:
        "results/benchmarks/summarise_run.tsv"
    conda:
        "../../envs/heteroage.yaml"
    params:
        code=code_of("summarise_run"),
        names=list(config["predict"] or []),
        simulated=SIMULATED,
    message:
        "Writing the summary"
    script:
        "../../scripts/summarise_run.py"


rule write_report:
    input:
        pictures=pictures_of_page,
        tables=tables_of_page,
        metadata="results/full/artifacts/stage3/Stage3_Artifacts.json",
        manifest="results/full_artifacts/MANIFEST.json",
        card="results/full_artifacts/MODEL_CARD.json",
        template=REPORT / "report.html.j2",
        texts=sorted([*REPORT.glob("*.rst"), *REPORT.glob("*.css")]),
    output:
        report="results/report/{page}.html",
    log:
        "logs/write_report/{page}.log",
    benchmark:
        "results/benchmarks/write_report/{page}.tsv"
    conda:
        "../../envs/heteroage.yaml"
    params:
        code=code_of("write_report"),
        simulated=SIMULATED,
    message:
        "Writing results/report/{wildcards.page}.html"
    script:
        "../../scripts/write_report.py"
