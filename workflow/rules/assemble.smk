"""Input: a run's artifacts. Output: the deployable folder, sealed by MANIFEST.json."""

# The stages' outputs below artifacts/, without the experts' models (`expert_models`). All runs have the same.
ARTIFACTS = [
    path.partition("artifacts/")[2]
    for rule in (rules.select_training_samples, rules.train_stage1, rules.train_experts, rules.train_stage3)
    for path in rule.output
    if "artifacts/" in path and Path(path).suffix
]
# Files created during assembly: conventions of the lab's tables, applicability statistics, and reference samples for
# tests of later versions; model card and manifest.
SEALED = [*ARTIFACTS, READING, APPLICABILITY, COVARIANCE, REFERENCE_SAMPLES, REFERENCE_PREDICTIONS]
SEALED += ["MODEL_CARD.md", "MODEL_CARD.json", "MANIFEST.json"]
# The experts' models are not declared as output, because their number depends on the data. If one is missing, the folder
# is assembled again.
if workflow.is_main_process and not {"-n", "--dry-run", "--dryrun"} & set(sys.argv):
    unseal_incomplete(Path("results/full_artifacts"))

OF_RUN = {
    **PUBLISHED,
    **DATA,
    "artifacts": collect("results/{{run}}/artifacts/{file}", file=ARTIFACTS),
    "duplicates": "results/audit/duplicated_arrays.csv",
}
# For the full run's model card, if the config requests it.
EVALUATED = {
    "accuracy": "results/evaluation/accuracy.csv",
    "coverage": "results/evaluation/coverage.csv",
    "certificate": "results/falsification/certificate.csv",
}
SETTINGS = {
    "conventions": lab_conventions(config["inputs"]),
    "start_from": config["stage1"]["start_from"],
    "alphas": {stage: config[stage]["alpha"] for stage in ("stage1", "stage2")},
}


rule assemble_artifacts:
    input:
        unpack(lambda wildcards: EVALUATED if config["model_card"]["evaluated"] and wildcards.run == "full" else {}),
        **OF_RUN,
        experts=expert_models,
    output:
        sealed=collect("results/{{run}}_artifacts/{file}", file=SEALED),
    wildcard_constraints:
        run=r"(?!nested-)[\w-]+",
    threads: 2
    resources:
        **needs(),
    params:
        settings=SETTINGS,
    message:
        "Assembling results/{wildcards.run}_artifacts"
    script:
        "../../scripts/assemble_artifacts.py"


rule assemble_nested_run:
    input:
        **(GIVEN_PCS | OF_RUN | FUSED),
        experts=["results/{run}/artifacts/stage2/hallmarks"],
        all_samples=SAMPLES,
    output:
        sealed=collect("results/{{run}}_artifacts/{file}", file=SEALED),
        predictions="results/{run}/held_out/predictions.csv",
        ablated="results/{run}/held_out/fusion_without_context.csv",
    wildcard_constraints:
        run=r"nested-\d+",
    resources:
        **needs(0.6),
    params:
        settings=SETTINGS,
        lightgbm=config["stage3"]["lightgbm"],
        max_rounds=config["stage3"]["max_rounds"],
    message:
        "Assembling results/{wildcards.run}_artifacts and predicting the held-out samples of {wildcards.run}"
    script:
        "../../scripts/assemble_nested_run.py"
