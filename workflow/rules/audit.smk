"""Input: the feature store, its groups and the hallmark dictionary. Output: results/audit/: a table per check, and
pictures. `snakemake audit` stops there."""

AUDIT = [
    "results/audit/duplicated_arrays.csv",
    "results/audit/findings.txt",
    "results/audit/tables.csv",
    "results/audit/overlap.png",
    "results/audit/missingness.png",
    "results/audit/confounding.png",
    "results/audit/ages.png",
    "results/audit/pc_space.png",
    "results/audit/hallmarks.png",
]
AUDIT += collect(
    "results/audit/{table}.csv",
    table=["steps", "overlap", "missing_by_sample", "missing_by_cpg", "values", "confounding", "associations", "ages"],
)
AUDIT += ["results/audit/pc_space.csv", "results/audit/hallmarks.csv"]
if CHECK_SEX:
    AUDIT.append("results/audit/sex.csv")
    AUDIT.append("results/audit/sex.png")
if config["predict"]:
    AUDIT.append("results/audit/predicted_tables.csv")
if config["compare"]:
    AUDIT.append(PUBLISHED_AGES)


rule audit_inputs:
    input:
        features=STORE,
        names=STORE_NAMES,
        samples="results/store/samples.csv",
        intake="results/store/intake.json",
        dictionary=DICTIONARY,
        sizes=branch(BUILD_DICTIONARY, then="results/hallmarks/sizes.csv", otherwise=[]),
    output:
        tables=report("results/audit/tables.csv", **audit_report("Tables as they were read")),
        steps=report("results/audit/steps.csv", **audit_report("What was normalised, and how often")),
        overlap=report("results/audit/overlap.csv", **audit_report("Samples and CpGs by modality")),
        missing_by_sample=report("results/audit/missing_by_sample.csv", **audit_report("Missing values by sample")),
        missing_by_cpg=report("results/audit/missing_by_cpg.csv", **audit_report("Missing values by CpG")),
        values=report("results/audit/values.csv", **audit_report("Values outside 0 to 1")),
        confounding=report("results/audit/confounding.csv", **audit_report("Project, tissue and age")),
        associations=report("results/audit/associations.csv", **audit_report("How much labels tell of each other")),
        ages=report("results/audit/ages.csv", **audit_report("Ages by project")),
        pc_space=report("results/audit/pc_space.csv", **audit_report("Principal components and outliers")),
        hallmarks=report("results/audit/hallmarks.csv", **audit_report("Hallmarks before and after matching")),
    log:
        "logs/audit_inputs.log",
    benchmark:
        "results/benchmarks/audit_inputs.tsv"
    priority: 1  # before training, where both can run
    conda:
        "../../envs/heteroage.yaml"
    resources:
        **needs(),
    params:
        code=code_of("audit_inputs"),
        given=state_of([DICTIONARY]),
    message:
        "Checking the input"
    script:
        "../../scripts/audit_inputs.py"


rule plot_audit:
    input:
        **({"sex": "results/audit/sex.csv"} if CHECK_SEX else {}),
        **({"predicted": "results/audit/predicted_tables.csv"} if config["predict"] else {}),
        samples="results/store/samples.csv",
        duplicates="results/audit/duplicated_arrays.csv",
        values="results/audit/values.csv",
        overlap="results/audit/overlap.csv",
        missing_by_sample="results/audit/missing_by_sample.csv",
        missing_by_cpg="results/audit/missing_by_cpg.csv",
        associations="results/audit/associations.csv",
        ages="results/audit/ages.csv",
        pc_space="results/audit/pc_space.csv",
        hallmarks="results/audit/hallmarks.csv",
    output:
        findings=report("results/audit/findings.txt", **audit_report("What to look at", "findings")),
        overlap=report("results/audit/overlap.png", **audit_report("Samples and CpGs by modality (picture)", "overlap")),
        missingness=report("results/audit/missingness.png", **audit_report("Missing values (picture)", "missingness")),
        confounding=report(
            "results/audit/confounding.png", **audit_report("Project, tissue and age (picture)", "confounding")
        ),
        ages=report("results/audit/ages.png", **audit_report("Ages by project (picture)", "ages")),
        pc_space=report("results/audit/pc_space.png", **audit_report("Principal components (picture)", "pc_space")),
        hallmarks=report("results/audit/hallmarks.png", **audit_report("Hallmarks (picture)", "hallmarks")),
    log:
        "logs/plot_audit.log",
    benchmark:
        "results/benchmarks/plot_audit.tsv"
    priority: 1
    conda:
        "../../envs/heteroage.yaml"
    params:
        code=code_of("plot_audit"),
    message:
        "Drawing the audit and listing its findings"
    script:
        "../../scripts/plot_audit.py"


if CHECK_SEX:

    rule check_sex:
        input:
            features=STORE,
            names=STORE_NAMES,
            samples="results/store/samples.csv",
            annotation=config["inputs"]["annotation"],
        output:
            table=report("results/audit/sex.csv", **audit_report("Sex labels")),
            figure=report("results/audit/sex.png", **audit_report("Sex labels (picture)", "sex")),
        log:
            "logs/check_sex.log",
        benchmark:
            "results/benchmarks/check_sex.tsv"
        conda:
            "../../envs/heteroage.yaml"
        resources:
            **needs(),
        params:
            code=code_of("check_sex"),
            given=state_of([config["inputs"]["annotation"]]),
        message:
            "Comparing sex labels with the X and Y chromosomes"
        script:
            "../../scripts/check_sex.py"


if config["predict"]:

    rule check_predicted_tables:
        input:
            tables=sum(config["predict"].values(), []),
            names="results/store/feature_names.txt",
            samples="results/store/samples.csv",
        output:
            checked=report("results/audit/predicted_tables.csv", **audit_report("Tables to predict")),
        log:
            "logs/check_predicted_tables.log",
        benchmark:
            "results/benchmarks/check_predicted_tables.tsv"
        priority: 2  # before anything that takes long: it ends a run whose tables cannot be predicted
        conda:
            "../../envs/heteroage.yaml"
        resources:
            **needs(),
        params:
            code=code_of("check_predicted_tables"),
            predict=config["predict"],
            conventions=lab_conventions(config["inputs"]),
            own=PREDICT_CONVENTIONS,
        message:
            "Checking the tables to predict"
        script:
            "../../scripts/check_predicted_tables.py"
