"""Takes in the nested runs (each outer fold left out of a whole training); gives out the errors that a lab will see
on its next study, beside those that other ways of scoring would claim. `snakemake evaluate` makes all of it."""


rule evaluate:
    input:
        "results/evaluation/nested_predictions.csv",
        "results/evaluation/unhealthy_predictions.csv",
        "results/evaluation/accuracy.csv",
        "results/evaluation/coverage.csv",
        "results/evaluation/ablation.csv",
        "results/evaluation/optimism.csv",


checkpoint list_outer_folds:
    input:
        samples="results/store/samples.csv",
    output:
        folds="results/evaluation/outer_folds.txt",
    log:
        "logs/list_outer_folds.log",
    benchmark:
        "results/benchmarks/list_outer_folds.tsv"
    conda:
        "../../envs/heteroage.yaml"
    params:
        code=code_of("list_outer_folds"),
    message:
        "Listing the outer folds"
    script:
        "../../scripts/list_outer_folds.py"


rule predict_held_out:
    input:
        **({} if COMPUTE_PCS else {"pcs": config["inputs"]["context_pcs"]}),
        manifest="results/{run}_artifacts/MANIFEST.json",
        samples="results/{run}/training/samples.csv",
        all_samples="results/store/samples.csv",
        features="results/store/features.npy",
        names="results/store/feature_names.txt",
    output:
        predictions="results/{run}/held_out/predictions.csv",
    log:
        "logs/{run}/predict_held_out.log",
    benchmark:
        "results/benchmarks/{run}/predict_held_out.tsv"
    conda:
        "../../envs/heteroage.yaml"
    resources:
        **needs(0.3),
    params:
        code=code_of("predict_held_out"),
    message:
        "Predicting the samples that {wildcards.run} has left out"
    script:
        "../../scripts/predict_held_out.py"


rule ablate_fusion:
    input:
        samples="results/{run}/training/samples.csv",
        anchor="results/{run}/cross_fit/anchor.csv",
        corrections="results/{run}/cross_fit/corrections.csv",
        pcs="results/{run}/training/context_pcs.csv",
        predictions="results/{run}/held_out/predictions.csv",
    output:
        ablated="results/{run}/held_out/fusion_without_context.csv",
    log:
        "logs/{run}/ablate_fusion.log",
    benchmark:
        "results/benchmarks/{run}/ablate_fusion.tsv"
    conda:
        "../../envs/heteroage.yaml"
    resources:
        **needs(0.3),
    params:
        code=code_of("ablate_fusion"),
        lightgbm=config["stage3"]["lightgbm"],
        max_rounds=config["stage3"]["max_rounds"],
    message:
        "Fusing the held-out samples of {wildcards.run} without context"
    script:
        "../../scripts/ablate_fusion.py"


rule score_nested_runs:
    input:
        held_out=held_out("results/{run}/held_out/predictions.csv"),
        ablated=held_out("results/{run}/held_out/fusion_without_context.csv"),
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
    message:
        "Scoring the nested runs"
    script:
        "../../scripts/score_nested_runs.py"


rule deal_folds_at_random:
    input:
        samples="results/full/training/samples.csv",
    output:
        dealt="results/random-split/training/samples.csv",
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
        "Dealing samples into folds at random, studies on both sides"
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
        "Comparing nested errors with those of other ways of scoring"
    script:
        "../../scripts/compare_scorings.py"
