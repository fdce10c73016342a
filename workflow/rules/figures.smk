"""Input: predictions and artifacts. Output: the pictures of `snakemake --report` and of the report page.

Each picture contains its title and alternative text. Its caption is workflow/report/<name>.rst.
"""

# Ages of held-out samples, healthy ones first. Nested runs also predict unhealthy samples.
HELD_OUT = {
    "nested": [NESTED["predictions"], NESTED["unhealthy"]],
    "out_of_fold": ["results/full/artifacts/stage3/Stage3_Final_Predictions_OOF.csv"],
}
PUBLISHED_PICTURE = (
    {"published": picture("results/figures/evaluation/published.svg", "Accuracy", "Published clocks")}
    if config["compare"]
    else {}
)


rule plot_held_out:
    input:
        predictions=lambda wildcards: HELD_OUT[wildcards.scored],
        metadata="results/full/artifacts/stage3/Stage3_Artifacts.json",
    output:
        tissues=picture("results/figures/{scored}/tissues.svg", "Accuracy", "By tissue ({scored})"),
        projects=picture("results/figures/{scored}/projects.svg", "Accuracy", "By project ({scored})"),
        acceleration=picture("results/figures/{scored}/acceleration.svg", "Age acceleration", "By group ({scored})"),
    log:
        "logs/plot_held_out/{scored}.log",
    benchmark:
        "results/benchmarks/plot_held_out/{scored}.tsv"
    conda:
        "../../envs/heteroage.yaml"
    params:
        code=code_of("plot_held_out"),
    message:
        "Drawing the accuracy and age acceleration of {wildcards.scored} predictions"
    script:
        "../../scripts/plot_held_out.py"


rule plot_evaluation:
    input:
        optimism="results/evaluation/optimism.csv",
        ablation=NESTED["ablation"],
        coverage=NESTED["coverage"],
        accuracy=NESTED["accuracy"],
        hallmarks="results/falsification/random_sets.csv",
        random_scores="results/falsification/random_set_scores.csv",
        metadata="results/full/artifacts/stage3/Stage3_Artifacts.json",
    output:
        **PUBLISHED_PICTURE,
        optimism=picture("results/figures/evaluation/optimism.svg", "Accuracy", "Optimism"),
        ablation=picture("results/figures/evaluation/ablation.svg", "Accuracy", "Ablation"),
        coverage=picture("results/figures/evaluation/coverage.svg", "Intervals", "Coverage"),
        random_sets=picture("results/figures/evaluation/random_sets.svg", "Hallmarks", "Against random CpG sets"),
    log:
        "logs/plot_evaluation.log",
    benchmark:
        "results/benchmarks/plot_evaluation.tsv"
    conda:
        "../../envs/heteroage.yaml"
    params:
        code=code_of("plot_evaluation"),
    message:
        "Drawing the nested evaluation"
    script:
        "../../scripts/plot_evaluation.py"


rule plot_training:
    input:
        **of_full(FUSED),
        sweep="results/full/artifacts/stage1/Stage1_Sweep_Report.csv",
        experts="results/full/artifacts/stage2/Stage2_Performance_Summary.csv",
        out_of_fold="results/full/artifacts/stage2/Stage2_Expert_OOF_Corrections.csv",
        rounds="results/full/cross_fit/rounds.csv",
        importance="results/full/artifacts/stage3/Stage3_Attention_Importance.csv",
        model="results/full/artifacts/stage3/model.txt",
        metadata="results/full/artifacts/stage3/Stage3_Artifacts.json",
    output:
        sweep=picture("results/figures/training/sweep.svg", "Training", "Sweep of Stage 1"),
        skill=picture("results/figures/training/skill.svg", "Hallmarks", "Skill"),
        corrections=picture("results/figures/training/corrections.svg", "Hallmarks", "Corrections by tissue"),
        rounds=picture("results/figures/training/rounds.svg", "Training", "Boosting rounds"),
        importance=picture("results/figures/training/importance.svg", "Explanation", "Importance"),
        cohort=picture("results/figures/training/cohort.svg", "Explanation", "Contributions in a cohort"),
        sample=picture("results/figures/training/sample.svg", "Explanation", "Contributions in one sample"),
    log:
        "logs/plot_training.log",
    benchmark:
        "results/benchmarks/plot_training.tsv"
    conda:
        "../../envs/heteroage.yaml"
    params:
        code=code_of("plot_training"),
    message:
        "Drawing the results of the training"
    script:
        "../../scripts/plot_training.py"
