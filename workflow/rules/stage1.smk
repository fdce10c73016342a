"""Input: a run's training samples and the store. Output: the global anchor: sweep report, out-of-fold ages, final model
and weights."""


rule train_stage1:
    input:
        **PUBLISHED,
        **({"earlier": config["stage1"]["sweep_report"]} if config["stage1"]["sweep_report"] else {}),
        samples="results/{run}/training/samples.csv",
        features=STORE,
        names=STORE_NAMES,
        pcs="results/{run}/training/context_pcs.csv",
    output:
        report="results/{run}/artifacts/stage1/Stage1_Sweep_Report.csv",
        out_of_fold="results/{run}/artifacts/stage1/Stage1_Global_Anchor_OOF.csv",
        views="results/{run}/cross_fit/anchor.csv",
        model="results/{run}/artifacts/stage1/model.joblib",
        weights="results/{run}/artifacts/stage1/Stage1_Global_Model_Weights.csv",
    log:
        "logs/{run}/train_stage1.log",
    benchmark:
        "results/benchmarks/{run}/train_stage1.tsv"
    priority: 1  # takes all cores: before the jobs of one core, which then run side by side
    conda:
        "../../envs/heteroage.yaml"
    threads: 8
    resources:
        **needs(),
    params:
        code=code_of("train_stage1"),
        given=state_of([config["stage1"]["sweep_report"]] if config["stage1"]["sweep_report"] else []),
        balancing=config["stage1"]["balancing"],
        technical_sd=config["stage1"]["technical_sd"],
        alpha=config["stage1"]["alpha"],
        l1_ratio=config["stage1"]["l1_ratio"],
        context_pcs=config["stage1"]["context_pcs"],
        start_from=config["stage1"]["start_from"],
    message:
        "Training the anchor of {wildcards.run}: sweep, cross-fitting, final model"
    script:
        "../../scripts/train_stage1.py"
