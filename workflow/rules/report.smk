"""Input: predictions, pictures and tables of a run. Output: the summary printed at the end, and the report pages."""

REPORT = Path(os.path.relpath(REPOSITORY / "workflow/report"))
# The pictures and tables of each page: `training` shows what one training run knows, `index` the evaluation too.
PAGES = {
    "training": {
        "pictures": [*OUT_OF_FOLD_PICTURES.values(), *TRAINING_PICTURES.values()],
        "tables": ["results/full/artifacts/stage3/Stage3_Final_Predictions_OOF.csv"],
    }
}
PAGES["index"] = {
    "pictures": [
        *NESTED_PICTURES.values(),
        *TRAINING_PICTURES.values(),
        *(EVALUATION_PICTURES | OPTIMISM_PICTURE | RANDOM_SETS_PICTURE).values(),
        *[path for path in AUDIT if path.endswith(".png")],
    ],
    "tables": [
        *PAGES["training"]["tables"],
        *collect("results/evaluation/{name}.csv", name=["accuracy", "optimism", "ablation", "coverage"]),
        "results/falsification/certificate.csv",
        *([PUBLISHED_CLOCKS] if config["compare"] else []),
    ],
}


rule summarise_run:
    input:
        out_of_fold="results/full/artifacts/stage3/Stage3_Final_Predictions_OOF.csv",
        card="results/full_artifacts/MODEL_CARD.json",
        predictions=collect("results/predictions/{name}.csv", name=config["predict"] or []),
    output:
        summary="results/summary.txt",
        figure=report(
            "results/figures/full_predicted_age.png",
            caption="../report/predicted_age.rst",
            category="Accuracy",
            labels={"run": "full", "figure": "Predicted against actual age"},
        ),
    params:
        simulated=SIMULATED,
    message:
        "Writing the summary"
    script:
        "../../scripts/summarise_run.py"


rule write_report:
    input:
        pictures=lambda wildcards: PAGES[wildcards.page]["pictures"],
        tables=lambda wildcards: PAGES[wildcards.page]["tables"],
        card="results/full_artifacts/MODEL_CARD.json",
        template=REPORT / "report.html.j2",
        texts=sorted([*REPORT.glob("*.rst"), *REPORT.glob("*.css")]),
    output:
        report="results/report/{page}.html",
    params:
        simulated=SIMULATED,
    message:
        "Writing results/report/{wildcards.page}.html"
    script:
        "../../scripts/write_report.py"
