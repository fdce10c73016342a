"""Input: the full run and a nested one. Output: attempts to prove their numbers wrong, and the certificate of how
they ended. `snakemake falsify` fails if one succeeds; results/falsification/certificate.csv is written in any case.

Runs that are whole trainings on altered input, by the same rules: `shuffled-ages`, `planted-study`.
"""


ruleorder: shuffle_ages > plant_study > select_training_samples


rule shuffle_ages:
    input:
        samples="results/full/training/samples.csv",
        pcs="results/full/training/context_pcs.csv",
    output:
        shuffled="results/shuffled-ages/training/samples.csv",
        same_pcs="results/shuffled-ages/training/context_pcs.csv",
    log:
        "logs/shuffled-ages/shuffle_ages.log",
    benchmark:
        "results/benchmarks/shuffled-ages/shuffle_ages.tsv"
    conda:
        "../../envs/heteroage.yaml"
    params:
        code=code_of("shuffle_ages"),
        seed=config["cross_validation"]["seed"],
    message:
        "Shuffling ages within tissue"
    script:
        "../../scripts/shuffle_ages.py"


rule plant_study:
    input:
        samples="results/full/training/samples.csv",
        pcs="results/full/training/context_pcs.csv",
    output:
        planted_samples="results/planted-study/training/samples.csv",
        planted_pcs="results/planted-study/training/context_pcs.csv",
    log:
        "logs/planted-study/plant_study.log",
    benchmark:
        "results/benchmarks/planted-study/plant_study.tsv"
    conda:
        "../../envs/heteroage.yaml"
    params:
        code=code_of("plant_study"),
        seed=config["cross_validation"]["seed"],
    message:
        "Planting features that encode the study"
    script:
        "../../scripts/plant_study.py"


rule alter_fold:
    input:
        **(
            {"loadings": "results/nested-0/artifacts/stage1/RF_PC_Loadings.csv"}
            if COMPUTE_PCS
            else {"given_pcs": config["inputs"]["context_pcs"]}
        ),
        **PUBLISHED,
        all_samples="results/store/samples.csv",
        features=STORE,
        names=STORE_NAMES,
        hallmarks=DICTIONARY,
        samples="results/nested-0/training/samples.csv",
        pcs="results/nested-0/training/context_pcs.csv",
        report="results/nested-0/artifacts/stage1/Stage1_Sweep_Report.csv",
        dictionary="results/nested-0/artifacts/stage1/Stage1_Orthogonalized_Hallmark_Dict.json",
        weights="results/nested-0/artifacts/stage1/Stage1_Global_Model_Weights.csv",
    output:
        compared="results/falsification/altered_fold.csv",
    log:
        "logs/alter_fold.log",
    benchmark:
        "results/benchmarks/alter_fold.tsv"
    conda:
        "../../envs/heteroage.yaml"
    threads: 8
    resources:
        **needs(),
    params:
        code=code_of("alter_fold"),
        outer_folds=config["cross_validation"]["outer_folds"],
        seed=config["cross_validation"]["seed"],
        selection={key: config["cross_validation"][key] for key in ("folds", "allow_leave_one_group_out")},
        learning={key: config["context"][key] for key in ("n_pcs", "n_cpgs")},
        context_pcs=config["stage1"]["context_pcs"],
        start_from=config["stage1"]["start_from"],
    message:
        "Altering outer fold 0 and recomputing the files of nested-0"
    script:
        "../../scripts/alter_fold.py"


rule score_random_sets:
    input:
        samples="results/full/training/samples.csv",
        features=STORE,
        names=STORE_NAMES,
        pcs="results/full/training/context_pcs.csv",
        report="results/full/artifacts/stage1/Stage1_Sweep_Report.csv",
        dictionary="results/full/artifacts/stage1/Stage1_Orthogonalized_Hallmark_Dict.json",
        anchor="results/full/cross_fit/anchor.csv",
    output:
        scores="results/falsification/random_sets/{hallmark}.csv",
    log:
        "logs/score_random_sets/{hallmark}.log",
    benchmark:
        "results/benchmarks/score_random_sets/{hallmark}.tsv"
    conda:
        "../../envs/heteroage.yaml"
    resources:
        **needs(0.3),
    params:
        code=code_of("score_random_sets"),
        alpha=config["stage2"]["alpha"],
        l1_ratio=config["stage2"]["l1_ratio"],
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
        certificate="results/falsification/certificate.csv",
        random_sets="results/falsification/random_sets.csv",
        scores="results/falsification/random_set_scores.csv",
    log:
        "logs/write_certificate.log",
    benchmark:
        "results/benchmarks/write_certificate.tsv"
    conda:
        "../../envs/heteroage.yaml"
    params:
        code=code_of("write_certificate"),
        seed=config["cross_validation"]["seed"],
    message:
        "Writing the leakage certificate"
    script:
        "../../scripts/write_certificate.py"


# This rule has no output, so that it reads the certificate in every run.
rule falsify:
    input:
        certificate="results/falsification/certificate.csv",
    log:
        "logs/falsify.log",
    conda:
        "../../envs/heteroage.yaml"
    message:
        "Checking the leakage certificate"
    script:
        "../../scripts/falsify.py"
