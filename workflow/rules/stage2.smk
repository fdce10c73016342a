"""Input: the anchor's views and the hallmark dictionary. Output: the dictionary with each feature in one hallmark, and
one expert per hallmark, trained on the anchor's residuals: out-of-fold corrections, weights, performance and manifest.

In the full run each expert is a separate job, so a change of one hallmark trains one expert. In all other runs one job trains
all experts.
"""

OF_EXPERTS = {
    "views": "results/{run}/cross_fit/corrections.csv",
    "out_of_fold": "results/{run}/artifacts/stage2/Stage2_Expert_OOF_Corrections.csv",
    "weights": "results/{run}/artifacts/stage2/Stage2_Expert_Weights.csv",
    "summary": "results/{run}/artifacts/stage2/Stage2_Performance_Summary.csv",
    "manifest": "results/{run}/artifacts/stage2/Stage2_Manifest.json",
    "same_manifest": "results/{run}/artifacts/stage2/manifest.json",
}
OF_ANCHOR = {
    "report": "results/{run}/artifacts/stage1/Stage1_Sweep_Report.csv",
    "anchor": "results/{run}/cross_fit/anchor.csv",
}


checkpoint orthogonalise_hallmarks:
    input:
        **of_full(DATA),
        hallmarks=DICTIONARY,
    output:
        dictionary=ORTHOGONALISED,
        skipped="results/full/cross_fit/skipped_hallmarks.json",
    resources:
        **needs(0.3),
    message:
        "Matching hallmarks to features, each feature in one hallmark"
    script:
        "../../scripts/orthogonalise_hallmarks.py"


rule train_expert:
    input:
        **of_full(DATA | OF_ANCHOR),
        dictionary=orthogonalised,
    output:
        model="results/full/artifacts/stage2/hallmarks/Hallmark_{hallmark}.joblib",
        corrections="results/full/cross_fit/hallmarks/{hallmark}_corrections.csv",
        weights="results/full/cross_fit/hallmarks/{hallmark}_weights.csv",
        summary="results/full/cross_fit/hallmarks/{hallmark}_summary.json",
    resources:
        **needs(0.3),
    params:
        own_features=own_features,
        settings=config["stage2"],
    message:
        "Training the expert of {wildcards.hallmark} (full run)"
    script:
        "../../scripts/train_expert.py"


rule collect_experts:
    input:
        expert_corrections=of_each_expert("results/full/cross_fit/hallmarks/{hallmark}_corrections.csv"),
        expert_weights=of_each_expert("results/full/cross_fit/hallmarks/{hallmark}_weights.csv"),
        expert_summaries=of_each_expert("results/full/cross_fit/hallmarks/{hallmark}_summary.json"),
        skipped="results/full/cross_fit/skipped_hallmarks.json",
    output:
        **of_full(OF_EXPERTS),
    message:
        "Collecting the experts of the full run"
    script:
        "../../scripts/collect_experts.py"


rule train_experts:
    input:
        **DATA,
        **OF_ANCHOR,
        hallmarks=DICTIONARY,
    output:
        **OF_EXPERTS,
        dictionary="results/{run}/artifacts/stage1/Stage1_Orthogonalized_Hallmark_Dict.json",
        models=directory("results/{run}/artifacts/stage2/hallmarks"),
    wildcard_constraints:
        run=OTHER_RUNS,
    threads: 2
    resources:
        **needs(0.3),
    params:
        settings=config["stage2"],
    message:
        "Training all experts of {wildcards.run}"
    script:
        "../../scripts/train_experts.py"
