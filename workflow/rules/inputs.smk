"""Input: the modality tables (or the demo's simulation), series of GEO, Bismark coverage files, gene sets and RF_PCs.
Output: the hallmark dictionary, the feature store of all samples, and the training samples and RF_PCs of each run."""

READ_WITH = ("join", "allow_pickle", "allow_disjoint_modalities", "restrict_to")
CONVENTIONS = {key: config["inputs"][key] for key in ("sex_codes", "missing_values", "allow_prenatal")}  # of metadata
SELECTION = {key: config["cross_validation"][key] for key in ("folds", "seed", "allow_leave_one_group_out")}


rule download_geo_series:
    output:
        matrix="results/geo/{series}/series_matrix.txt.gz",
    params:
        base_url=config["geo"]["base_url"],
    message:
        "Downloading {wildcards.series} from GEO"
    script:
        "../../scripts/download_geo_series.py"


rule read_geo_series:
    input:
        matrix=lambda wildcards: GEO_FILES.get(wildcards.series) or "results/geo/{series}/series_matrix.txt.gz",
    output:
        table="results/geo/{series}/beta.parquet",
        samples="results/geo/{series}/samples.csv",
    resources:
        **needs(),
    params:
        mapping=mapping_of_series,
    message:
        "Reading the series matrix of {wildcards.series}"
    script:
        "../../scripts/read_geo_series.py"


rule read_coverage:
    input:
        files=lambda wildcards: list(COVERAGE[wildcards.number][0].values()),
    output:
        table="results/coverage/{number}.parquet",
    wildcard_constraints:
        number=r"\d+",
    resources:
        **needs(),
    params:
        samples=lambda wildcards: COVERAGE[wildcards.number][0],
        least_coverage=lambda wildcards: COVERAGE[wildcards.number][1],
    message:
        "Reading coverage files"
    script:
        "../../scripts/read_coverage.py"


if BUILD_DICTIONARY:

    rule build_hallmark_dictionary:
        input:
            gene_sets=config["inputs"]["hallmarks"],
            annotation=config["inputs"]["annotation"],
        output:
            dictionary=DICTIONARY,
            sizes="results/hallmarks/sizes.csv",
        message:
            "Finding the CpGs of the genes of {input.gene_sets}"
        script:
            "../../scripts/build_hallmark_dictionary.py"


rule simulate_demo:
    input:
        settings="resources/demo/settings.yaml",
        hallmarks="resources/demo/hallmarks.json",
    output:
        tables=collect("results/demo/{modality}.parquet", modality=MODALITIES),
        context_pcs="results/demo/context_pcs.csv",
        new_samples="results/demo/held_back.parquet",
        truth="results/demo/truth.json",
    resources:
        **needs(0.3),
    params:
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
        **STORE,
        metadata="results/store/metadata.csv",
        intake="results/store/intake.json",
    threads: 2
    resources:
        **needs(),
    params:
        tables=MODALITY_TABLES,
        sample_sheets=SAMPLE_SHEETS,
        options={key: config["inputs"][key] for key in READ_WITH} | {"conventions": CONVENTIONS},
    message:
        "Reading {input.files} into the feature store"
    script:
        "../../scripts/build_feature_store.py"


checkpoint assign_groups:
    input:
        **STORE,
        metadata="results/store/metadata.csv",
    output:
        samples=SAMPLES,
        folds="results/store/outer_folds.txt",
        duplicates=audited("results/audit/duplicated_arrays.csv", "Near-identical arrays", "duplicated_arrays"),
    resources:
        **needs(),
    params:
        policy=config["audit"]["duplicates"],
        distance_ratio=config["audit"]["distance_ratio"],
        outer_folds=config["cross_validation"]["outer_folds"],
    message:
        "Searching near-identical arrays and assigning groups"
    script:
        "../../scripts/assign_groups.py"


rule select_training_samples:
    input:
        **GIVEN_PCS,
        **STORE,
        # ancient(): its time stamp does not trigger this rule. A dictionary without any match stops the run here.
        all_samples=SAMPLES,
        dictionary=[] if BUILD_DICTIONARY else ancient(DICTIONARY),
    output:
        **({"loadings": "results/{run}/artifacts/stage1/RF_PC_Loadings.csv"} if COMPUTE_PCS else {}),
        **TRAINING,
    wildcard_constraints:
        run=r"full|nested-\d+",
    priority: 1  # train_stage1 waits for it
    resources:
        **needs(),
    params:
        selection=SELECTION,
        context=config["context"],
    message:
        "Choosing the training samples, folds and RF_PCs of {wildcards.run}"
    script:
        "../../scripts/select_training_samples.py"
