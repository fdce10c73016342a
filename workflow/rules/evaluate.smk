"""Input: the nested runs (each is a whole training without one outer fold). Output: the errors to expect on a new study,
and for comparison those by other ways of scoring. `snakemake evaluate` makes all of it."""


rule score_nested_runs:
    input:
        **({"published": PUBLISHED_AGES, "clocks": PUBLISHED_CLOCKS} if config["compare"] else {}),
        held_out=lambda wildcards: collect("results/{run}/held_out/predictions.csv", run=nested_runs()),
        ablated=lambda wildcards: collect("results/{run}/held_out/fusion_without_context.csv", run=nested_runs()),
    output:
        **held_out_pictures("nested"),
        **pictures(
            "evaluation",
            ablation=("Accuracy", "Ablation"),
            coverage=("Intervals", "Coverage"),
            **({"published": ("Accuracy", "Published clocks")} if config["compare"] else {}),
        ),
        predictions="results/evaluation/nested_predictions.csv",
        unhealthy="results/evaluation/unhealthy_predictions.csv",
        accuracy="results/evaluation/accuracy.csv",
        coverage="results/evaluation/coverage.csv",
        ablation="results/evaluation/ablation.csv",
    params:
        trained_on={name: clock.get("trained_on", []) for name, clock in config["compare"].items()},
        level=config["stage3"]["intervals"]["level"],
    message:
        "Scoring the nested runs"
    script:
        "../../scripts/score_nested_runs.py"


if config["compare"]:

    rule predict_published:
        input:
            **STORE,
            samples=SAMPLES,
            tables=[clock["coefficients"] for clock in config["compare"].values()],
        output:
            ages=PUBLISHED_AGES,
            clocks=PUBLISHED_CLOCKS,
        priority: 2  # before long jobs: an invalid coefficient table ends the run
        resources:
            **needs(),
        params:
            compare=config["compare"],
        message:
            "Predicting with published clocks"
        script:
            "../../scripts/predict_published.py"


rule compare_scorings:
    input:
        nested=rules.score_nested_runs.output.predictions,
        out_of_fold="results/full/artifacts/stage3/Stage3_Final_Predictions_OOF.csv",
        random_split="results/random-split/artifacts/stage3/Stage3_Final_Predictions_OOF.csv",
        sweep="results/full/artifacts/stage1/Stage1_Sweep_Report.csv",
    output:
        **pictures("evaluation", optimism=("Accuracy", "Optimism")),
        table="results/evaluation/optimism.csv",
    message:
        "Comparing nested errors with other ways of scoring"
    script:
        "../../scripts/compare_scorings.py"


rule evaluate:
    input:
        rules.score_nested_runs.output,
        rules.compare_scorings.output,
