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

elif config["stage1"]["scatter"]:

    rule sweep_stage1_part:
        input:
            samples="results/{run}/training/samples.csv",
            features="results/{run}/training/features.npy",
            names="results/{run}/training/feature_names.txt",
        output:
            part="results/{run}/sweep/balancing-{balancing}_l1_ratio-{l1_ratio}.csv",
        log:
            "logs/{run}/sweep_stage1_part/balancing-{balancing}_l1_ratio-{l1_ratio}.log",
        benchmark:
            "results/benchmarks/{run}/sweep_stage1_part/balancing-{balancing}_l1_ratio-{l1_ratio}.tsv"
        conda:
            "../../envs/heteroage.yaml"
        threads: 8
        resources:
            **needs(),
        params:
            code=code_of("sweep_stage1_part"),
            part_balancing=balancing_of_part,
            part_l1_ratio=l1_ratio_of_part,
            alpha=config["stage1"]["alpha"],
            context_pcs=config["stage1"]["context_pcs"],
            seed=config["cross_validation"]["seed"],
        message:
            "Sweeping alpha of {wildcards.run} at balancing {wildcards.balancing}, l1_ratio {wildcards.l1_ratio}"
        script:
            "../../scripts/sweep_stage1_part.py"

    rule merge_stage1_sweep:
        input:
            parts=collect(
                "results/{run}/sweep/balancing-{balancing}_l1_ratio-{l1_ratio}.csv",
                balancing=range(len(config["stage1"]["balancing"])),
                l1_ratio=range(len(config["stage1"]["l1_ratio"])),
                allow_missing=True,
            ),
        output:
            report="results/{run}/artifacts/stage1/Stage1_Sweep_Report.csv",
        log:
            "logs/{run}/merge_stage1_sweep.log",
        benchmark:
            "results/benchmarks/{run}/merge_stage1_sweep.tsv"
        conda:
            "../../envs/heteroage.yaml"
        params:
            code=code_of("merge_stage1_sweep"),
        message:
            "Merging the sweep of {wildcards.run}"
        script:
            "../../scripts/merge_stage1_sweep.py"

else:

    rule sweep_stage1:
        input:
            samples="results/{run}/training/samples.csv",
            features="results/{run}/training/features.npy",
            names="results/{run}/training/feature_names.txt",
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
            alpha=config["stage1"]["alpha"],
            l1_ratio=config["stage1"]["l1_ratio"],
            context_pcs=config["stage1"]["context_pcs"],
            seed=config["cross_validation"]["seed"],
        message:
            "Sweeping balancing x alpha x l1_ratio of {wildcards.run}"
        script:
            "../../scripts/sweep_stage1.py"


rule cross_fit_stage1:
    input:
        samples="results/{run}/training/samples.csv",
        features="results/{run}/training/features.npy",
        names="results/{run}/training/feature_names.txt",
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
        alpha=config["stage1"]["alpha"],
        context_pcs=config["stage1"]["context_pcs"],
        seed=config["cross_validation"]["seed"],
    message:
        "Predicting {wildcards.run} out of fold with the anchor"
    script:
        "../../scripts/cross_fit_stage1.py"


rule train_stage1:
    input:
        samples="results/{run}/training/samples.csv",
        features="results/{run}/training/features.npy",
        names="results/{run}/training/feature_names.txt",
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
        alpha=config["stage1"]["alpha"],
        context_pcs=config["stage1"]["context_pcs"],
        seed=config["cross_validation"]["seed"],
    message:
        "Training the anchor of {wildcards.run}"
    script:
        "../../scripts/train_stage1.py"
