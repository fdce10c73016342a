"""Takes in the anchor's and the experts' views, tissue, sex and RF_PCs; gives out the fusion: out-of-fold
HeteroAge, the final LightGBM model, its importance and metadata."""


rule cross_fit_stage3:
    input:
        samples="results/{run}/training/samples.csv",
        anchor="results/{run}/cross_fit/anchor.csv",
        corrections="results/{run}/cross_fit/corrections.csv",
        pcs="results/{run}/training/context_pcs.csv",
    output:
        out_of_fold="results/{run}/artifacts/stage3/Stage3_Final_Predictions_OOF.csv",
    log:
        "logs/{run}/cross_fit_stage3.log",
    benchmark:
        "results/benchmarks/{run}/cross_fit_stage3.tsv"
    conda:
        "../../envs/heteroage.yaml"
    resources:
        **needs(0.3),
    params:
        code=code_of("cross_fit_stage3"),
        lightgbm=config["stage3"]["lightgbm"],
        max_rounds=config["stage3"]["max_rounds"],
    message:
        "Predicting {wildcards.run} out of fold with the fusion"
    script:
        "../../scripts/cross_fit_stage3.py"


rule train_stage3:
    input:
        samples="results/{run}/training/samples.csv",
        anchor="results/{run}/cross_fit/anchor.csv",
        corrections="results/{run}/cross_fit/corrections.csv",
        pcs="results/{run}/training/context_pcs.csv",
        out_of_fold="results/{run}/artifacts/stage3/Stage3_Final_Predictions_OOF.csv",
    output:
        model="results/{run}/artifacts/stage3/model.joblib",
        text="results/{run}/artifacts/stage3/model.txt",
        importance="results/{run}/artifacts/stage3/Stage3_Attention_Importance.csv",
        metadata="results/{run}/artifacts/stage3/Stage3_Artifacts.json",
    log:
        "logs/{run}/train_stage3.log",
    benchmark:
        "results/benchmarks/{run}/train_stage3.tsv"
    conda:
        "../../envs/heteroage.yaml"
    resources:
        **needs(0.3),
    params:
        code=code_of("train_stage3"),
        lightgbm=config["stage3"]["lightgbm"],
        max_rounds=config["stage3"]["max_rounds"],
        intervals=config["stage3"]["intervals"],
    message:
        "Training the fusion of {wildcards.run}"
    script:
        "../../scripts/train_stage3.py"
