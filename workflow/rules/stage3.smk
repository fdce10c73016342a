"""Input: the anchor's and the experts' views, tissue, sex and RF_PCs. Output: the fusion, which is the final LightGBM
model with its importance and metadata, out-of-fold HeteroAge, and the curve that chose its rounds."""

# The input of the fusion, as `FusionInput.open` reads it.
FUSED = TRAINING | {"anchor": OF_ANCHOR["anchor"], "corrections": OF_EXPERTS["views"]}


rule train_stage3:
    input:
        **FUSED,
    output:
        out_of_fold="results/{run}/artifacts/stage3/Stage3_Final_Predictions_OOF.csv",
        tuning="results/{run}/cross_fit/rounds.csv",
        model="results/{run}/artifacts/stage3/model.joblib",
        text="results/{run}/artifacts/stage3/model.txt",
        importance="results/{run}/artifacts/stage3/Stage3_Attention_Importance.csv",
        metadata="results/{run}/artifacts/stage3/Stage3_Artifacts.json",
    resources:
        **needs(0.3),
    params:
        settings=config["stage3"],
    message:
        "Training the fusion of {wildcards.run}"
    script:
        "../../scripts/train_stage3.py"
