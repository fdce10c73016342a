"""Input: the feature store, its groups and the hallmark dictionary. Output: results/audit/: one table per check, and
pictures. `snakemake audit` makes only these."""

# {name: title in the Snakemake report}
TABLES = {
    "tables": "Tables as they were read",
    "steps": "What was normalised, and how often",
    "overlap": "Samples and CpGs by modality",
    "missing_by_sample": "Missing values by sample",
    "missing_by_cpg": "Missing values by CpG",
    "values": "Values outside 0 to 1",
    "confounding": "Project, tissue and age",
    "associations": "Associations between labels",
    "ages": "Ages by project",
    "pc_space": "Principal components and outliers",
    "hallmarks": "Hallmarks before and after matching",
}
PICTURES = {
    "overlap": "Samples and CpGs by modality (picture)",
    "missingness": "Missing values (picture)",
    "confounding": "Project, tissue and age (picture)",
    "ages": "Ages by project (picture)",
    "pc_space": "Principal components (picture)",
    "hallmarks": "Hallmarks (picture)",
}
# Tables that exist only for some configurations.
if CHECK_SEX:
    TABLES["sex"] = "Sex labels"
    PICTURES["sex"] = "Sex labels (picture)"
ANNOTATION = {"annotation": config["inputs"]["annotation"]} if CHECK_SEX else {}
PREDICTED = {"predicted": "results/audit/predicted_tables.csv"} if config["predict"] else {}


rule audit_inputs:
    input:
        **STORE,
        **ANNOTATION,
        samples=SAMPLES,
        intake="results/store/intake.json",
        dictionary=DICTIONARY,
        sizes=branch(BUILD_DICTIONARY, then="results/hallmarks/sizes.csv", otherwise=[]),
    output:
        **{name: audited(f"results/audit/{name}.csv", title) for name, title in TABLES.items()},
    priority: 1  # before training, where both can run
    resources:
        **needs(),
    message:
        "Checking the input"
    script:
        "../../scripts/audit_inputs.py"


rule plot_audit:
    input:
        **PREDICTED,
        **{name: f"results/audit/{name}.csv" for name in TABLES if name not in ("tables", "steps", "confounding")},
        samples=SAMPLES,
        duplicates="results/audit/duplicated_arrays.csv",
    output:
        **{name: audited(f"results/audit/{name}.png", title, name) for name, title in PICTURES.items()},
        findings=audited("results/audit/findings.txt", "Findings", "findings"),
    priority: 1
    message:
        "Drawing the audit and listing its findings"
    script:
        "../../scripts/plot_audit.py"


if config["predict"]:

    rule check_predicted_tables:
        input:
            files=sum(PREDICT_FILES.values(), []),
            names=STORE["names"],
            samples=SAMPLES,
        output:
            checked=audited("results/audit/predicted_tables.csv", "Tables to predict"),
        priority: 2  # before long jobs: a table that cannot be predicted ends the run
        resources:
            **needs(),
        params:
            predict=config["predict"],
            conventions=lab_conventions(config["inputs"]),
            own=PREDICT_CONVENTIONS,
            needs_pcs=not COMPUTE_PCS,
        message:
            "Checking the tables to predict"
        script:
            "../../scripts/check_predicted_tables.py"


AUDIT = [*rules.audit_inputs.output, *rules.plot_audit.output, rules.assign_groups.output.duplicates]
AUDIT += [*PREDICTED.values(), *([PUBLISHED_AGES] if config["compare"] else [])]
