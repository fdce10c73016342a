"""Input: predictions and artifacts. Output: the pictures of `snakemake --report` and of the report page.

Each picture contains its title and alternative text. Its caption is workflow/report/<name>.rst.
"""

# {name: (category, label in the Snakemake report)}
TRAINING_PICTURES = pictures(
    "training",
    {
        "sweep": ("Training", "Sweep of Stage 1"),
        "skill": ("Hallmarks", "Skill"),
        "corrections": ("Hallmarks", "Corrections by tissue"),
        "rounds": ("Training", "Boosting rounds"),
        "importance": ("Explanation", "Importance"),
        "cohort": ("Explanation", "Contributions in a cohort"),
        "sample": ("Explanation", "Contributions in one sample"),
    },
)
EVALUATION_PICTURES = pictures(
    "evaluation",
    {
        "ablation": ("Accuracy", "Ablation"),
        "coverage": ("Intervals", "Coverage"),
        **({"published": ("Accuracy", "Published clocks")} if config["compare"] else {}),
    },
)
# Held-out samples, as predicted out of fold, and by nested runs.
OUT_OF_FOLD_PICTURES, NESTED_PICTURES = (
    pictures(
        folder,
        {
            "tissues": ("Accuracy", f"By tissue ({folder})"),
            "projects": ("Accuracy", f"By project ({folder})"),
            "acceleration": ("Age acceleration", f"By group ({folder})"),
        },
    )
    for folder in ("out_of_fold", "nested")
)


rule plot_evaluation:
    input:
        **NESTED,
        metadata="results/full/artifacts/stage3/Stage3_Artifacts.json",
    output:
        **EVALUATION_PICTURES,
        **NESTED_PICTURES,
    message:
        "Drawing the nested evaluation"
    script:
        "../../scripts/plot_evaluation.py"


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
        **TRAINING_PICTURES,
        **OUT_OF_FOLD_PICTURES,
    message:
        "Drawing the results of the training"
    script:
        "../../scripts/plot_training.py"
