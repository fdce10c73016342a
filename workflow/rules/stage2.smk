"""Takes in the anchor's views and the orthogonalised dictionary; gives out one expert per hallmark, trained on
the anchor's residuals, their out-of-fold corrections, weights, performance and manifest."""

EXPERT_MODELS = of_each_expert("results/{run}/artifacts/stage2/hallmarks/Hallmark_{hallmark}.joblib")
EXPERT_CORRECTIONS = of_each_expert("results/{run}/cross_fit/hallmarks/{hallmark}_corrections.csv")


rule train_expert:
    input:
        samples="results/{run}/training/samples.csv",
        features="results/{run}/training/features.npy",
        names="results/{run}/training/feature_names.txt",
        report="results/{run}/artifacts/stage1/Stage1_Sweep_Report.csv",
        anchor="results/{run}/cross_fit/anchor.csv",
        correlation="results/{run}/training/feature_correlation.npy",
        # The age of a given dictionary does not count: an expert depends on its own features, by the digest below.
        # Of one that a rule makes it does: Snakemake looks at no digest downstream of a job that is going to run.
        hallmarks=DICTIONARY if BUILD_DICTIONARY else ancient(DICTIONARY),
    output:
        model="results/{run}/artifacts/stage2/hallmarks/Hallmark_{hallmark}.joblib",
        corrections="results/{run}/cross_fit/hallmarks/{hallmark}_corrections.csv",
        weights="results/{run}/cross_fit/hallmarks/{hallmark}_weights.csv",
        summary="results/{run}/cross_fit/hallmarks/{hallmark}_summary.json",
    log:
        "logs/{run}/train_expert/{hallmark}.log",
    benchmark:
        "results/benchmarks/{run}/train_expert/{hallmark}.tsv"
    conda:
        "../../envs/heteroage.yaml"
    resources:
        **needs(0.3),
    params:
        code=code_of("train_expert"),
        own_features=own_features,
        alpha=config["stage2"]["alpha"],
        l1_ratio=config["stage2"]["l1_ratio"],
        seed=config["cross_validation"]["seed"],
    message:
        "Training the expert of {wildcards.hallmark} ({wildcards.run})"
    script:
        "../../scripts/train_expert.py"


rule collect_experts:
    input:
        corrections=EXPERT_CORRECTIONS,
        weights=of_each_expert("results/{run}/cross_fit/hallmarks/{hallmark}_weights.csv"),
        summaries=of_each_expert("results/{run}/cross_fit/hallmarks/{hallmark}_summary.json"),
    output:
        all_corrections="results/{run}/artifacts/stage2/Stage2_Expert_OOF_Corrections.csv",
        all_weights="results/{run}/artifacts/stage2/Stage2_Expert_Weights.csv",
        summary="results/{run}/artifacts/stage2/Stage2_Performance_Summary.csv",
    log:
        "logs/{run}/collect_experts.log",
    benchmark:
        "results/benchmarks/{run}/collect_experts.tsv"
    conda:
        "../../envs/heteroage.yaml"
    params:
        code=code_of("collect_experts"),
        hallmarks=HALLMARKS,
    message:
        "Collecting the experts of {wildcards.run}"
    script:
        "../../scripts/collect_experts.py"


rule write_stage2_manifest:
    input:
        models=EXPERT_MODELS,
        weights="results/{run}/artifacts/stage2/Stage2_Expert_Weights.csv",
        summary="results/{run}/artifacts/stage2/Stage2_Performance_Summary.csv",
        skipped="results/{run}/cross_fit/skipped_hallmarks.json",
    output:
        manifest="results/{run}/artifacts/stage2/Stage2_Manifest.json",
        same="results/{run}/artifacts/stage2/manifest.json",
    log:
        "logs/{run}/write_stage2_manifest.log",
    benchmark:
        "results/benchmarks/{run}/write_stage2_manifest.tsv"
    conda:
        "../../envs/heteroage.yaml"
    params:
        code=code_of("write_stage2_manifest"),
    message:
        "Writing the manifest of the experts of {wildcards.run}"
    script:
        "../../scripts/write_stage2_manifest.py"
