"""Input: the modality tables (or simulates the demo's) and the RF_PCs. Output: the feature store of all
samples, and each run's own training samples and RF_PCs: by them alone later rules read the store."""


rule simulate_demo:
    input:
        settings="resources/demo/settings.yaml",
        hallmarks="resources/demo/hallmarks.json",
    output:
        tables=collect("results/demo/{modality}.parquet", modality=MODALITIES),
        context_pcs="results/demo/context_pcs.csv",
        held_back="results/demo/held_back.parquet",
        truth="results/demo/truth.json",
    log:
        "logs/simulate_demo.log",
    benchmark:
        "results/benchmarks/simulate_demo.tsv"
    conda:
        "../../envs/heteroage.yaml"
    resources:
        **needs(0.3),
    params:
        code=code_of("simulate_demo"),
        modalities=list(MODALITIES),
    message:
        "Simulating the demo's cohorts"
    script:
        "../../scripts/simulate_demo.py"


rule build_feature_store:
    input:
        files=[table["file"] for tables in MODALITY_TABLES.values() for table in tables],
        sheet_files=[sheet["file"] for sheet in SAMPLE_SHEETS],
        platforms=config["inputs"]["restrict_to"],
    output:
        features=STORE,
        names=STORE_NAMES,
        metadata="results/store/metadata.csv",
        intake="results/store/intake.json",
    log:
        "logs/build_feature_store.log",
    benchmark:
        "results/benchmarks/build_feature_store.tsv"
    conda:
        "../../envs/heteroage.yaml"
    threads: 2
    resources:
        **needs(),
    params:
        code=code_of("build_feature_store"),
        given=state_of([e["file"] for e in [*sum(MODALITY_TABLES.values(), []), *SAMPLE_SHEETS]]),
        tables=MODALITY_TABLES,
        sample_sheets=SAMPLE_SHEETS,
        options={
            key: config["inputs"][key] for key in ("join", "allow_pickle", "allow_disjoint_modalities", "restrict_to")
        }
        | {"conventions": CONVENTIONS},
    message:
        "Reading {input.files} into the feature store"
    script:
        "../../scripts/build_feature_store.py"


checkpoint assign_groups:
    input:
        features=STORE,
        names=STORE_NAMES,
        metadata="results/store/metadata.csv",
    output:
        samples="results/store/samples.csv",
        folds="results/store/outer_folds.txt",
        duplicates=report(
            "results/audit/duplicated_arrays.csv",
            caption="../report/duplicated_arrays.rst",
            category="Audit",
            labels={"check": "Near-identical arrays"},
        ),
    log:
        "logs/assign_groups.log",
    benchmark:
        "results/benchmarks/assign_groups.tsv"
    conda:
        "../../envs/heteroage.yaml"
    resources:
        **needs(),
    params:
        code=code_of("assign_groups"),
        policy=config["audit"]["duplicates"],
        distance_ratio=config["audit"]["distance_ratio"],
        outer_folds=config["cross_validation"]["outer_folds"],
    message:
        "Searching near-identical arrays and assigning groups"
    script:
        "../../scripts/assign_groups.py"


rule select_training_samples:
    input:
        **({} if COMPUTE_PCS else {"given_pcs": config["inputs"]["context_pcs"]}),
        all_samples="results/store/samples.csv",
        features=STORE,
        names=STORE_NAMES,
        # ancient(): its time stamp does not trigger this rule. A dictionary without any match stops the run here.
        dictionary=[] if BUILD_DICTIONARY else ancient(DICTIONARY),
    output:
        **({"loadings": "results/{run}/artifacts/stage1/RF_PC_Loadings.csv"} if COMPUTE_PCS else {}),
        samples="results/{run}/training/samples.csv",
        pcs="results/{run}/training/context_pcs.csv",
    log:
        "logs/{run}/select_training_samples.log",
    benchmark:
        "results/benchmarks/{run}/select_training_samples.tsv"
    priority: 1  # train_stage1 waits for it
    conda:
        "../../envs/heteroage.yaml"
    resources:
        **needs(),
    params:
        code=code_of("select_training_samples"),
        given=state_of([] if COMPUTE_PCS else [config["inputs"]["context_pcs"]]),
        folds=config["cross_validation"]["folds"],
        allow_leave_one_group_out=config["cross_validation"]["allow_leave_one_group_out"],
        seed=config["cross_validation"]["seed"],
        n_pcs=config["context"]["n_pcs"],
        n_cpgs=config["context"]["n_cpgs"],
    message:
        "Choosing the training samples, folds and RF_PCs of {wildcards.run}"
    script:
        "../../scripts/select_training_samples.py"
