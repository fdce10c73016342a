"""Input: a run's training samples and the store. Output: the global anchor: sweep report, out-of-fold ages, final model
and weights."""


rule train_stage1:
    input:
        **PUBLISHED,
        **DATA,
        **({"earlier": config["stage1"]["sweep_report"]} if config["stage1"]["sweep_report"] else {}),
    output:
        report="results/{run}/artifacts/stage1/Stage1_Sweep_Report.csv",
        out_of_fold="results/{run}/artifacts/stage1/Stage1_Global_Anchor_OOF.csv",
        views="results/{run}/cross_fit/anchor.csv",
        model="results/{run}/artifacts/stage1/model.joblib",
        weights="results/{run}/artifacts/stage1/Stage1_Global_Model_Weights.csv",
    priority: 1  # takes all cores: before the jobs of one core, which then run side by side
    threads: 8
    resources:
        **needs(),
    params:
        settings=config["stage1"],
    message:
        "Training the anchor of {wildcards.run}: sweep, cross-fitting, final model"
    script:
        "../../scripts/train_stage1.py"
