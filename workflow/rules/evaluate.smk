"""Input: the nested runs (each outer fold left out of a whole training). Output: the errors that a lab will see
on its next study, beside those that other ways of scoring would claim. `snakemake evaluate` makes all of it."""


rule evaluate:
    input:
        "results/evaluation/nested_predictions.csv",
        "results/evaluation/unhealthy_predictions.csv",
        "results/evaluation/accuracy.csv",
        "results/evaluation/coverage.csv",
        "results/evaluation/ablation.csv",
        "results/evaluation/optimism.csv",


rule score_nested_runs:
    input:
        held_out=held_out("results/{run}/held_out/predictions.csv"),
        ablated=held_out("results/{run}/held_out/fusion_without_context.csv"),
        published=PUBLISHED_AGES if config["compare"] else [],
        clocks=PUBLISHED_CLOCKS if config["compare"] else [],
    output:
        predictions="results/evaluation/nested_predictions.csv",
        unhealthy="results/evaluation/unhealthy_predictions.csv",
        accuracy="results/evaluation/accuracy.csv",
        coverage="results/evaluation/coverage.csv",
        ablation="results/evaluation/ablation.csv",
    log:
        "logs/score_nested_runs.log",
    benchmark:
        "results/benchmarks/score_nested_runs.tsv"
    conda:
        "../../envs/heteroage.yaml"
    params:
        code=code_of("score_nested_runs"),
        trained_on={name: clock.get("trained_on", []) for name, clock in config["compare"].items()},
    message:
        "Scoring the nested runs"
    script:
        "../../scripts/score_nested_runs.py"


if config["compare"]:

    rule predict_published:
        input:
            features=STORE,
            names=STORE_NAMES,
            samples="results/store/samples.csv",
            tables=[clock["coefficients"] for clock in config["compare"].values()],
        output:
            ages=PUBLISHED_AGES,
            clocks=PUBLISHED_CLOCKS,
        log:
            "logs/predict_published.log",
        benchmark:
            "results/benchmarks/predict_published.tsv"
        priority: 2  # before anything that takes long: a bad coefficient table ends the run
        conda:
            "../../envs/heteroage.yaml"
        resources:
            **needs(),
        params:
            code=code_of("predict_published"),
            compare=config["compare"],
            given=state_of([clock["coefficients"] for clock in config["compare"].values()]),
        message:
            "Predicting with published clocks"
        script:
            "../../scripts/predict_published.py"


rule deal_folds_at_random:
    input:
        samples="results/full/training/samples.csv",
        pcs="results/full/training/context_pcs.csv",
    output:
        dealt="results/random-split/training/samples.csv",
        same_pcs="results/random-split/training/context_pcs.csv",
    log:
        "logs/random-split/deal_folds_at_random.log",
    benchmark:
        "results/benchmarks/random-split/deal_folds_at_random.tsv"
    conda:
        "../../envs/heteroage.yaml"
    params:
        code=code_of("deal_folds_at_random"),
        folds=config["cross_validation"]["folds"],
        seed=config["cross_validation"]["seed"],
    message:
        "Assigning samples to random folds that split studies"
    script:
        "../../scripts/deal_folds_at_random.py"


ruleorder: deal_folds_at_random > select_training_samples


rule compare_scorings:
    input:
        nested="results/evaluation/nested_predictions.csv",
        out_of_fold="results/full/artifacts/stage3/Stage3_Final_Predictions_OOF.csv",
        random_split="results/random-split/artifacts/stage3/Stage3_Final_Predictions_OOF.csv",
        sweep="results/full/artifacts/stage1/Stage1_Sweep_Report.csv",
    output:
        table="results/evaluation/optimism.csv",
    log:
        "logs/compare_scorings.log",
    benchmark:
        "results/benchmarks/compare_scorings.tsv"
    conda:
        "../../envs/heteroage.yaml"
    params:
        code=code_of("compare_scorings"),
    message:
        "Comparing nested errors with other ways of scoring"
    script:
        "../../scripts/compare_scorings.py"
