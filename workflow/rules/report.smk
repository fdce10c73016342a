"""Input: predictions, pictures and tables of a run. Output: the pictures of the training, the summary printed at the
end, and the report pages."""


rule plot_training:
    input:
        **of_full(FUSED),
        sweep="results/full/artifacts/stage1/Stage1_Sweep_Report.csv",
        experts="results/full/artifacts/stage2/Stage2_Performance_Summary.csv",
        expert_corrections="results/full/artifacts/stage2/Stage2_Expert_OOF_Corrections.csv",
        predictions="results/full/artifacts/stage3/Stage3_Final_Predictions_OOF.csv",
        rounds="results/full/cross_fit/rounds.csv",
        importance="results/full/artifacts/stage3/Stage3_Attention_Importance.csv",
        model="results/full/artifacts/stage3/model.txt",
        metadata="results/full/artifacts/stage3/Stage3_Artifacts.json",
    output:
        **held_out_pictures("out_of_fold"),
        **pictures(
            "training",
            sweep=("Training", "Sweep of Stage 1"),
            skill=("Hallmarks", "Skill"),
            corrections=("Hallmarks", "Corrections by tissue"),
            rounds=("Training", "Boosting rounds"),
            importance=("Explanation", "Importance"),
            cohort=("Explanation", "Contributions in a cohort"),
            sample=("Explanation", "Contributions in one sample"),
        ),
    message:
        "Drawing the results of the training"
    script:
        "../../scripts/plot_training.py"


rule summarise_run:
    input:
        out_of_fold="results/full/artifacts/stage3/Stage3_Final_Predictions_OOF.csv",
        card="results/full_artifacts/MODEL_CARD.json",
        predictions=collect("results/predictions/{name}.csv", name=config["predict"]),
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


REPORT = Path(os.path.relpath(REPOSITORY / "workflow/report"))
# The pictures and tables of each page: `training` shows what one training run knows, `index` the evaluation too.
DRAWN = {"training": rules.plot_training.output}
DRAWN["index"] = [
    path
    for rule in (rules.plot_training, rules.score_nested_runs, rules.compare_scorings, rules.write_certificate)
    for path in rule.output
    if path.endswith(".svg") and "out_of_fold/" not in path
]
DRAWN["index"] += [path for path in rules.plot_audit.output if path.endswith(".png")]
SHOWN = {"training": ["results/full/artifacts/stage3/Stage3_Final_Predictions_OOF.csv"]}
SHOWN["index"] = [
    *SHOWN["training"],
    *collect("results/evaluation/{name}.csv", name=["accuracy", "optimism", "ablation", "coverage"]),
    "results/falsification/certificate.csv",
    *([PUBLISHED_CLOCKS] if config["compare"] else []),
]


rule write_report:
    input:
        pictures=lambda wildcards: DRAWN[wildcards.page],
        tables=lambda wildcards: SHOWN[wildcards.page],
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
