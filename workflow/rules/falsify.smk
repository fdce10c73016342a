"""Input: the full run and a nested one. Output: falsification tests of their numbers, and the certificate with the
results. `snakemake falsify` fails if a test fails; results/falsification/certificate.csv is written in any case.

The runs `random-split`, `shuffled-ages` and `planted-study` are whole trainings on altered samples, by the same rules.
"""


rule alter_training_samples:
    input:
        **of_full(TRAINING),
    output:
        altered="results/{run}/training/samples.csv",
        altered_pcs="results/{run}/training/context_pcs.csv",
    wildcard_constraints:
        run=ALTERED_RUNS,
    params:
        folds=config["cross_validation"]["folds"],
        seed=config["cross_validation"]["seed"],
    message:
        "Altering the training samples: {wildcards.run}"
    script:
        "../../scripts/alter_training_samples.py"


rule alter_fold:
    input:
        **({"loadings": "results/nested-0/artifacts/stage1/RF_PC_Loadings.csv"} if COMPUTE_PCS else GIVEN_PCS),
        **PUBLISHED,
        **STORE,
        all_samples=SAMPLES,
        hallmarks=DICTIONARY,
        samples="results/nested-0/training/samples.csv",
        pcs="results/nested-0/training/context_pcs.csv",
        report="results/nested-0/artifacts/stage1/Stage1_Sweep_Report.csv",
        dictionary="results/nested-0/artifacts/stage1/Stage1_Orthogonalized_Hallmark_Dict.json",
        weights="results/nested-0/artifacts/stage1/Stage1_Global_Model_Weights.csv",
    output:
        compared="results/falsification/altered_fold.csv",
    threads: 8
    resources:
        **needs(),
    params:
        outer_folds=config["cross_validation"]["outer_folds"],
        selection=SELECTION,
        context=config["context"],
        settings=config["stage1"],
    message:
        "Altering outer fold 0 and recomputing the files of nested-0"
    script:
        "../../scripts/alter_fold.py"


rule score_random_sets:
    input:
        **of_full(DATA | OF_ANCHOR),
        dictionary=ORTHOGONALISED,
    output:
        scores="results/falsification/random_sets/{hallmark}.csv",
    threads: 2
    resources:
        **needs(0.3),
    params:
        settings=config["stage2"],
        seed=config["cross_validation"]["seed"],
        n_sets=config["falsification"]["random_sets"],
    message:
        "Training experts on random CpG sets of the size of {wildcards.hallmark}"
    script:
        "../../scripts/score_random_sets.py"


rule write_certificate:
    input:
        samples="results/full/training/samples.csv",
        shuffled="results/shuffled-ages/artifacts/stage3/Stage3_Final_Predictions_OOF.csv",
        planted="results/planted-study/artifacts/stage3/Stage3_Final_Predictions_OOF.csv",
        altered="results/falsification/altered_fold.csv",
        summary="results/full/artifacts/stage2/Stage2_Performance_Summary.csv",
        importance="results/full/artifacts/stage3/Stage3_Attention_Importance.csv",
        pairs="results/audit/duplicated_arrays.csv",
        random_scores=of_each_expert("results/falsification/random_sets/{hallmark}.csv"),
    output:
        **pictures("evaluation", random_sets=("Hallmarks", "Against random CpG sets")),
        certificate="results/falsification/certificate.csv",
        random_sets="results/falsification/random_sets.csv",
        scores="results/falsification/random_set_scores.csv",
    params:
        seed=config["cross_validation"]["seed"],
    message:
        "Writing the leakage certificate"
    script:
        "../../scripts/write_certificate.py"


# This rule has no output, so that it reads the certificate in every run.
rule falsify:
    input:
        certificate="results/falsification/certificate.csv",
    message:
        "Checking the leakage certificate"
    script:
        "../../scripts/falsify.py"
