"""Takes in a run's training samples and matrix; gives out the global anchor: sweep report, out-of-fold ages,
final model and weights."""

if config["stage1"]["sweep_report"]:

    rule reuse_sweep_report:
        input:
            earlier=config["stage1"]["sweep_report"],
        output:
            report="results/{run}/artifacts/stage1/Stage1_Sweep_Report.csv",
        log:
            "logs/{run}/reuse_sweep_report.log",
        benchmark:
            "results/benchmarks/{run}/reuse_sweep_report.tsv"
        conda:
            "../../envs/heteroage.yaml"
        params:
            code=code_of("reuse_sweep_report"),
        message:
            "Taking the configuration of {input.earlier}"
        script:
            "../../scripts/reuse_sweep_report.py"

else:

    rule sweep_stage1:
        input:
            **PUBLISHED,
            samples="results/{run}/training/samples.csv",
            features=STORE,
            names=STORE_NAMES,
            pcs="results/{run}/training/context_pcs.csv",
        output:
            report="results/{run}/artifacts/stage1/Stage1_Sweep_Report.csv",
        log:
            "logs/{run}/sweep_stage1.log",
        benchmark:
            "results/benchmarks/{run}/sweep_stage1.tsv"
        conda:
            "../../envs/heteroage.yaml"
        threads: 8
        resources:
            **needs(),
        params:
            code=code_of("sweep_stage1"),
            balancing=config["stage1"]["balancing"],
            technical_sd=config["stage1"]["technical_sd"],
            alpha=config["stage1"]["alpha"],
            l1_ratio=config["stage1"]["l1_ratio"],
            context_pcs=config["stage1"]["context_pcs"],
            start_from=config["stage1"]["start_from"],
        message:
            "Sweeping balancing x technical_sd x l1_ratio x alpha of {wildcards.run}"
        script:
            "../../scripts/sweep_stage1.py"


rule cross_fit_stage1:
    input:
        **PUBLISHED,
        samples="results/{run}/training/samples.csv",
        features=STORE,
        names=STORE_NAMES,
        pcs="results/{run}/training/context_pcs.csv",
        report="results/{run}/artifacts/stage1/Stage1_Sweep_Report.csv",
    output:
        out_of_fold="results/{run}/artifacts/stage1/Stage1_Global_Anchor_OOF.csv",
        views="results/{run}/cross_fit/anchor.csv",
    log:
        "logs/{run}/cross_fit_stage1.log",
    benchmark:
        "results/benchmarks/{run}/cross_fit_stage1.tsv"
    conda:
        "../../envs/heteroage.yaml"
    threads: 8
    resources:
        **needs(),
    params:
        code=code_of("cross_fit_stage1"),
        context_pcs=config["stage1"]["context_pcs"],
        start_from=config["stage1"]["start_from"],
    message:
        "Predicting {wildcards.run} out of fold with the anchor"
    script:
        "../../scripts/cross_fit_stage1.py"


rule train_stage1:
    input:
        **PUBLISHED,
        samples="results/{run}/training/samples.csv",
        features=STORE,
        names=STORE_NAMES,
        pcs="results/{run}/training/context_pcs.csv",
        report="results/{run}/artifacts/stage1/Stage1_Sweep_Report.csv",
    output:
        model="results/{run}/artifacts/stage1/model.joblib",
        weights="results/{run}/artifacts/stage1/Stage1_Global_Model_Weights.csv",
    log:
        "logs/{run}/train_stage1.log",
    benchmark:
        "results/benchmarks/{run}/train_stage1.tsv"
    conda:
        "../../envs/heteroage.yaml"
    threads: 8
    resources:
        **needs(),
    params:
        code=code_of("train_stage1"),
        context_pcs=config["stage1"]["context_pcs"],
        start_from=config["stage1"]["start_from"],
    message:
        "Training the anchor of {wildcards.run}"
    script:
        "../../scripts/train_stage1.py"
